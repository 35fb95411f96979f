"""The device executors of a process, each made for the first job of its device."""

import sys
import threading
from collections.abc import Callable

import torch

from torch_serving.engine.accelerator import Accelerator
from torch_serving.engine.device_executor import DeviceExecutor

# How long a thread keeps the GIL from one that waits for it; Python's default is 5 ms. A launch
# takes it a dozen times while the event loop is busy (docs/decisions has the figures).
SWITCH_S = 0.0002


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
                sys.setswitchinterval(SWITCH_S)
                executor = self._make(accelerator)
                executor.start()  # first: one that has no threads takes no jobs
                self._executors[accelerator.device] = executor
        return executor

    def all(self) -> list[DeviceExecutor]:
        with self._lock:
            return list(self._executors.values())
