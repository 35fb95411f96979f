"""Flights of a device that fails."""

import weakref
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from tests.support.fake_device import CUDA_ERROR
from torch_serving.engine.device_method import Launch
from torch_serving.engine.flights import Flight, Flights
from torch_serving.errors import DeviceFailed

CARD = torch.device("cuda", 0)


class Progress:
    def __init__(self, ends: bool, has_failed: bool) -> None:
        self._ends = ends
        self._has_failed = has_failed

    def wait(self) -> None:
        if self._has_failed:
            raise RuntimeError(CUDA_ERROR)

    def has_ended(self) -> bool:
        return self._ends

    def seconds(self) -> tuple[float, float]:
        raise RuntimeError(CUDA_ERROR)


def flight(ends: bool = False, has_failed: bool = True) -> tuple[Flight, list[Any]]:
    """A flight, and what is left of its tensors."""
    inputs, outputs = torch.ones(2), torch.ones(2)
    launch = Launch(Progress(ends, has_failed), [inputs], outputs, 0, 0)  # type: ignore[arg-type]
    job = SimpleNamespace(invocation=Mock(model="bad.pt"), error=None, steps=None)
    left = [weakref.ref(inputs), weakref.ref(outputs)]
    return Flight([job], [0], launch), left  # type: ignore[list-item]


@pytest.mark.parametrize("ends", [False, True])
def test_memory_of_copies_is_never_freed_on_a_device_that_failed(ends: bool):
    """Torch ends the process there: it asks the device for an event."""
    fatal = Mock()
    flights = Flights(CARD, fatal, lambda jobs: None, Mock())
    landed, left = flight(ends)
    late, late_left = flight()
    flights.add(landed)
    flights.land(landed)
    flights.hand_on(landed)
    flights.add(late)
    assert isinstance(flights.error, DeviceFailed)
    fatal.assert_called_once_with("a device is in error: cuda:0", ("bad.pt",))
    for job in landed.jobs:
        job.outputs = None
    del landed, late
    assert all(each() is not None for each in left + late_left)


def test_memory_of_copies_is_freed_while_the_device_works():
    flights = Flights(CARD, Mock(), lambda jobs: None, Mock())
    landed, left = flight(ends=True, has_failed=False)
    landed.launch.progress.seconds = lambda: (0.0, 0.0)  # type: ignore[method-assign]
    flights.add(landed)
    flights.land(landed)
    flights.hand_on(landed)
    for job in landed.jobs:
        job.outputs = None
    del landed, job
    assert all(each() is None for each in left)
