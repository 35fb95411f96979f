"""Graphics cards and the processes: the parent uses none; workers open theirs after the fork."""

import logging
from pathlib import Path

import pytest
import torch

from tests.support.cuda_driver import Driver
from tests.support.servables import SOURCES, scripted
from torch_serving.config import Config
from torch_serving.engine.devices import device_of, open_device
from torch_serving.errors import (
    DeviceFailed,
    InvalidDevice,
    Overloaded,
    ServingError,
    StartupError,
)
from torch_serving.errors import OutOfMemory as Full
from torch_serving.server.concurrency import divide_cores, warn_of_workers
from torch_serving.server.main import PreforkState
from torch_serving.service.runtime import Runtime

NO_SOCKET = None


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("host.pt", "card.pt", "default.pt"):
        scripted(*SOURCES["echo.pt"]).save(tmp_path / name)
    (tmp_path / "host.toml").write_text('device = "cpu"\n')
    (tmp_path / "card.toml").write_text('device = "cuda:1"\n')
    return tmp_path


def config_of(root: Path, device: str) -> Config:
    return Config(model_root=root, device=device, preload=("*.pt",), workers=0, threads=1)


@pytest.mark.parametrize(
    ("device", "before", "after"),
    [
        ("cpu", ["default.pt on cpu", "host.pt on cpu"], ["card.pt on cuda:1"]),
        ("cuda", ["host.pt on cpu"], ["card.pt on cuda:1", "default.pt on cuda:0"]),
        (
            "cuda:0,cuda:1",
            ["host.pt on cpu"],
            ["card.pt on cuda:1", "default.pt on cuda:0", "default.pt on cuda:1"],
        ),
        (
            "cuda:1, cpu",
            ["host.pt on cpu"],
            ["card.pt on cuda:1", "default.pt on cuda:1", "default.pt on cpu"],
        ),
    ],
)
def test_what_is_not_on_the_cpu_is_preloaded_after_the_fork(
    root: Path, driver: Driver, device: str, before: list[str], after: list[str]
):
    state = PreforkState(config_of(root, device), NO_SOCKET)  # type: ignore[arg-type]
    state.reload()  # as at SIGHUP
    assert [f"{name} on {where}" for name, where in driver.loaded] == before * 2
    assert driver.counted == []
    assert driver.opened == []
    driver.loaded.clear()
    state.runtime.start()
    try:
        assert [f"{name} on {where}" for name, where in driver.loaded] == after
        assert set(driver.opened) == {each.strip() for each in device.split(",")} - {"cpu"} or (
            device in ("cpu", "cuda")
        )
    finally:
        state.runtime.close()


def test_a_server_for_the_cpu_opens_no_card(root: Path, driver: Driver):
    config = Config(model_root=root, device="cpu", preload=("host.pt",), threads=1)
    runtime = Runtime.build(config)
    runtime.start()
    runtime.close()
    assert driver.loaded == [("host.pt", "cpu")]
    assert driver.counted == []
    assert driver.opened == []


def test_cuda_in_the_parent_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    with pytest.raises(StartupError, match="preloaded for the CPU uses CUDA"):
        PreforkState(config_of(root, "cpu"), NO_SOCKET)  # type: ignore[arg-type]


ERRORS = [
    (RuntimeError("CUDA error: out of memory"), Full, "`cuda:1` is full: other processes"),
    (
        RuntimeError("CUDA error: CUDA-capable device(s) is/are busy or unavailable\nmore"),
        Overloaded,
        "`cuda:1` is in use by another process",
    ),
    (
        RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors might"),
        DeviceFailed,
        r"`cuda:1` is in error \(CUDA error: unspecified launch failure\)$",
    ),
]


@pytest.mark.parametrize(("cause", "error", "detail"), ERRORS)
def test_a_card_that_is_full_is_not_one_that_is_absent(
    driver: Driver, root: Path, cause: Exception, error: type[ServingError], detail: str
):
    driver.error = cause
    device = device_of("cuda:1")
    assert driver.opened == []  # a name is checked without the card
    with pytest.raises(error, match=detail) as raised:
        open_device(device)
    assert (raised.value.status, bool(raised.value.headers["Retry-After"])) == (503, True)
    with pytest.raises(StartupError, match=detail):
        Runtime.build(config_of(root, "cuda:1")).start()
    driver.error = None
    open_device(device)  # a failure is not remembered


def test_a_card_that_only_nvml_knows_costs_no_worker(driver: Driver):
    """Of several parts of cards, a process can use one."""
    open_device(torch.device("cuda:0"))  # CUDA has started
    driver.error = RuntimeError("CUDA error: invalid device ordinal\nGPU device may be out")
    with pytest.raises(InvalidDevice, match=r"`cuda:1` .*invalid device ordinal"):
        open_device(torch.device("cuda:1"))


@pytest.mark.parametrize("name", ["cuda:2", "cuda:99"])
def test_a_card_that_is_absent(driver: Driver, root: Path, name: str):
    with pytest.raises(InvalidDevice, match=f"`{name}` is not .*; it has cpu, cuda:0, cuda:1$"):
        device_of(name)
    with (
        pytest.raises(StartupError, match=f"`{name}` is not"),
        Runtime.build(config_of(root, name)),
    ):
        pass
    assert driver.opened == []


@pytest.mark.parametrize(
    ("cards_here", "device"), [(0, "cpu"), (1, "cuda:0"), (2, "cuda:0,cuda:1")]
)
def test_auto_takes_all_cards_or_the_cpu(
    root: Path, monkeypatch: pytest.MonkeyPatch, cards_here: int, device: str
):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards_here)
    runtime = Runtime.build(Config(model_root=root))
    assert runtime.device_names == device
    assert runtime.devices.are_several is (cards_here == 2)


@pytest.mark.parametrize(
    ("device", "workers", "expected"),
    [
        ("cuda:0", None, (1, 8, 1)),
        ("cuda:0,cuda:1", None, (1, 8, 1)),
        ("cuda:0", 2, (2, 8, 1)),
        ("cpu", None, (16, 1, 1)),
        ("cpu", 1, (1, 8, 2)),
    ],
)
def test_how_cores_are_divided(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    device: str,
    workers: int | None,
    expected: tuple[int, int, int],
):
    monkeypatch.setattr("torch_serving.server.concurrency.cores", lambda: 16)
    config = Config(device=device, workers=workers)
    assert divide_cores(config) == expected
    with caplog.at_level(logging.WARNING):
        warn_of_workers(config)
    assert ("CUDA context" in caplog.text) is (workers == 2)
    assert caplog.text.count("\n") <= 1
