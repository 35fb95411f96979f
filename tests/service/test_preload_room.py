"""Preloading more models than the cache keeps is told with the capacity that keeps them."""

from pathlib import Path

import pytest

from tests.support.servables import mlp
from torch_serving.config import Config
from torch_serving.service.runtime import Runtime


@pytest.mark.parametrize(
    ("patterns", "capacity", "buffer", "is_told"),
    [
        (("*.pt",), 3, 0, False),
        (("*.pt",), 2, 1, False),
        (("*.pt",), 2, 0, True),
        (("*.pt", "a.pt"), 3, 0, False),
        (("a.pt", "b.pt"), 2, 0, False),
        ((), 1, 0, False),
    ],
)
def test_room(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    patterns: tuple[str, ...],
    capacity: int,
    buffer: int,
    is_told: bool,
):
    for name in "abc":
        mlp().save(tmp_path / f"{name}.pt")
    config = Config(
        model_root=tmp_path,
        preload=patterns,
        model_capacity=capacity,
        buffer_size=buffer,
        device="cpu",
    )
    Runtime.build(config).close()
    told = "of which --model-capacity 2 keeps some only; --model-capacity 3 keeps all"
    assert (told in caplog.text) == is_told
