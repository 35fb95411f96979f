"""Which cards `auto` takes, and what is said of a build of torch, a driver or a card that fails."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.support.servables import SOURCES, scripted
from torch_serving.config import Config
from torch_serving.engine.devices import device_of, not_here, open_device, why_no_cards
from torch_serving.errors import InvalidDevice
from torch_serving.server import cards
from torch_serving.server.cards import Cards, look_in_child
from torch_serving.server.check import check
from torch_serving.service.alone import Alone
from torch_serving.service.runtime import Runtime

H100, GTX_1080 = (9, 0), (6, 1)
BUILT_FOR = ["sm_75", "sm_80", "sm_90a", "compute_90"]
TOO_OLD = "it has compute capability 6.1, and torch .* is built for 7.5 and above"


class Machine:
    """A double of a build of torch for CUDA, a driver, and cards."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.capabilities = [H100]
        self.error: Callable[[], object] = bool  # of what starts CUDA
        self.has_started = False
        self.code = BUILT_FOR
        empty = torch.empty

        def fake_empty(*shape: int, device: object = None, **others: object) -> torch.Tensor:
            if torch.device(str(device or "cpu")).type == "cuda":
                self.start()
            return empty(*shape, **others)  # type: ignore[arg-type]

        monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
        monkeypatch.setattr(torch.cuda, "init", self.start)
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: self.has_started)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(self.capabilities))
        monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: self.code)
        monkeypatch.setattr(
            torch.cuda, "get_device_capability", lambda device: self.capabilities[device.index]
        )
        monkeypatch.setattr(torch, "empty", fake_empty)

    def start(self) -> None:
        self.error()
        self.has_started = True

    def fail_with(self, text: str) -> None:
        def fail() -> None:
            raise RuntimeError(text)

        self.error = fail


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    device_of.cache_clear()
    why_no_cards.cache_clear()
    yield Machine(monkeypatch)
    device_of.cache_clear()
    why_no_cards.cache_clear()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    scripted(*SOURCES["echo.pt"]).save(tmp_path / "echo.pt")
    return tmp_path


NO_DRIVER = (
    "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and installed "
    "a driver from http://www.nvidia.com/Download/index.aspx"
)
OLD_DRIVER = (
    "The NVIDIA driver on your system is too old (found version 12020). Please update your GPU "
    "driver by downloading and installing a new version from the URL: http://www.nvidia.com"
)
UNEXPECTED = (
    "Unexpected error from cudaGetDeviceCount(). Did you run some cuda functions before calling "
    "NumCudaDevices() that might have already set an error? Error 802: system not yet initialized"
)
UNKNOWN = "CUDA unknown error - an environment, e.g. changing CUDA_VISIBLE_DEVICES. Setting the"
FAILURES = [
    (NO_DRIVER, "Found no NVIDIA driver on your system", logging.INFO),
    ("No CUDA GPUs are available", "No CUDA GPUs are available", logging.INFO),
    (OLD_DRIVER, "The NVIDIA driver on your system is too old (found version 12020)", 30),
    (UNEXPECTED, "Error 802: system not yet initialized", logging.WARNING),
    (UNKNOWN, "CUDA unknown error - an environment, e.g. changing CUDA_VISIBLE_DEVICES", 30),
]


def usable_cards() -> list[int]:
    cards = look_in_child()
    cards.log()
    return cards.usable


@pytest.mark.parametrize(("error", "reason", "level"), FAILURES)
def test_auto_says_why_torch_uses_no_card(
    machine: Machine, caplog: pytest.LogCaptureFixture, error: str, reason: str, level: int
):
    machine.fail_with(error)
    caplog.set_level(logging.INFO)
    assert usable_cards() == []
    assert [(each.levelno, each.message) for each in caplog.records] == [
        (level, f"--device auto: torch {torch.__version__} uses no card: {reason}")
    ]


@pytest.mark.parametrize(("error", "reason", "level"), FAILURES)
def test_a_card_that_is_named_says_why_torch_uses_none(
    machine: Machine, error: str, reason: str, level: int
):
    machine.fail_with(error)
    with pytest.raises(InvalidDevice) as raised:
        open_device(torch.device("cuda:0"))  # NVML knows of one
    assert raised.value.detail == f"`cuda:0` can't be used: {reason}"
    machine.capabilities = []
    expected = f"`cuda` is not a device of this machine; it has cpu ({reason})"
    assert not_here("cuda").detail == expected
    assert not_here("warp").detail == "`warp` is not a device of this machine; it has cpu"


