"""What torch's allocator would meet where it asks NVML about the fabric of cards."""

import ctypes
from types import SimpleNamespace
from typing import Any

import pytest

from torch_serving.server import nvml


def library(
    missing: str = "",
    failing: str = "",
    cards: int = 2,
) -> SimpleNamespace:
    """An NVML that lacks a function, or in which one fails, for the last card if for any."""
    calls: list[str] = []

    def function(name: str) -> Any:
        def call(*arguments: Any) -> int:
            calls.append(name)
            if name == "nvmlDeviceGetCount_v2":
                arguments[0]._obj.value = cards
            if name == "nvmlDeviceGetHandleByIndex_v2":
                arguments[1]._obj.value = arguments[0] + 1
            if name == "nvmlDeviceGetGpuFabricInfoV":
                assert arguments[1].raw[:4] == b"\x24\0\0\2"
                return int(name == failing and arguments[0].value == cards)
            return int(name == failing)

        return call

    names = (
        "nvmlInit_v2",
        "nvmlShutdown",
        "nvmlDeviceGetCount_v2",
        "nvmlDeviceGetHandleByIndex_v2",
        "nvmlDeviceGetGpuFabricInfoV",
    )
    functions = {each: function(each) for each in names if each != missing}
    return SimpleNamespace(**functions, calls=calls)


@pytest.mark.parametrize(
    ("found", "tells"),
    [
        (library(), True),
        (library(cards=0), True),
        (library(missing="nvmlDeviceGetGpuFabricInfoV"), True),  # torch does not ask then
        (library(failing="nvmlDeviceGetGpuFabricInfoV"), False),
        (library(failing="nvmlDeviceGetHandleByIndex_v2"), False),
        (library(failing="nvmlDeviceGetCount_v2"), False),
        (library(failing="nvmlInit_v2"), False),
        (library(missing="nvmlInit_v2"), False),
        (None, False),
    ],
)
def test_segments_grow_only_where_torch_can_ask_about_each_card(
    monkeypatch: pytest.MonkeyPatch, found: SimpleNamespace | None, tells: bool
):
    def load(name: str) -> SimpleNamespace:
        if found is None:
            raise OSError(f"{name}: cannot open shared object file")
        return found

    monkeypatch.setattr(ctypes, "CDLL", load)
    assert nvml.tells_fabrics() is tells
    if found and "nvmlDeviceGetCount_v2" in found.calls:
        assert found.calls[-1] == "nvmlShutdown"
