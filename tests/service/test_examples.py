"""Which examples a model's description has, and how often they are looked for."""

import asyncio
import itertools
import json
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.support.client import LIMIT_S, in_threads, tensor
from tests.support.process import wait_until
from tests.support.servables import mlp, scripted
from torch_serving.config import Config
from torch_serving.engine.engine import Engine
from torch_serving.models import examples as search
from torch_serving.models.examples import MAX_EXAMPLE_BYTES, given_example
from torch_serving.models.files import file_stat
from torch_serving.models.loader import load
from torch_serving.models.repository import ModelRepository
from torch_serving.models.servable import Servable
from torch_serving.models.settings import read_model_config
from torch_serving.models.trials import EXAMPLES_LIMIT_S, Request
from torch_serving.service import examples as module
from torch_serving.service.examples import Examples, Found
from torch_serving.service.runtime import Runtime

CPU = torch.device("cpu")
LINE = b'forward\t{"x":1}\n'


class Model:
    """A file, and what stands for a model that serves it."""

    def __init__(self, root: Path, name: str) -> None:
        (root / name).write_bytes(name.encode())
        self.root = root
        self.identifier = name

    def servable(self, methods: tuple[str, ...] = ("forward",), bytes_: int = 1) -> Servable:
        program = scripted("x: Tensor", "Tensor", "return x")
        program.save(self.root / "program")
        servable = load(self.root / "program", CPU)
        servable.identifier = self.identifier
        servable.file = file_stat((self.root / self.identifier).stat())
        servable.method_names = lambda: list(methods)  # type: ignore[method-assign]
        servable.bytes = lambda: bytes_  # type: ignore[method-assign]
        return servable


def examples_of(root: Path, find: Callable[[Request, int], list[bytes]]) -> Examples:
    examples = Examples(ModelRepository(root))
    examples.attach(find)
    return examples


def ask(examples: Examples, servable: Servable) -> Found:
    return asyncio.run(examples.of(servable))


def test_descriptions_join_one_search(tmp_path: Path):
    requests = []
    all_wait = threading.Event()

    def find(request: Request, descriptor: int) -> list[bytes]:
        requests.append(request)
        all_wait.wait(LIMIT_S)
        return [LINE]

    servable = Model(tmp_path, "m.pt").servable()
    examples = examples_of(tmp_path, find)
    arrived = threading.Barrier(8, all_wait.set)

    def describe(_: int) -> Found:
        arrived.wait(LIMIT_S)
        return ask(examples, servable)

    assert in_threads(8, describe) == [{"forward": b'{"x":1}'}] * 8
    assert ask(examples, servable) == {"forward": b'{"x":1}'}
    assert requests == [{"name": "m.pt", "examples_of": ("forward",)}]


def test_searches_come_one_by_one(tmp_path: Path):
    running, most = [], []

    def find(request: Request, descriptor: int) -> list[bytes]:
        running.append(request)
        most.append(len(running))
        threading.Event().wait(0.01)
        running.pop()
        return []

    models = [Model(tmp_path, f"{number}.pt").servable() for number in range(8)]
    examples = examples_of(tmp_path, find)
    assert in_threads(8, lambda number: ask(examples, models[number])) == [{}] * 8
    assert most == [1] * 8
    wait_until(lambda: not examples._is_searching)  # its thread ends, too


def test_what_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_REMEMBERED", 3)
    asked = []

    def find(request: Request, descriptor: int) -> list[bytes]:
        asked.append(request["name"])
        if len(asked) == 1:
            raise OSError("no process is left")
        return [b"forward\t{}\n", b'other\t{"x":']  # the process crashed then

    models = [Model(tmp_path, f"{number}.pt") for number in range(5)]
    examples = examples_of(tmp_path, find)
    found = [ask(examples, models[0].servable()) for _ in range(3)]
    assert found == [{}, {"forward": b"{}"}, {"forward": b"{}"}]
    assert asked == ["0.pt"] * 2  # that there was no process says nothing about the model
    for model in models:
        ask(examples, model.servable())
    assert len(examples._remembered) == 3
    (tmp_path / "4.pt").write_bytes(b"another version")
    ask(examples, models[4].servable())
    assert asked == ["0.pt"] * 2 + ["1.pt", "2.pt", "3.pt", "4.pt", "4.pt"]


def never(request: Request, descriptor: int) -> list[bytes]:
    raise AssertionError("it is not tried")


def test_what_is_not_tried(tmp_path: Path):
    examples = examples_of(tmp_path, never)
    large = Model(tmp_path, "large.pt").servable(bytes_=module.MAX_COPY_BYTES + 1)
    assert ask(examples, large) == {}
    changed = Model(tmp_path, "changed.pt")
    servable = changed.servable()
    (tmp_path / "changed.pt").write_bytes(b"not what serves")
    assert ask(examples, servable) == {}


