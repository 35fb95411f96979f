"""One request on its way through the engine."""

import asyncio
from collections.abc import Callable
from typing import Any

from torch_serving.codecs.interfaces import Body, Encoded
from torch_serving.engine.interfaces import Completion, Invocation
from torch_serving.telemetry.tracing import StepTime


class Job:
    """A request, and what became of it so far.

    `body` is released once it is decoded, `outputs` once they are encoded: large ones must not be
    in memory together. `inputs` are kept: where memory was short, the job runs again.
    """

    __slots__ = (
        "__weakref__",
        "body",
        "body_bytes",
        "completion",
        "elapsed_s",
        "enqueued_s",
        "error",
        "has_run",
        "inputs",
        "invocation",
        "is_running",
        "is_shared",
        "on_end",
        "outputs",
        "response",
        "steps",
        "timeout_s",
        "timer",
    )

    def __init__(
        self,
        invocation: Invocation,
        body: Body,
        timeout_s: float | None = None,
        steps: list[StepTime] | None = None,
    ) -> None:
        self.invocation = invocation
        self.body = body  # empty once it is decoded
        self.body_bytes = len(body)
        self.inputs: list[Any] | None = None
        self.outputs: Any = None
        self.response: Encoded = b""
        self.error: Exception | None = None
        self.completion: Completion | None = None  # of whoever waits for it
        self.timeout_s = timeout_s  # if it is shorter than the limit for all requests
        self.timer: asyncio.TimerHandle | None = None  # its deadline, once it is enqueued
        self.enqueued_s = 0.0  # when an executor thread was asked to run it
        self.elapsed_s = 0.0  # of its steps so far
        self.steps = steps  # gets the time of each step, for a trace
        self.on_end: Callable[[], None] | None = None  # called once it has run, or will not run
        self.is_running = False  # in an executor thread
        self.has_run = False  # on a device; it is still to be encoded
        self.is_shared = False  # its run was one of several jobs
