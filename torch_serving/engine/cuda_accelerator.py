"""A graphics card: streams, pinned memory, events and graphs of CUDA.

Host memory comes from torch's caching allocator, which gives a block out again only once the copies
from it or to it have ended.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import torch

Run = Callable[..., Any]

PINNED_BYTES = 1 << 16  # the driver takes less than that from memory of any kind at once
STAGED_BYTES = 1 << 20  # more is copied in a stream of its own, while the run before it goes on


class CudaProgress:
    """Events in a stream, and a byte in host memory that the device sets at the end."""

    def __init__(self, stream: torch.cuda.Stream, one: torch.Tensor) -> None:
        self._stream = stream
        self._one = one
        self._end = torch.zeros(1, dtype=torch.uint8, pin_memory=True)
        self._begun = self._event()
        self._copied = self._run = self._ended = self._begun

    def _event(self) -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record(self._stream)
        return event

    def set_copied(self) -> None:
        self._copied = self._event()

    def set_run(self) -> None:
        self._run = self._event()

    def set_ended(self) -> None:
        self._end.copy_(self._one, non_blocking=True)
        self._ended = self._event()

    def wait(self) -> None:
        torch.cuda.set_device(self._stream.device)  # else CUDA starts on the first card, too
        self._ended.synchronize()

    def has_ended(self) -> bool:
        return bool(self._end.numpy()[0])

    def seconds(self) -> tuple[float, float]:
        whole_ms = self._begun.elapsed_time(self._ended)
        run_ms = self._copied.elapsed_time(self._run)
        return (whole_ms - run_ms) / 1e3, run_ms / 1e3


class CudaGraph:
    """A captured run. Its inputs are copies, its outputs lie in the pool of its method's graphs.

    `stream` is for captures alone. Memory that was used in a stream of runs is freed by any thread,
    with an event in that stream: in a capture, the event would be part of it, and fail its reader.
    """

    def __init__(
        self, run: Run, inputs: list[torch.Tensor], pool: Any, stream: torch.cuda.Stream
    ) -> None:
        self._device = stream.device
        self.inputs = [torch.empty_like(each).copy_(each) for each in inputs]
        graph = torch.cuda.CUDAGraph()
        stream.wait_stream(torch.cuda.current_stream(stream.device))
        with torch.cuda.stream(stream):
            try:
                run(*self.inputs)  # cuBLAS's memory of this stream must be no part of the graph
            finally:
                stream.synchronize()  # if it failed, others get the memory that it reads
            try:
                self.outputs = captured(graph, lambda: run(*self.inputs), pool, stream.device)
            except BaseException:
                allow_random_numbers(stream.device)
                raise
        self.replay = graph.replay

    def __del__(self) -> None:
        """End it on its card: the thread that drops it may have another one, or none."""
        with suppress(Exception), torch.cuda.device(self._device):
            self.__dict__.clear()


def captured(graph: Any, run: Callable[[], Any], pool: Any, device: torch.device) -> Any:
    """Capture a run in the current stream, and return its outputs."""
    try:
        # other threads may load models meanwhile: what they allocate is not part of the graph
        graph.capture_begin(pool=pool, capture_error_mode="thread_local")
        try:
            return run()
        finally:
            graph.capture_end()
    except BaseException:
        if has_left_capture(pool, device):
            _unended.append(graph)
        raise


def allow_random_numbers(device: torch.device) -> None:
    """After a bad capture, torch before 2.13 refuses them until another one has ended well."""
    with suppress(RuntimeError):
        graph, pool = torch.cuda.CUDAGraph(), torch.cuda.graph_pool_handle()
        torch.zeros(1, device=device)  # no capture may load a kernel
        captured(graph, lambda: torch.zeros(1, device=device), pool, device)


_unended: list[Any] = []  # graphs that torch's allocators may still ask about


def has_left_capture(pool: Any, device: torch.device) -> bool:
    """End what torch's allocator began for a bad capture, and return whether it was not ended.

    Memory that several streams used would never be free again, and the cache never be emptied.
    """
    end = getattr(torch._C, "_cuda_endAllocateToPool", None)
    end = end or torch._C._cuda_endAllocateCurrentStreamToPool  # type: ignore[attr-defined]
    try:
        end(device.index, pool)
    except RuntimeError:
        return False
    torch._C._cuda_releasePool(device.index, pool)
    return True


class CudaAccelerator:
    """One card. A thread that entered has streams for runs, for large copies, and for captures."""

    pads = True

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._thread = threading.local()

    def enter(self) -> None:
        torch.cuda.set_device(self.device)
        stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        torch.cuda.set_stream(stream)
        self._thread.copies = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        self._thread.captures = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]

    def host_tensor(self, shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
        pinned = torch.Size(shape).numel() * dtype.itemsize > PINNED_BYTES
        return torch.empty(shape, dtype=dtype, pin_memory=pinned)

    def is_ready(self, tensor: torch.Tensor) -> bool:
        return tensor.nbytes <= PINNED_BYTES and tensor.is_contiguous()

    def copy_in(self, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        copies = getattr(self._thread, "copies", None)
        if copies is None or sum(each.nbytes for each in tensors) < STAGED_BYTES:
            return [each.to(self.device, non_blocking=True) for each in tensors]
        stream = self._stream()
        with torch.cuda.stream(copies):
            arrived = [each.to(self.device, non_blocking=True) for each in tensors]
        stream.wait_stream(copies)
        for each in arrived:
            each.record_stream(stream)  # memory of the other stream, used in this one
        return arrived

    def copy_into(self, targets: list[torch.Tensor], tensors: list[torch.Tensor]) -> None:
        if sum(each.nbytes for each in tensors) >= STAGED_BYTES:
            tensors = self.copy_in(tensors)
        for target, tensor in zip(targets, tensors, strict=True):
            target.copy_(tensor, non_blocking=True)

    def copy_out(self, tensor: torch.Tensor) -> torch.Tensor:
        if tensor.is_quantized or tensor.layout != torch.strided or tensor.is_nested:
            return tensor.cpu()
        if tensor.is_meta:  # there is nothing to copy; who encodes it says so
            return tensor
        if tensor.is_cuda and tensor.device != self.device:  # no stream of this card waits for it
            return tensor.cpu()
        if tensor.is_neg() or tensor.is_conj():  # the CPU would negate what has not arrived yet
            tensor = tensor.resolve_conj().resolve_neg()
        host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        return host.copy_(tensor, non_blocking=True)

    def begin(self) -> CudaProgress:
        if not self.can_capture():  # a thread of several devices: models may say `cuda` alone
            torch.cuda.set_device(self.device)
        one = getattr(self._thread, "one", None)
        if one is None:
            one = self._thread.one = torch.ones(1, dtype=torch.uint8, device=self.device)
        return CudaProgress(self._stream(), one)

    def check(self) -> None:
        self._stream().query()

    def can_capture(self) -> bool:
        return hasattr(self._thread, "captures")

    def capture(self, run: Run, inputs: list[torch.Tensor], pool: Any) -> CudaGraph:
        return CudaGraph(run, inputs, pool, self._thread.captures)

    def graph_pool(self) -> Any:
        return torch.cuda.graph_pool_handle()

    def _stream(self) -> Any:
        return torch.cuda.current_stream(self.device)
