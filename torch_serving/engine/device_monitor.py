"""The GPUs that this process uses: a limit for their memory, gauges, and memory that goes back.

Nothing here opens CUDA: that is for the first model that is loaded onto a GPU.
"""

import threading
from collections.abc import Sized

import torch

from torch_serving.engine.cuda_graphs import graphs_on
from torch_serving.engine.devices import open_device
from torch_serving.engine.memory import ALLOCATOR, empty_cache, limit_memory
from torch_serving.errors import DeviceFailed
from torch_serving.telemetry._counters import DeviceCounters, Statistics

PERIOD_S = 1.0
IDLE_SAMPLES = 5  # without a run, before other processes get what the allocator keeps


class DeviceMonitor:
    """Watches GPUs in a thread of its own, which starts with the first of them.

    `in_flight` are the requests that the process is busy with. `memory_limit` is what it may take
    of each GPU: a fraction, or bytes.
    """

    def __init__(
        self, statistics: Statistics, in_flight: Sized = (), memory_limit: float | None = None
    ) -> None:
        self._statistics = statistics
        self._in_flight = in_flight
        self._memory_limit = memory_limit
        self._lock = threading.Lock()  # of additions to _counters
        self._counters: dict[torch.device, DeviceCounters] = {}
        self._left_out: dict[torch.device, str] = {}
        self._is_closed = threading.Event()
        self._has_utilization = True
        self._idle_samples = 0
        self._seen: list[tuple[int, ...]] = []

    def use(self, device: torch.device) -> None:
        """Open, limit and watch a device; call before anything is put there. For any thread.

        Raises as `open_device` does, and DeviceFailed for one that is left out.
        """
        if device.type != "cuda" or device in self._counters:
            return
        if why := self._left_out.get(device):
            raise DeviceFailed(why, lost=False)
        with self._lock:
            if device in self._counters:
                return
            try:
                open_device(device)
            except DeviceFailed:
                self._counters_of(device).set_up(False)
                raise
            if self._memory_limit is not None:
                limit_memory(device, self._memory_limit)
            self._counters[device] = self._counters_of(device)
            self._counters[device].set_up(True)
            if len(self._counters) == 1:
                threading.Thread(target=self._watch, name="device-monitor", daemon=True).start()

    def leave_out(self, device: torch.device, why: str) -> None:
        """Publish that this process goes on without a device, and refuse its use from now on.

        Where CUDA failed once, it fails until the process ends, and may take long to say so.
        """
        self._left_out[device] = why
        self._counters_of(device).set_up(False)

    def _counters_of(self, device: torch.device) -> DeviceCounters:
        return self._statistics.device(str(device).encode())

    def close(self) -> None:
        """Let the thread end."""
        self._is_closed.set()

    def _watch(self) -> None:
        while not self._is_closed.wait(PERIOD_S):
            self.sample()

    def sample(self) -> None:
        """Publish the gauges of all devices, and give memory back if this process is idle."""
        if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            return
        try:
            for device, counters in list(self._counters.items()):
                self._publish(device, counters)
            self._give_back()
        except RuntimeError:
            pass  # a device in error: the next request meets it, too, and has it reported

    def _publish(self, device: torch.device, counters: DeviceCounters) -> None:
        with ALLOCATOR:
            free, total = torch.cuda.mem_get_info(device)
        stats = torch.cuda.memory_stats(device)
        allocated, reserved = (
            stats.get(f"{each}_bytes.all.current", 0) for each in ("allocated", "reserved")
        )
        counters.set_memory(allocated, reserved, free, total)
        counters.set_graphs(graphs_on(device))
        if self._has_utilization:
            try:
                counters.set_utilization(torch.cuda.utilization(device))
            except Exception:  # there is no nvidia-ml-py, or the device is a part of a card
                self._has_utilization = False

    def _give_back(self) -> None:
        """Empty the allocator's cache, once in each idle period."""
        seen = self._activity()
        is_idle = not self._in_flight and seen == self._seen
        self._seen = seen
        self._idle_samples = self._idle_samples + 1 if is_idle else 0
        if self._idle_samples == IDLE_SAMPLES:
            empty_cache()
            for device, counters in list(self._counters.items()):
                self._publish(device, counters)
            self._seen = self._activity()

    def _activity(self) -> list[tuple[int, ...]]:
        """What changes if something runs or is loaded."""
        numbers = [counters.numbers() for counters in list(self._counters.values())]
        return [(each.batches, each.allocated, each.reserved) for each in numbers]
