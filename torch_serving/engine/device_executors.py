"""The device executors of a process, each made for the first job of its device."""

import threading
from collections.abc import Callable

import torch

from torch_serving.engine.accelerator import Accelerator
from torch_serving.engine.device_executor import DeviceExecutor


class DeviceExecutors:
    """Finds the executor of a device. Safe to use from any thread."""

    def __init__(self, make: Callable[[Accelerator], DeviceExecutor]) -> None:
        self._make = make
        self._lock = threading.Lock()  # guards _executors
        self._executors: dict[torch.device, DeviceExecutor] = {}

    def of(self, accelerator: Accelerator) -> DeviceExecutor:
        executor = self._executors.get(accelerator.device)
        return executor if executor is not None else self._start(accelerator)

    def _start(self, accelerator: Accelerator) -> DeviceExecutor:
        with self._lock:
            executor = self._executors.get(accelerator.device)
            if executor is None:
                executor = self._executors[accelerator.device] = self._make(accelerator)
                executor.start()
        return executor

    def all(self) -> list[DeviceExecutor]:
        with self._lock:
            return list(self._executors.values())
