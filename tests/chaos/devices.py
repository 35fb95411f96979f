"""The executor of a device, on the CPU: stamped requests that run in batches, fail, end early.

One device is late and has garbage where it was not waited for, the other one has plain memory.
"""

import asyncio
import io
import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import safetensors.numpy
import torch

from tests.chaos.stage import Stage, status_of
from tests.chaos.table import Row, Rows
from tests.support.fake_device import FakeAccelerator
from tests.support.loaded import method_of
from tests.support.servables import scripted
from torch_serving.codecs.interfaces import Response
from torch_serving.codecs.invocation import CodecInvocation
from torch_serving.codecs.npy import NPY
from torch_serving.codecs.oip.invocation import OipInvocation
from torch_serving.codecs.python_values import PythonInvocation
from torch_serving.codecs.safetensors import SAFETENSORS
from torch_serving.engine.accelerator import set_accelerator
from torch_serving.engine.engine import Engine
from torch_serving.engine.events import EngineEvents
from torch_serving.engine.interfaces import Invocation
from torch_serving.engine.plain_accelerator import PlainAccelerator
from torch_serving.errors import DeadlineExceeded, InferenceFailed, ServingError, ShuttingDown
from torch_serving.model_config import ModelConfig
from torch_serving.models.servable import Method

CPU = torch.device("cpu")
STAMPS, CLIENTS, LARGE = 1_000_000, 64, 5_000
GROWTH_KIB = 64 * 1024  # most that a process may grow by, of what allocators keep
# row by row; a negative stamp is refused
BODY = "assert bool((x >= 0).all()), 'negative'\n    return x * 2 + 1"
NAMED = "assert bool((x >= 0).all()), 'negative'\n    return {'y': x * 2 + 1}"


class Asked(NamedTuple):
    """A request, and what is to become of it."""

    invocation: Invocation
    body: Any
    expected: np.ndarray
    ending: str  # right, negative, broken, cancelled or late


