"""A server with cards that fail for good: the others, and the CPU, go on."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.client import LIMIT_S
from tests.support.cuda_driver import Driver
from tests.support.servables import SOURCES, scripted
from torch_serving.config import Config
from torch_serving.engine import devices
from torch_serving.engine.devices import device_of, open_device
from torch_serving.errors import DeviceFailed, StartupError
from torch_serving.http.probes.health import Ready
from torch_serving.models._cache import Cache
from torch_serving.models.interfaces import NoEvents
from torch_serving.models.lifecycle import ModelLifecycle
from torch_serving.models.repository import ModelRepository
from torch_serving.server import main
from torch_serving.server.main import PreforkState
from torch_serving.service.interfaces import InferenceRequest
from torch_serving.service.runtime import Runtime
from torch_serving.service.servables import Servables

FAILED = RuntimeError("CUDA error: unspecified launch failure")
FULL = RuntimeError("CUDA error: out of memory")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("one.pt", "placed.pt"):
        scripted(*SOURCES["echo.pt"]).save(tmp_path / name)
    (tmp_path / "placed.toml").write_text('device = "cuda:1"\n')
    return tmp_path


@contextmanager
def started(root: Path, devices: str, may_lack_devices: bool) -> Iterator[Runtime]:
    config = Config(model_root=root, device=devices, preload=("*.pt",), threads=1)
    runtime = Runtime.build(config)
    try:
        runtime.start(may_lack_devices=may_lack_devices)
        yield runtime
    finally:
        runtime.close()


def break_card(driver: Driver) -> None:
    driver.error, driver.broken = FAILED, {"cuda:1"}


def remove_card(driver: Driver) -> None:
    driver.cards = 1


@pytest.mark.parametrize("fail", [break_card, remove_card])
def test_a_worker_that_starts_later_goes_on_with_the_other_cards(
    root: Path, driver: Driver, caplog: pytest.LogCaptureFixture, fail: Callable[[Driver], None]
):
    fail(driver)
    starting = started(root, "cuda:0,cuda:1", may_lack_devices=True)
    with caplog.at_level(logging.ERROR), starting as runtime:
        runtime.devices.check_some_serve()
        assert runtime.devices.choose() == torch.device("cuda:0")
        devices = {each["device"]: each["up"] for each in runtime.management.devices()}
        assert devices["cuda:1"] is False
        metrics = runtime.metrics.text().decode()
    for device, value in (("cuda:0", "1.0"), ("cuda:1", "0.0")):
        assert f'torch_serving_device_up{{device="{device}",worker="0"}} {value}\n' in metrics
    assert ("one.pt", "cuda:0") in driver.loaded
    first, second = (record.getMessage() for record in caplog.records)
    assert "`cuda:1`" in first
    assert "goes on without it" in first
    assert second.startswith("placed.pt is not preloaded: ")
    assert "`cuda:1` is" in second


@pytest.mark.parametrize(
    ("error", "devices", "may_lack_devices"),
    [
        (FAILED, "cuda:0,cuda:1", False),  # as it starts first, somebody reads what it says
        (FULL, "cuda:0,cuda:1", True),  # it may have room in a moment
    ],
)
def test_a_worker_that_does_not_start(
    root: Path, driver: Driver, error: Exception, devices: str, may_lack_devices: bool
):
    driver.error, driver.broken = error, {"cuda:1"}
    with (
        pytest.raises(StartupError, match="`cuda:1` is"),
        started(root, devices, may_lack_devices),
    ):
        pass


def break_all(driver: Driver) -> None:
    driver.error = FAILED


def remove_all(driver: Driver) -> None:
    driver.cards = 0


@pytest.mark.parametrize("fail", [break_all, remove_all])
def test_a_worker_that_starts_later_without_any_card_serves_the_cpu(
    root: Path,
    driver: Driver,
    monkeypatch: pytest.MonkeyPatch,
    fail: Callable[[Driver], None],
):
    monkeypatch.setattr(devices, "why_no_cards", lambda: "")  # it is remembered
    (root / "placed.toml").write_text('device = "cuda"\n')
    fail(driver)
    with started(root, "cuda", may_lack_devices=True) as runtime:
        opened = len(driver.opened)
        servables = Servables(runtime.models, runtime.devices)
        asked = [("one.pt", None), ("one.pt", "cuda"), ("one.pt", "cuda:0"), ("placed.pt", None)]
        for model, device in asked:
            request = InferenceRequest(model, device=device)
            with pytest.raises(DeviceFailed, match=r"`cuda` can't be used now: .*device=cpu"):
                servables.loaded(request) or servables.wait_blocking(request, LIMIT_S)
        assert len(driver.opened) == opened  # it would fail again, and may take its time
        assert servables.wait_blocking(InferenceRequest("one.pt", device="cpu"), LIMIT_S)
        is_out = {each["device"]: not each["up"] for each in runtime.management.devices()}
        ready = Ready(lambda: True, runtime.devices)
        with pytest.raises(DeviceFailed, match="`cuda` can't be used now"):
            asyncio.run(ready.on_get(None, None))  # type: ignore[arg-type]
    assert is_out == {"cpu": False, "cuda:0": True}


def test_workers_may_lack_a_card_once_the_server_has_served(
    root: Path, monkeypatch: pytest.MonkeyPatch
):
    started: list[bool] = []
    monkeypatch.setattr(main, "run_transport", lambda *found: started.append(found[-1]))
    config = Config(model_root=root, device="cpu", workers=0, threads=1, ready_fd=None)
    state: Any = PreforkState(config, None)  # type: ignore[arg-type]
    monkeypatch.setattr(main, "url_of", lambda *_: "http://here")
    state.serve_in_worker(None)
    state.announce()
    state.serve_in_worker(None)
    assert started == [False, True]


class Events(NoEvents):
    def __init__(self) -> None:
        super().__init__()
        self.fatal: list[Any] = []

    def request_restart(self, *reported: Any) -> None:
        self.fatal.append(reported)


def test_a_request_for_a_failed_card_costs_no_worker(root: Path, driver: Driver):
    """Nothing of this process is on the card: a new one would be no better."""
    break_card(driver)
    events = Events()
    models = ModelLifecycle(ModelRepository(root), Cache(2, 0, 0), events, use_device=open_device)
    try:
        with pytest.raises(DeviceFailed, match="`cuda:1` is in error"):
            models.load("one.pt", device_of("cuda:1")).result()
    finally:
        models.close()
    assert events.fatal == []
