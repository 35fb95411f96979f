"""A device with an executor in the place of the CPU."""

from collections.abc import Iterator

import pytest

from tests.support.device_engine import CPU, Accelerators
from tests.support.fake_device import FakeAccelerator
from torch_serving.engine.accelerator import set_accelerator
from torch_serving.engine.plain_accelerator import PlainAccelerator


def in_place_of_the_cpu(accelerator: Accelerators) -> Iterator[Accelerators]:
    set_accelerator(CPU, accelerator)
    yield accelerator
    set_accelerator(CPU, None)


@pytest.fixture
def late_device() -> Iterator[Accelerators]:
    yield from in_place_of_the_cpu(FakeAccelerator())


@pytest.fixture(params=["late", "plain"])
def device(request: pytest.FixtureRequest) -> Iterator[Accelerators]:
    is_late = request.param == "late"
    yield from in_place_of_the_cpu(FakeAccelerator() if is_late else PlainAccelerator(CPU))