def device_stamps(stage: Stage) -> Rows:
    """Each request carries numbers of its own; 1 in 13 fails, is cancelled or has no time."""
    count = stage.effort.count(STAMPS // 2, 2000)
    for name, accelerator in (("late", FakeAccelerator()), ("plain", PlainAccelerator(CPU))):
        with accelerated(accelerator):
            tormented = Tormented()
            asyncio.run(tormented.ask_all(count // 10))  # what is allocated once, is by now
            before_kib = status_of("self", "VmRSS")
            asyncio.run(tormented.ask_all(count))
            grown_kib = status_of("self", "VmRSS") - before_kib
            tormented.end()
        done = f"a {name} device: {CLIENTS} clients with stamps in 6 media types, {count} requests"
        yield Row(done, *tormented.figures(count // 10 + count))
        figure = f"{max(0, grown_kib) / 1024:.0f} MiB"
        yield Row(f"memory on a {name} device", figure, "64 MiB", grown_kib <= GROWTH_KIB)


@contextmanager
def accelerated(accelerator: FakeAccelerator | PlainAccelerator) -> Iterator[None]:
    """Methods that are made meanwhile run on an executor of their device."""
    set_accelerator(CPU, accelerator)
    try:
        yield
    finally:
        set_accelerator(CPU, None)


class Tormented:
    """An engine, its models, and what became of its requests."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.fatal: list[Any] = []
        self.in_flight: set[int] = set()
        self.methods = [
            made("Tensor", BODY, ModelConfig(batch=True)),
            made("Tensor", BODY, ModelConfig(batch=True, max_batch=5)),
            made("Dict[str, Tensor]", NAMED, ModelConfig(batch=True)),
            made("Tensor", BODY, ModelConfig()),
        ]
        events = EngineEvents(on_fatal=lambda *why: self.fatal.append(why))
        self.engine = Engine(2, in_flight=self.in_flight, events=events)
        self.engine.start()
        self._asked = 0

    async def ask_all(self, count: int) -> None:
        """Ask so many more, now and then of one client alone: its requests take another way."""
        end = self._asked + count
        while self._asked < end:
            alone = min(end, self._asked + count // 100)
            await self._client(alone)
            crowd = min(end, alone + count // 10)
            await asyncio.gather(*[self._client(crowd) for _ in range(CLIENTS)])
        while self.engine._dispatcher.jobs:  # of requests that were cancelled
            await asyncio.sleep(0.001)

    async def _client(self, end: int) -> None:
        while self._asked < end:
            self._asked += 1
            number = self._asked
            self.in_flight.add(number)
            try:
                await self._ask(number)
            finally:
                self.in_flight.discard(number)

    async def _ask(self, number: int) -> None:
        asked = request_of(number, self.methods)
        timeout_s = 1e-4 if asked.ending == "late" else None
        submitted = asyncio.ensure_future(
            self.engine.submit(asked.invocation, asked.body, timeout_s)
        )
        if asked.ending == "cancelled":
            for _ in range(number % 7):
                await asyncio.sleep(0)
            submitted.cancel()
        try:
            response = await submitted
        except (ServingError, asyncio.CancelledError) as error:
            self._judge_error(number, asked.ending, error)
        else:
            self._judge(number, asked, response)

    def _judge(self, number: int, asked: Asked, response: Any) -> None:
        self.outcomes["results"] += 1
        is_right = asked.ending not in ("negative", "broken")
        if not is_right or not np.array_equal(numbers_in(response), asked.expected):
            self.wrong.append(f"{number}: {asked.ending}, {response!r:.200}")

    def _judge_error(self, number: int, ending: str, error: BaseException) -> None:
        self.outcomes[type(error).__name__] += 1
        if not isinstance(error, ERRORS.get(ending, ())):
            self.wrong.append(f"{number}: {ending}, {error!r:.200}")

    def end(self) -> None:
        self.engine.close()
        self.engine.join(60)

    def figures(self, count: int) -> tuple[str, str, bool]:
        """The figure, the bound, and whether all is well."""
        numbers = [method.counters.numbers() for method in self.methods]
        steps = [each.steps for each in numbers]
        runs = sum(sum(each["forward"][0]) for each in steps)
        batched = sum(each.batches[1] for each in numbers)
        batches = sum(sum(each.batches[0]) for each in numbers)
        copies = sum(sum(each["copy"][0]) for each in steps)
        ends = sum(self.outcomes.values()) == count and self.engine._dispatcher.jobs == 0
        problems = [*self.fatal, *self.wrong][:3]
        fine = not problems and ends and runs == batched == copies and runs > batches > 0
        figure = f"{len(self.wrong)} wrong, {runs / max(1, batches):.1f} requests a run"
        ways = ", ".join(f"{count} × {name}" for name, count in self.outcomes.most_common())
        return f"{problems or figure}; {ways}", "0, some", fine


ERRORS: dict[str, tuple[type[BaseException], ...]] = {
    "negative": (InferenceFailed,),
    "broken": (ServingError,),
    "cancelled": (ShuttingDown, asyncio.CancelledError),
    "late": (DeadlineExceeded,),
}


def made(result: str, body: str, config: ModelConfig) -> Method:
    return method_of(scripted("x: Tensor", result, body), config)


def request_of(number: int, methods: list[Method]) -> Asked:
    """The request of a number: whatever is random about it depends on that alone."""
    dice = random.Random(number)
    method = dice.choice(methods)
    columns = LARGE if dice.random() < 0.002 else dice.choice((1, 1, 3, 40))
    x = np.arange(number, number + columns)[None, :].repeat(dice.choice((1, 1, 2, 7)), 0)
    ending = "right"
    if dice.random() < 1 / 13:
        ending = dice.choice(("negative", "broken", "cancelled", "late"))
    if ending == "negative":
        x[-1, -1] = -1
    invocation, body = dice.choice(WRITERS)(method, x)
    if ending == "broken":
        body = {} if isinstance(invocation, PythonInvocation) else body[: len(body) // 2]
    return Asked(invocation, body, x * 2 + 1, ending)


def as_json(method: Method, x: np.ndarray) -> tuple[Invocation, Any]:
    tensor = {"type": "tensor", "data_type": "int64", "shape": x.shape, "value": x.ravel().tolist()}
    return method, json.dumps([tensor]).encode()


def as_oip(method: Method, x: np.ndarray) -> tuple[Invocation, Any]:
    entry = {"name": "x", "shape": x.shape, "datatype": "INT64", "data": x.ravel().tolist()}
    return OipInvocation(method, "model", None), json.dumps({"inputs": [entry]}).encode()


def as_binary_oip(method: Method, x: np.ndarray) -> tuple[Invocation, Any]:
    size = {"binary_data_size": x.nbytes}
    entry = {"name": "x", "shape": x.shape, "datatype": "INT64", "parameters": size}
    wanted = {"binary_data_output": True}
    head = json.dumps({"inputs": [entry], "parameters": wanted}).encode()
    return OipInvocation(method, "model", len(head)), head + x.tobytes()


def as_safetensors(method: Method, x: np.ndarray) -> tuple[Invocation, Any]:
    body = safetensors.numpy.save({"x": np.ascontiguousarray(x)})
    return CodecInvocation(method, SAFETENSORS, SAFETENSORS), body


def as_npy(method: Method, x: np.ndarray) -> tuple[Invocation, Any]:
    file = io.BytesIO()
    np.save(file, x)
    return CodecInvocation(method, NPY, None), file.getvalue()


def as_values(method: Method, x: np.ndarray) -> tuple[Invocation, Any]:
    return PythonInvocation(method), {"x": x}


WRITERS = (as_json, as_oip, as_binary_oip, as_safetensors, as_npy, as_values)


def numbers_in(response: Any) -> np.ndarray:
    """The only tensor of a response, whatever its media type."""
    if isinstance(response, Response):  # V2 with binary data
        size = int(dict(response.headers)["inference-header-content-length"])
        (output,) = json.loads(response.body[:size])["outputs"]
        return np.frombuffer(response.body[size:], np.int64).reshape(output["shape"])
    if isinstance(response, bytes) and response[:1] != b"{":
        (array,) = safetensors.numpy.load(response).values()
        return np.asarray(array)
    if isinstance(response, bytes):
        return numbers_in_json(json.loads(response))
    return np.asarray(response["y"] if isinstance(response, dict) else response)


def numbers_in_json(document: Any) -> np.ndarray:
    if "outputs" in document:
        (output,) = document["outputs"]
        return np.array(output["data"], np.int64).reshape(output["shape"])
    result = document["result"]
    if result.get("type") != "tensor":  # a dictionary of one
        (result,) = list(tensors_below(result))
    return np.array(result["value"], np.int64).reshape(result["shape"])


def tensors_below(value: Any) -> Iterator[Any]:
    if isinstance(value, dict) and value.get("type") == "tensor":
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from tensors_below(part)
