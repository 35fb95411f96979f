"""Processes that were forked from one have random numbers of their own."""

from pathlib import Path
from typing import Any, cast

import torch

from torch_serving.config import Config
from torch_serving.server.worker import run_transport
from torch_serving.service.runtime import Runtime


class Draw:
    """A transport that serves nothing."""

    def __init__(self, drawn: list[float]) -> None:
        self._drawn = drawn

    def run(self, listeners: Any) -> None:
        self._drawn.append(torch.rand([]).item())


def test_workers_do_not_repeat_each_others_random_numbers(tmp_path: Path):
    drawn: list[float] = []
    for _ in range(3):
        torch.manual_seed(7)  # what a parent hands on
        runtime = Runtime.build(Config(model_root=tmp_path))
        run_transport(lambda _: cast(Any, Draw(drawn)), cast(Any, None), runtime)
    assert len(set(drawn)) == 3
