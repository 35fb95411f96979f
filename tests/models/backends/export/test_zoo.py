"""Programs of all kinds give what their modules give, in every wire form and at every size."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.support.zoo.check import check_all_forms, check_requests_at_once
from tests.support.zoo.export import save_program
from tests.support.zoo.table import ZOO
from torch_serving import Config, InferenceRequest, Runtime
from torch_serving.engine.batcher import BatchState
from torch_serving.models.servable import Method

OPERATORS = "tests.support.zoo.operators"
NAMES = sorted(ZOO)
CERTAIN = [name for name in NAMES if not (ZOO[name].draws or ZOO[name].counts)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zoo")


@pytest.fixture(scope="module")
def runtime(root: Path) -> Iterator[Runtime]:
    config = Config(
        model_root=str(root), threads=1, model_capacity=10, imports=(OPERATORS,), queue=1000
    )
    with Runtime.build(config) as runtime:
        yield runtime


@pytest.mark.parametrize("name", NAMES)
def test_every_form_and_size_is_equal_to_eager(runtime: Runtime, root: Path, name: str):
    model = ZOO[name]
    save_program(model, root / f"{name}.pt2")
    program = runtime.models.preload(f"{name}.pt2", torch.device("cpu")).program
    assert "Python" not in program.runs if model.is_scripted else model.reason in program.runs
    assert bool(program.state) == model.counts
    check_all_forms(runtime, model, f"{name}.pt2", 0.0 if model.is_scripted else 1e-6)


@pytest.mark.parametrize("name", CERTAIN)
def test_requests_at_once_get_what_each_gets_alone(
    runtime: Runtime, root: Path, name: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("torch_serving.engine.inline_policy.SHORT_S", 0.0)  # none runs on the loop
    save_program(ZOO[name], root / f"{name}.pt2")
    check_requests_at_once(runtime, ZOO[name], f"{name}.pt2", count=8)
    method = runtime.inference.resolve(InferenceRequest(f"{name}.pt2"))
    assert isinstance(method, Method)
    if method.batcher is not None:
        assert (method.batcher.state is BatchState.OFF) == ZOO[name].mixes_rows
