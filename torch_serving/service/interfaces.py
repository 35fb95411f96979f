"""What transports call and say, and what the service asks of the processes that serve together."""

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from torch_serving.codecs.interfaces import Body, Response
from torch_serving.engine.interfaces import Completion, Invocation
from torch_serving.models.interfaces import ModelEvents
from torch_serving.telemetry._counters import MethodCounters, MethodNumbers
from torch_serving.telemetry.tracing import StepTime

Message = dict[str, Any]
ModelStatus = dict[str, Any]


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """A request for inference, whatever its transport: plain data that can be pickled."""

    model: str
    method: str = "forward"
    device: str | None = None  # None: the configured one
    content_type: str | None = None  # media type of the body; None: JSON
    accept: str | None = None  # media type of the response; None: JSON
    json_bytes: int | None = None  # of an Open Inference Protocol body; None: all of it
    timeout_s: float | None = None  # None: the limit for all requests
    reload_probability: float = 0.0  # that the model is loaded anew
    asked: str | None = None  # the name that its client used, where that is not the model's

    def meaning(self, identifier: str) -> "InferenceRequest":
        """The same request to a model, which its name means."""
        return meant_as(self, identifier)


@functools.lru_cache(1024)  # requests: clients send few different ones
def meant_as(request: InferenceRequest, identifier: str) -> InferenceRequest:
    return replace(request, model=identifier, asked=request.asked or request.model)


class Caller(Protocol):
    """Whoever made a request: a transport, or a program."""

    @property
    def steps(self) -> list[StepTime] | None:
        """What gets the times of its steps; None: nobody asks."""

    def timeout_s(self) -> float | None:
        """How long it waits, if it says so. Raises InvalidParameter."""

    def count_in(self, counters: MethodCounters) -> None:
        """Learn where to count the response."""


class ProgramCaller:
    """A program of Python in this process."""

    steps = None

    def __init__(self, timeout_s: float | None) -> None:
        self._timeout_s = timeout_s
        self.counters: MethodCounters | None = None

    def timeout_s(self) -> float | None:
        return self._timeout_s

    def count_in(self, counters: MethodCounters) -> None:
        self.counters = counters


class InferenceService(Protocol):
    """Runs requests. Its methods raise ServingError."""

    def resolve(self, request: InferenceRequest) -> Invocation | None:
        """Return what runs a request, or None if its model has to be loaded first."""

    def start(self, invocation: Invocation, body: Body, completion: Completion) -> None:
        """Start what `resolve` returned; `completion` gets the response or the error."""

    async def infer(self, request: InferenceRequest, body: Body) -> Response:
        """Run a request, loading its model if need be, and count it."""


class ModelManagement(Protocol):
    """Loads, unloads and lists models, in all workers. Its methods raise ServingError.

    Those that are no coroutines read files: they are not for an event loop.
    """

    async def load(
        self, model: str, device: str | None = None, timeout_s: float | None = None
    ) -> ModelStatus:
        """Load a model in all workers, or raise DeadlineExceeded."""

    async def load_if_needed(self, model: str) -> ModelStatus:
        """Start to load a model that is not in memory; return its status soon, loaded or not."""

    async def unload(self, model: str) -> ModelStatus:
        """Drop a model from the memory of all workers."""

    def names(self) -> list[str]:
        """The identifiers of all models below the root, in order."""

    def status(self, model: str) -> ModelStatus:
        """The status of one model."""

    def statistics(self, model: str | None = None) -> list[tuple[str, MethodNumbers | None]]:
        """The counters of `forward` of one model, or of all models; None: no counters yet."""

    def devices(self) -> list[dict[str, Any]]:
        """Each device in use, whether it serves, and its memory."""

    def list(self) -> list[ModelStatus]:
        """The status of all models below the root."""


class WorkerGroup(ModelEvents, Protocol):
    """The processes that serve together, as one of them sees it."""

    parent_slot: int  # of the counters

    def remaining_quarantine_s(self, name: str, /) -> float:
        """For how long a model is in quarantine; 0.0 if it is not."""

    def spare_slot(self) -> int:
        """The slot of the worker that waits for another one's place; -1 if there is none."""

    def incident_counts(self) -> dict[str, dict[str, int]]:
        """How often what happened to the processes, by name and cause."""

    def published(self) -> list[list[dict[str, Any]]]:
        """The lists that the processes published last, one for each process."""

    def listen(self, handle: Callable[[Message], Awaitable[Message]], /) -> None:
        """From now on, respond to messages of other processes with the results of `handle`."""

    def broadcast(self, message: Message, /) -> Awaitable[dict[int, Message]]:
        """Send a message to all other processes; return their responses by process.

        The response of a process that died or is too slow is {}.
        """
