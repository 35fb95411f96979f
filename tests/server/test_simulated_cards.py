"""Servers on simulated cards that fail, and that others fill: tests.simulated_card."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.simulated_card.state import State, is_simulated, open_state
from tests.support.client import Client, tensor
from tests.support.fetch import fetch
from tests.support.process import Process, wait_until
from tests.support.servables import SOURCES, scripted

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not is_simulated(), reason="this is for a simulated card"),
]
LAUNCH_FAILURE = 719
BODIES = {
    "echo.pt": [tensor([2], [1.0, 2.0])],
    "large.pt": [{"type": "scalar", "data_type": "int", "value": 1}],
}


@pytest.fixture
def state() -> Iterator[State]:
    state = open_state()
    yield state
    state.fault = state.faulty_card = state.stranger_bytes = 0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    scripted(*SOURCES["echo.pt"]).save(tmp_path / "echo.pt")
    scripted(
        "n: int", "int", "return int(torch.ones([n, 1 << 20], device='cuda').sum().item())"
    ).save(tmp_path / "large.pt")
    return tmp_path


def status(process: Process, model: str = "echo.pt", **parameters: str) -> int:
    with Client(process.url) as client:
        return client.post(model, BODIES[model], **parameters).status


def ups(process: Process) -> dict[str, bool]:
    """Whether each card serves in all workers, as the metrics tell it."""
    metrics = fetch(process.url, "/metrics")[2]
    found = re.findall(r'^torch_serving_device_up{device="(.*?)".*} (.*)$', metrics, re.MULTILINE)
    return {
        name: "0.0" not in [value for each, value in found if each == name] for name, _ in found
    }


def test_of_two_cards_one_fails_for_good(root: Path, state: State, start: Callable[..., Process]):
    devices = ("--device", "cuda:0,cuda:1")
    process = start(root, "--port", "0", *devices, SIMULATED_CARD_COUNT="2")
    assert [status(process, device=f"cuda:{card}") for card in (0, 1)] == [200, 200]
    state.faulty_card, state.fault = 2, LAUNCH_FAILURE
    assert status(process, device="cuda:1") == 503  # and the worker ends
    wait_until(lambda: "goes on without it" in process.stderr)
    assert {status(process) for _ in range(10)} == {200}
    assert ups(process) == {"cuda:0": True, "cuda:1": False}
    listed = fetch(process.url, "/models")[2]["devices"]
    assert [each["device"] for each in listed if not each["up"]] == ["cuda:1"]
    for _ in range(3):
        assert status(process, device="cuda:1") == 503
    assert status(process) == 200
    assert process.stderr.count("has failed (a device is in error") == 1


def test_the_only_card_fails_for_good_and_comes_back(
    root: Path, state: State, start: Callable[..., Process]
):
    process = start(root, "--port", "0", "--device", "cuda")
    assert status(process) == 200
    state.fault = LAUNCH_FAILURE
    assert status(process) == 503  # and the worker ends
    wait_until(lambda: "goes on without it" in process.stderr)
    for device in ({}, {"device": "cuda"}, {"device": "cuda:0"}):
        with Client(process.url) as client:
            response = client.post("echo.pt", BODIES["echo.pt"], **device)
        assert response.status == 503
        assert "`cuda` can't be used now" in response.document["detail"]
    assert status(process, device="cpu") == 200
    probes = ("/ready", "/v2/health/ready", "/v2/health/live", "/healthcheck")
    assert [fetch(process.url, path)[0] for path in probes] == [503, 503, 200, 200]
    assert ups(process) == {"cuda:0": False}
    state.fault = 0
    wait_until(lambda: fetch(process.url, "/ready")[0] == 200)
    wait_until(lambda: status(process) == 200)
    assert process.stderr.count("goes on without it") == 1
    assert "a device answers again" in process.stderr


def test_another_process_fills_the_card_and_leaves_it(
    root: Path, state: State, start: Callable[..., Process]
):
    process = start(root, "--port", "0", "--device", "cuda")
    assert status(process) == 200
    state.stranger_bytes = 1 << 50
    assert status(process, "large.pt") == 503
    assert status(process) == 200
    state.stranger_bytes = 0
    assert status(process, "large.pt") == 200