def test_a_description_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ends = threading.Event()

    def find(request: Request, descriptor: int) -> list[bytes]:
        ends.wait(LIMIT_S)
        return [LINE]

    monkeypatch.setattr(module, "WAIT_S", 0.01)
    examples = examples_of(tmp_path, find)
    servable = Model(tmp_path, "m.pt").servable()
    assert ask(examples, servable) == {}
    monkeypatch.setattr(module, "MAX_WAITING", 0)
    assert ask(examples, Model(tmp_path, "another.pt").servable()) == {}
    ends.set()
    monkeypatch.setattr(module, "WAIT_S", LIMIT_S)
    assert ask(examples, servable) == {"forward": b'{"x":1}'}
    assert module.WAIT_S > EXAMPLES_LIMIT_S


def test_the_model_of_a_card_is_copied_to_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A request that is tried can break a device."""
    mlp().save(tmp_path / "mlp.pt")
    with Runtime.build(Config(model_root=tmp_path)) as runtime:
        asyncio.run(runtime.management.load("mlp.pt"))
        (servable,) = runtime.models.cache.values()
        servable.device = torch.device("cuda:0")
        devices = []
        jit_load = torch.jit.load

        def load_onto(path: Path, map_location: torch.device) -> torch.jit.ScriptModule:
            devices.append(map_location)
            return jit_load(path, map_location=map_location)

        monkeypatch.setattr(torch.jit, "load", load_onto)
        found = ask(runtime.examples, servable)
        assert json.loads(found["forward"]) == {"x": tensor([1, 16], [0] * 16)}
        assert devices == [CPU]


# Warm-up requests.

X = [1.0, 2.0]
NAMED = {"type": "tensor", "shape": [2], "value": X}


@pytest.mark.parametrize(
    ("arguments", "body", "example"),
    [
        ("x: Tensor", {"x": X}, {"x": X}),
        ("x: Tensor", {"x": X, "unknown": 1}, {"x": X}),
        ("x: Tensor", [NAMED], {"x": NAMED}),
        ("x: Tensor", NAMED, {"x": NAMED}),
        ("x: Tensor, n: int", [NAMED, 3], {"x": NAMED, "n": 3}),
        ("x: Tensor, n: int = 2", [NAMED], {"x": NAMED}),
        ("x: Tensor, n: int = 2", {"x": ["NaN"]}, {"x": ["NaN"]}),
        ("x: List[int]", [1, 2], {"x": [1, 2]}),
        ("x: List[int]", [[1, 2]], {"x": [1, 2]}),
        ("x: List[int]", [1], {"x": [1]}),
        ("x: Dict[str, int]", {"a": 1}, {"x": {"a": 1}}),
        ("x: str", {"x": "é"}, {"x": "é"}),
    ],
)
def test_a_warm_up_request_by_name(tmp_path: Path, arguments: str, body: Any, example: Any):
    servable = with_warm_up(tmp_path, arguments, json.dumps(body))
    given = given_example(servable)
    assert given is not None
    assert json.loads(given) == example
    assert Engine(1).run(servable.method("forward"), given)


@pytest.mark.parametrize(
    "warm_up",
    [
        f'{{"x": [{"1, " * MAX_EXAMPLE_BYTES}1]}}',  # too large for a description
        '{"x": [1e999]}',  # what JSON can't hold
        '{"x": ["NaN"], "n": 1e999}',
    ],
)
def test_warm_up_requests_that_are_no_examples(tmp_path: Path, warm_up: str):
    servable = with_warm_up(tmp_path, "x: Tensor, n: float = 1.0", warm_up)
    assert given_example(servable) is None


def with_warm_up(root: Path, arguments: str, body: str) -> Servable:
    """A model with warm-up requests that it was not loaded with, as not all of these work."""
    scripted(arguments, "int", "return 1").save(root / "m.pt")
    (root / "m.warmup.json").write_text(body)
    servable = load(root / "m.pt", CPU)
    servable.config = read_model_config(root / "m.pt", servable.config)
    return servable


def test_a_busy_machine_ends_no_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Time passes, though not for the thread that searches."""
    leap = itertools.count(step=2 * search.MAX_SEARCH_S).__next__
    clocks = dict.fromkeys(("time", "monotonic", "perf_counter", "process_time"), leap)
    monkeypatch.setattr(search, "time", SimpleNamespace(thread_time=lambda: 0.0, **clocks))
    layers = torch.nn.Conv2d(3, 1, 3), torch.nn.Flatten(), torch.nn.Linear(30 * 30, 1)
    torch.jit.script(torch.nn.Sequential(*layers)).save(tmp_path / "m.pt")
    [(_, found)] = search.find_examples(load(tmp_path / "m.pt", CPU), ["forward"])
    assert b"[1,3,32,32]" in found  # not the first that is tried
