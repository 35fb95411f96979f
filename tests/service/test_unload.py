"""Nothing in a process keeps a model that was dropped: its memory goes back at once."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.support.client import in_threads
from tests.support.fake_device import FakeAccelerator
from tests.support.process import wait_until
from tests.support.servables import mlp
from torch_serving import Config, Runtime
from torch_serving.engine.accelerator import set_accelerator

CPU = torch.device("cpu")


@pytest.fixture(params=["cpu", "device"])
def where(request: pytest.FixtureRequest) -> Iterator[None]:
    """The CPU itself, or the executor of a device, which replays graphs."""
    set_accelerator(CPU, None if request.param == "cpu" else FakeAccelerator())
    yield
    set_accelerator(CPU, None)


@pytest.mark.usefixtures("where")
@pytest.mark.parametrize("batch", [(), ("*.pt",)])
def test_a_model_that_has_served_is_freed(tmp_path: Path, batch: tuple[str, ...]):
    mlp().save(tmp_path / "mlp.pt")
    gc.disable()
    try:
        with Runtime.build(Config(tmp_path, batch=batch)) as runtime:
            in_threads(
                8, lambda _: [runtime.infer("mlp.pt", [torch.zeros(1, 16)]) for _ in range(5)]
            )
            servable = runtime.models.get("mlp.pt", CPU)
            assert servable is not None
            held = [weakref.ref(each) for each in (servable, servable.program)]
            del servable
            assert runtime.models.unload("mlp.pt")
            wait_until(lambda: [each() for each in held] == [None, None])
    finally:
        gc.enable()
