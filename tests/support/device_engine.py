"""An engine whose device has an executor, on the CPU."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from tests.support.client import LIMIT_S
from tests.support.fake_device import FakeAccelerator
from torch_serving.engine.device_executor import DeviceExecutor
from torch_serving.engine.engine import Engine
from torch_serving.engine.events import EngineEvents
from torch_serving.engine.plain_accelerator import PlainAccelerator
from torch_serving.models.servable import Method

CPU = torch.device("cpu")
Accelerators = FakeAccelerator | PlainAccelerator


class Served:
    """An engine whose device was used once, and what it reported."""

    def __init__(self, engine: Engine, fatal: list[Any]) -> None:
        self.engine = engine
        self.fatal = fatal

    @property
    def executor(self) -> DeviceExecutor:
        (executor,) = self.engine._dispatcher.executors.all()
        return executor

    async def ask(self, model: Any, *bodies: Any) -> list[Any]:
        """Responses or errors of requests that are on their way at once."""
        asked = [self.engine.submit(model, body) for body in bodies]
        return await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), LIMIT_S)


@contextmanager
def served(**events: Any) -> Iterator[Served]:
    fatal: list[Any] = []
    events.setdefault("on_fatal", lambda *why: fatal.append(why))
    engine = Engine(2, in_flight=range(8), events=EngineEvents(**events))
    engine.start()
    try:
        yield Served(engine, fatal)
    finally:
        engine.close()
        engine.join(LIMIT_S)


def value_of(response: bytes) -> Any:
    return json.loads(response)["result"]["value"]


def values_of(responses: list[Any]) -> list[Any]:
    return [value_of(each) if isinstance(each, bytes) else each for each in responses]


def with_run(model: Method, run: Callable[..., Any]) -> Method:
    """The same method, whose program does something that TorchScript can't."""
    assert model.device_method is not None
    model.device_method._run = run
    model.device_method.graphs = None
    return model
