"""Flights of a device that fails."""

import weakref
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from tests.support.fake_device import CUDA_ERROR
from torch_serving.engine.device_method import Launch
from torch_serving.engine.flights import Flight, Flights
from torch_serving.engine.job import Job
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


def flight(
    ends: bool = False, has_failed: bool = True, model: str = "bad.pt"
) -> tuple[Flight, list[Any]]:
    """A flight, and what is left of its tensors."""
    inputs, outputs = torch.ones(2), torch.ones(2)
    launch = Launch(Progress(ends, has_failed), [inputs], outputs, 0, 0)  # type: ignore[arg-type]
    job = Job(Mock(model=model), b"")
    left = [weakref.ref(inputs), weakref.ref(outputs)]
    return Flight([job], [0], launch), left


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


def test_results_that_are_handed_on_are_not_freed_either():
    """Their encoding may take longer than the device goes on."""
    flights = Flights(CARD, Mock(), lambda jobs: None, Mock())
    good, left = flight(ends=True, has_failed=False)
    good.launch.progress.seconds = lambda: (0.0, 0.0)  # type: ignore[method-assign]
    bad, _ = flight()
    for each in (good, bad):
        flights.add(each)
    flights.land(good)
    flights.hand_on(good)
    (job,) = good.jobs
    del good
    flights.land(bad)
    job.outputs = None
    assert left[1]() is not None


def test_a_device_that_fails_between_landing_and_handing_on():
    flights = Flights(CARD, Mock(), lambda jobs: None, Mock())
    landed, left = flight(ends=True, has_failed=False)
    flights.add(landed)
    flights.land(landed)
    flights.hand_on(landed)
    (job,) = landed.jobs
    assert job.has_run
    job.outputs = None
    del landed
    assert isinstance(flights.error, DeviceFailed)
    assert all(each() is not None for each in left)


def test_the_first_launch_that_did_not_end_is_to_blame():
    fatal = Mock()
    flights = Flights(CARD, fatal, lambda jobs: None, Mock())
    ended, guilty, last = (
        flight(ends=name == "ended.pt", has_failed=name == "last.pt", model=name)[0]
        for name in ("ended.pt", "guilty.pt", "last.pt")
    )
    for each in (ended, guilty, last):
        flights.add(each)
    flights.land(last)
    fatal.assert_called_once_with("a device is in error: cuda:0", ("guilty.pt",))
