"""Devices without streams: each copy and each run has ended when it returns."""

import time
from collections.abc import Sequence
from typing import Any

import torch


class PlainProgress:
    """The times of a launch."""

    def __init__(self) -> None:
        self._begun_s = time.perf_counter()
        self._copied_s = self._run_s = self._ended_s = 0.0

    def set_copied(self) -> None:
        self._copied_s = time.perf_counter()

    def set_run(self) -> None:
        self._run_s = time.perf_counter()

    def set_ended(self) -> None:
        self._ended_s = time.perf_counter()

    def wait(self) -> None:
        pass

    def has_ended(self) -> bool:
        return self._ended_s > 0

    def seconds(self) -> tuple[float, float]:
        run_s = self._run_s - self._copied_s
        return self._ended_s - self._begun_s - run_s, run_s


class PlainAccelerator:
    """A device that is not asynchronous, or whose library waits by itself. The CPU is one."""

    pads = False

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def enter(self) -> None:
        pass

    def host_tensor(self, shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
        return torch.empty(shape, dtype=dtype)

    def is_ready(self, tensor: torch.Tensor) -> bool:
        return True

    def copy_in(self, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        return [tensor.to(self.device) for tensor in tensors]

    def copy_into(self, targets: list[torch.Tensor], tensors: list[torch.Tensor]) -> None:
        for target, tensor in zip(targets, tensors, strict=True):
            target.copy_(tensor)

    def copy_out(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor if tensor.is_meta else tensor.cpu()

    def begin(self) -> PlainProgress:
        return PlainProgress()

    def check(self) -> None:
        pass

    def can_capture(self) -> bool:
        return False

    def capture(self, run: Any, inputs: list[torch.Tensor], pool: Any) -> Any:
        raise NotImplementedError("only CUDA has graphs")

    def graph_pool(self) -> Any:
        return None