def test_a_request_for_a_card_ends_no_worker_where_cuda_does_not_start(
    machine: Machine, root: Path, monkeypatch: pytest.MonkeyPatch
):
    ended: list[object] = []
    monkeypatch.setattr(Alone, "request_restart", lambda *what: ended.append(what))
    machine.fail_with(OLD_DRIVER)
    with (
        Runtime.build(Config(model_root=root, device="cpu", threads=1)) as runtime,
        pytest.raises(InvalidDevice, match="`cuda:0` can't be used: The NVIDIA driver"),
    ):
        runtime.infer("echo.pt", [torch.ones(1)], device="cuda")
    assert ended == []


def test_a_torch_without_cuda(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: False)
    monkeypatch.setattr(cards, "DRIVER", tmp_path / "version")
    assert (usable_cards(), caplog.messages) == ([], [])
    cards.DRIVER.touch()
    assert usable_cards() == []
    assert caplog.messages == [
        f"--device auto: torch {torch.__version__} uses no card: it is built without CUDA"
    ]


def test_cards_are_looked_at_in_a_child(machine: Machine):
    machine.capabilities = [H100, H100]
    assert look_in_child() == Cards([0, 1], {})
    assert not machine.has_started
    machine.error = lambda: os.kill(os.getpid(), 9)
    assert look_in_child().problem.endswith("ended with signal SIGKILL")


def test_a_driver_that_does_not_answer_is_told(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    answer, told = os.pipe()
    machine.error = lambda: os.read(answer, 1)
    monkeypatch.setattr(cards, "SLOW_S", 0.01)
    monkeypatch.setattr(cards.logger, "warning", lambda *_: os.write(told, b"."))
    assert look_in_child() == Cards([0], {})
    os.close(answer)
    os.close(told)


@pytest.mark.parametrize(
    ("capabilities", "code", "usable"),
    [
        ([H100, GTX_1080], BUILT_FOR, [0]),
        ([GTX_1080, H100], BUILT_FOR, [1]),
        ([(7, 5), (12, 0), (16, 3)], BUILT_FOR, [0, 1, 2]),  # the driver may compile for newer ones
        ([GTX_1080], ["sm_50"], [0]),
        ([GTX_1080], ["gfx90a"], [0]),
        ([GTX_1080], [], [0]),
    ],
)
def test_auto_leaves_out_cards_that_this_torch_has_no_code_for(
    machine: Machine,
    caplog: pytest.LogCaptureFixture,
    capabilities: list[tuple[int, int]],
    code: list[str],
    usable: list[int],
):
    machine.capabilities, machine.code = capabilities, code
    assert usable_cards() == usable
    assert len(caplog.records) == len(capabilities) - len(usable)
    if caplog.records:
        index = capabilities.index(GTX_1080)
        assert f"leaves out `cuda:{index}`: it has compute capability 6.1" in caplog.text
    for index in range(len(capabilities)):
        if index in usable:
            open_device(torch.device("cuda", index))
        else:
            with pytest.raises(InvalidDevice, match=f"`cuda:{index}` can't be used: {TOO_OLD}"):
                open_device(torch.device("cuda", index))


@pytest.mark.parametrize(
    ("device", "error", "code", "report"),
    [
        ("auto", "", 0, "--device auto leaves out `cuda:1`: it has compute"),
        ("cuda", "", 0, ""),
        ("cuda:0, cpu", "", 0, ""),
        ("cpu", OLD_DRIVER, 0, ""),
        ("cuda:1", "", 2, "`cuda:1` can't be used: it has compute capability 6.1"),
        ("cuda:7", "", 2, "`cuda:7` is not a device of this machine; it has cpu, cuda:0, cuda:1"),
        ("auto", OLD_DRIVER, 0, "uses no card: The NVIDIA driver on your system is too old"),
        ("auto", NO_DRIVER, 0, ""),
        ("cpu,cuda", OLD_DRIVER, 2, "`cuda` can't be used: The NVIDIA driver on your system"),
    ],
)
def test_check_looks_for_cards_and_opens_none(
    machine: Machine, root: Path, device: str, error: str, code: int, report: str
):
    machine.capabilities = [H100, GTX_1080]
    if error:
        machine.fail_with(error)
    said: list[str] = []
    config = Config(model_root=root, device=device, port=0)
    assert check(config, said.append) == code
    assert [report in each for each in said] == [True] * bool(report)
    assert not machine.has_started
