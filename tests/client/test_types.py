"""Values of all types that a model may take, there and back."""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.same_values import same
from tests.support.typed_models import CASES, Case, Envelope, Pairs, Point, file_of
from torch_serving.client import Client, calls


@pytest.fixture(scope="module")
def typed(typed_models: Path, start_for_module: Any) -> Iterator[Client]:
    flags = ["--port", "0", "--no-trial-load", "--model-capacity", "1000"]
    with Client(start_for_module(typed_models, *flags).url) as client:
        yield client


def plain(value: Any) -> Any:
    """A case's value as a caller has it."""
    if isinstance(value, Envelope):
        return plain(value.value)
    if isinstance(value, Pairs):
        return {hashable(key): plain(each) for key, each in value.members}
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, tuple):
        made = [plain(each) for each in value]
        return type(value)(*made) if hasattr(value, "_fields") else tuple(made)
    return value


def hashable(key: Any) -> Any:
    return tuple(key.tolist()) if isinstance(key, np.ndarray) else key


def as_result(value: Any) -> Any:
    """The same as it comes back."""
    if isinstance(value, dict):
        return {key: as_result(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_result(each) for each in value]
    if isinstance(value, Enum | torch.device):
        return getattr(value, "name", str(value))
    return value


def can_be_said(case: Case) -> bool:
    """Arrays are no keys in Python, and nobody knows what type the keys of an empty one have."""
    is_empty = isinstance(case.value, Pairs) and not case.value.members
    return not case.type.startswith("Dict[Tensor") and not is_empty


SAID = list(filter(can_be_said, CASES))


@pytest.mark.parametrize("case", SAID, ids=[f"{i}-{case.type}" for i, case in enumerate(SAID)])
@pytest.mark.parametrize("large_bytes", [0, 1 << 60], ids=["nested", "json"])
def test_types(typed: Client, case: Case, large_bytes: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(calls, "LARGE_BYTES", large_bytes)
    typed.calls._gives_much.clear()
    value = plain(case.value)
    echo = typed[file_of(case.type)]
    same(as_result(value), as_result(echo(value)))
    same(as_result(value), as_result(echo(v=value)))


@pytest.mark.parametrize("large_bytes", [0, 1 << 60], ids=["nested", "json"])
def test_named_tuples(typed: Client, large_bytes: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(calls, "LARGE_BYTES", large_bytes)
    typed.calls._gives_much.clear()
    came = typed["Point.pt"](Point(np.ones(2, np.float32), 3))
    assert type(came).__name__ == "Point"
    assert (came.x.tolist(), came.n) == ([1, 1], 3)
