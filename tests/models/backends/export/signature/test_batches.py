"""Exported programs tell how many rows may run as one, and bring warm-up requests."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.export import Dim

from tests.support.exported import export, save
from torch_serving.engine.batcher import ON, UNVALIDATED
from torch_serving.engine.job import Job
from torch_serving.engine.steps import run_all
from torch_serving.errors import InvalidServable
from torch_serving.model_config import ModelConfig, WarmUp
from torch_serving.models.examples import given_example
from torch_serving.models.loader import load
from torch_serving.models.servable import Servable

CPU = torch.device("cpu")
AUTO = Dim.AUTO


class Model(torch.nn.Module):
    """`kind` is what it returns of a linear layer."""

    def __init__(self, kind: str = "") -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)
        self.kind = kind
        torch.nn.init.ones_(self.layer.weight)  # sums are exact in any order
        torch.nn.init.ones_(self.layer.bias)

    def forward(self, x: Any, y: Any = None) -> Any:
        z = self.layer(x)
        results: dict[str, Any] = {
            "constants": {"z": z, "n": 3, "none": None},
            "sum": z.sum(),
            "columns": z.T,
            "size": (z, x.shape[0]),
            "with y": z if y is None else z + y,
            "shape": z.expand(2, -1, -1),
        }
        return results.get(self.kind, z)


def batch(least: int = 1, most: int | None = 4) -> Any:
    return Dim("rows", min=least, max=most)


ROWS = torch.zeros(2, 3)
# kind of model, dynamic shapes, other argument: rows, or why not
PROGRAMS: list[tuple[str, Any, Any, int | None, str]] = [
    ("", {"x": {0: batch()}, "y": None}, None, 4, ""),
    ("", {"x": {0: batch(0, None)}, "y": None}, None, 32, ""),
    ("", {"x": {0: batch(1, 100)}, "y": None}, None, 32, ""),
    ("constants", {"x": {0: batch()}, "y": None}, None, 4, ""),
    ("", None, None, None, "dimension 0 of `x` is 2"),
    ("sum", {"x": {0: batch()}, "y": None}, None, None,
     "dimension 0 of the result is not there: it is a single number"),
    ("columns", {"x": {0: batch()}, "y": None}, None, None,
     "dimension 0 of the result is 2, not s77"),
    ("size", {"x": {0: batch()}, "y": None}, None, None, "a result is no tensor"),
    ("shape", {"x": {0: batch()}, "y": None}, None, None,
     "dimension 0 of the result is 2, not s77"),
    ("with y", {"x": {0: batch()}, "y": {}}, torch.zeros(2), None,
     "dimension 0 of `y` is 2, not s77"),
    ("with y", {"x": {0: batch()}, "y": {0: batch()}}, torch.zeros(2, 2), 4, ""),
]  # fmt: skip


def saved(folder: Path, kind: str = "", shapes: Any = None, other: Any = None) -> Path:
    path = folder / "model.pt2"
    return save(export(Model(kind), (ROWS, other), {}, shapes), path)


def served(path: Path, **config: Any) -> Servable:
    return load(path, CPU, ModelConfig(**config))


@pytest.mark.parametrize(("kind", "shapes", "other", "rows", "problem"), PROGRAMS)
def test_programs_tell_how_many_rows_may_run_as_one(
    tmp_path: Path, kind: str, shapes: Any, other: Any, rows: int | None, problem: str
) -> None:
    path = saved(tmp_path, kind, shapes, other)
    batcher = served(path).main_method().batcher
    assert (batcher and batcher.max_rows) == rows
    if problem:
        with pytest.raises(InvalidServable) as raised:
            served(path, batch=True)
        assert raised.value.detail == f"model.toml: `batch`: its rows can't run as one: {problem}"
        assert served(path, batch_by_flag=True).main_method().batcher is None
    else:
        assert served(path, batch=False).main_method().batcher is None
        small = served(path, max_batch=2).main_method().batcher
        assert small is not None
        assert small.max_rows == 2


def bodies(*rows: int) -> list[bytes]:
    return [json.dumps([[[float(count)] * 3] * count, None]).encode() for count in rows]


@pytest.mark.parametrize("kind", ["", "constants"])
def test_requests_that_run_together_stay_within_the_range(tmp_path: Path, kind: str) -> None:
    method = served(saved(tmp_path, kind, {"x": {0: batch()}, "y": None})).main_method()
    assert method.batcher is not None
    assert method.batcher.state is ON  # the sample inputs proved it
    sizes: list[int] = []
    run = method._run
    method._run = lambda *inputs: sizes.append(inputs[0].shape[0]) or run(*inputs)
    requests = bodies(1, 2, 3, 1, 2, 4, 1)
    jobs = [Job(method, body) for body in requests]
    run_all(jobs)
    assert [job.error for job in jobs] == [None] * len(jobs)
    assert max(sizes) == 4
    assert len(sizes) < len(jobs)
    alone = [method.encode(method.run(method.decode(body))) for body in requests]
    assert [job.response for job in jobs] == alone


def test_a_request_of_more_than_half_the_rows_proves_nothing(tmp_path: Path) -> None:
    path = saved(tmp_path, "", {"x": {0: batch(1, 3)}, "y": None})
    method = served(path, warmup=(WarmUp("m.toml", bodies(2)[0]),)).main_method()
    assert method.batcher is not None
    assert method.batcher.state is UNVALIDATED
    method.run(method.decode(bodies(1)[0]))
    assert method.batcher.state is ON


def test_sample_inputs_warm_up_and_are_the_example(tmp_path: Path) -> None:
    servable = served(saved(tmp_path, "", {"x": {0: batch()}, "y": None}))
    example = given_example(servable)
    assert example is not None
    assert json.loads(example) == {
        "x": {"type": "tensor", "data_type": "float32", "shape": [2, 3], "value": [0.0] * 6}
    }
    with_request = served(
        saved(tmp_path, "", {"x": {0: batch()}, "y": None}),
        warmup=(WarmUp("m.toml", bodies(1)[0]),),
    )
    assert given_example(with_request) == b'{"x":[[1.0,1.0,1.0]],"y":null}'


class Counter(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: Any) -> Any:
        self.calls += 1
        return x + self.calls


def test_what_keeps_state_is_not_run_unasked(tmp_path: Path) -> None:
    method = served(save(export(Counter(), (ROWS,)), tmp_path / "counter.pt2")).main_method()
    assert method.run([ROWS]).tolist() == [[1.0] * 3] * 2


class Partial(torch.nn.Module):
    def forward(self, x: Any) -> Any:
        return x / x.shape[0]


def test_sample_inputs_that_fail_are_no_problem(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(method: Any, *_: Any) -> None:
        raise InvalidServable("the sample inputs of the program: Inference error: no")

    monkeypatch.setattr("torch_serving.models.warmup.warm_up_with", fail)
    with caplog.at_level(logging.WARNING):
        served(saved(tmp_path))
    assert "not warmed up: the sample inputs of the program: Inference error: no" in caplog.text


def test_the_loader_keeps_small_sample_inputs_only(tmp_path: Path) -> None:
    path = save(export(Partial(), (torch.zeros(1100, 1024),)), tmp_path / "large.pt2")
    assert load(path, CPU).program.sample_inputs is None
