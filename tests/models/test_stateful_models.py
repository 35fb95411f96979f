"""Models that keep something, or differentiate: each client gets its own numbers."""

import functools
import json
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, Tuple  # noqa: UP035 (TorchScript reads them)

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.support.batching import body_of
from tests.support.client import in_a_thread
from tests.support.loaded import CPU, method_of
from torch_serving.cli.main import main
from torch_serving.codecs.interfaces import Encoded
from torch_serving.engine.accelerator import set_accelerator
from torch_serving.engine.guarded_runs import one_at_a_time
from torch_serving.engine.job import Job
from torch_serving.engine.plain_accelerator import PlainAccelerator
from torch_serving.engine.steps import run_all
from torch_serving.model_config import ModelConfig
from torch_serving.models.loader import load
from torch_serving.models.servable import Method
from torch_serving.service.description import describe


class Fill(torch.nn.Module):
    """Returns a buffer of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("work", torch.zeros(1, 2))

    def forward(self, x: Tensor) -> Tensor:
        self.work.copy_(x)
        return self.work

    @torch.jit.export
    def read(self) -> Tensor:
        return self.work


class Remember(torch.nn.Module):
    seen: Dict[str, Tensor]  # noqa: UP006

    def __init__(self) -> None:
        super().__init__()
        self.seen = {}

    def forward(self, x: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        self.seen["x"] = x
        return self.seen


class Force(torch.nn.Module):
    """The gradient of an energy."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:  # noqa: UP006
        x.requires_grad_(True)
        energy = self.layer(x).pow(2).sum(1)
        gradient = torch.autograd.grad([energy.sum()], [x])[0]
        assert gradient is not None
        return energy, -gradient


def values(response: Encoded) -> Any:
    result = json.loads(response)["result"]
    if isinstance(result, list):
        return [each["value"] for each in result]
    value = result["value"]
    return {key: value[key]["value"] for key in value} if isinstance(value, dict) else value


def answers(method: Method, *numbers: float) -> list[Any]:
    """The answers to requests that share a turn."""
    jobs = [Job(method, body_of(number, number)) for number in numbers]
    in_a_thread(run_all, jobs)
    assert [job.error for job in jobs] == [None] * len(jobs)
    return [values(job.response) for job in jobs]


def test_a_buffer_that_is_returned_holds_each_requests_own_numbers():
    method = method_of(torch.jit.script(Fill()))
    assert answers(method, 1, 2, 3) == [[1, 1], [2, 2], [3, 3]]


def test_a_dictionary_that_is_kept_and_returned():
    method = method_of(torch.jit.script(Remember()))
    assert answers(method, 1, 2) == [{"x": [1, 1]}, {"x": [2, 2]}]


def test_batches_and_the_event_loop_are_not_for_models_that_keep_something():
    method = method_of(torch.jit.script(Fill()), ModelConfig(batch=True))
    assert method.batcher is None
    assert not method.inline.bounded
    assert not method.inline_for("v2 json").bounded


@pytest.mark.parametrize("stateful", [None, True, False])
def test_the_configuration_overrules_what_was_seen(stateful: bool | None):
    config = ModelConfig(stateful=stateful)
    seen = method_of(torch.jit.script(Fill()), config)
    assert seen.inline.bounded is (stateful is False)
    unseen = method_of(torch.jit.script(torch.nn.Linear(2, 2)), config)
    assert unseen.inline.bounded is (stateful is not True)


def test_ordinary_methods_run_without_anything_between():
    method = method_of(torch.jit.script(torch.nn.Linear(2, 2)))
    assert isinstance(method._run, torch._C.ScriptMethod)


def test_a_device_runs_it_as_well():
    set_accelerator(CPU, PlainAccelerator(CPU))
    try:
        method = method_of(torch.jit.script(Fill()))
    finally:
        set_accelerator(CPU, None)
    assert method.device_method is not None
    assert method.device_method.graphs is None
    launches = [method.device_method.launch([[torch.full((1, 2), n)]], 0) for n in (1.0, 2.0)]
    assert [launch.outputs.tolist() for launch in launches] == [[[1, 1]], [[2, 2]]]


@pytest.mark.parametrize(
    ("config", "has_graphs"),
    [(ModelConfig(), True), (ModelConfig(stateful=True), False), (ModelConfig(grad=True), False)],
)
def test_what_the_configuration_says_keeps_graphs_away(config: ModelConfig, has_graphs: bool):
    set_accelerator(CPU, PlainAccelerator(CPU))
    try:
        method = method_of(torch.jit.script(torch.nn.Linear(2, 2)), config)
    finally:
        set_accelerator(CPU, None)
    assert method.device_method is not None
    assert (method.device_method.graphs is not None) is has_graphs


def test_runs_of_one_model_never_overlap():
    running, overlaps = 0, 0

    def run(x: Tensor) -> Tensor:
        nonlocal running, overlaps
        running += 1
        overlaps += running > 1
        torch.ones(200, 200) @ torch.ones(200, 200)  # lets go of the GIL
        running -= 1
        return x

    run_alone = one_at_a_time(run, threading.Lock())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run_alone, [torch.ones(1)] * 100))
    assert overlaps == 0


@pytest.mark.parametrize("kept", [torch.zeros(1), np.zeros(1)])
def test_results_stay_as_they_were(kept: Any):
    def run(x: Any) -> Any:
        kept[:] += x
        return [kept]

    run_alone = one_at_a_time(run, threading.Lock())
    first, second = run_alone(1), run_alone(1)
    assert (first[0], second[0]) == (1, 2)


def test_an_error_lets_the_next_run_begin():
    run = one_at_a_time(lambda x: x if x is not None else 1 / 0, threading.Lock())
    with pytest.raises(ZeroDivisionError):
        run(None)
    assert run(torch.ones(1)) == 1


def test_it_is_said_where_people_look(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
):
    torch.jit.script(Fill()).save(tmp_path / "fill.pt")
    with caplog.at_level(logging.INFO):
        servable = load(tmp_path / "fill.pt", CPU)
    assert describe(servable, {})["stateful"] == "`work`"
    assert caplog.messages == ["fill.pt keeps state (`work`): its requests run one at a time"]
    with pytest.raises(SystemExit):
        main(["inspect", str(tmp_path / "fill.pt")])
    assert "keeps state (`work`): requests run one at a time" in capsys.readouterr().out


def in_a_new_thread(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test where no test before it has left inference mode on."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        in_a_thread(functools.partial(test, **fixtures))

    return run


def check_forces(method: Method, module: Any) -> None:
    energy, force = module(torch.tensor([[3.0, 3.0]]))
    for _ in range(4):  # torch compiles in the first ones
        for got in answers(method, 3, 3):
            torch.testing.assert_close(torch.tensor(got[0]), energy.detach())
            torch.testing.assert_close(torch.tensor(got[1]), force[0])


@in_a_new_thread
def test_a_model_may_differentiate():
    module = torch.jit.script(Force())
    check_forces(method_of(module), module)


@in_a_new_thread
def test_a_frozen_model_may_differentiate_if_its_configuration_says_so():
    module = torch.jit.script(Force().eval())
    check_forces(method_of(module, ModelConfig(grad=True)), module)
    with pytest.raises(AssertionError):
        check_forces(method_of(module, ModelConfig(grad=False)), module)


@in_a_new_thread
def test_gradients_in_batches():
    module = torch.jit.script(Force())
    method = method_of(module, ModelConfig(batch=True))
    check_forces(method, module)
    assert method.batcher is not None
    assert method.batcher.state.value == "on"
    check_forces(method, module)
