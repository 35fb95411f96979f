"""What every transport calls, and what the service asks of the processes that serve together."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from torch_serving.codecs.interfaces import Body, Response
from torch_serving.engine.interfaces import Completion, Invocation
from torch_serving.models.interfaces import ModelEvents
from torch_serving.telemetry._counters import MethodNumbers

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


class InferenceService(Protocol):
    """Runs requests."""

    def resolve(self, request: InferenceRequest) -> Invocation | None:
        """Return what runs the request, or None if its model has to be loaded first."""

    def start(self, invocation: Invocation, body: Body, completion: Completion) -> None:
        """Start what `resolve` returned; `completion` gets the response or the error."""

    async def infer(self, request: InferenceRequest, body: Body) -> Response:
        """Run a request, loading its model if need be."""


class ModelManagement(Protocol):
    """Loads, unloads and lists models, in all workers."""

    async def load(self, model: str, device: str | None = None) -> ModelStatus: ...

    async def unload(self, model: str) -> ModelStatus: ...

    def statistics(self, model: str | None = None) -> list[tuple[str, MethodNumbers | None]]: ...

    def list(self) -> list[ModelStatus]: ...


class WorkerGroup(ModelEvents, Protocol):
    """The processes that serve together, as one of them sees it."""

    parent_slot: int  # of the counters

    def remaining_quarantine_s(self, name: str, /) -> float:
        """For how long a model is in quarantine; 0.0 if it is not."""

    def published(self) -> list[list[dict[str, Any]]]:
        """What each process published last."""

    def listen(self, handle: Callable[[Message], Awaitable[Message]], /) -> None:
        """Respond to the others' messages with what `handle` returns, from now on."""

    def broadcast(self, message: Message, /) -> Awaitable[dict[int, Message]]:
        """Send a message to all others; return their responses, {} from one that has none."""

    def request_restart(self, reason: str, /) -> None:
        """Ask for another process in place of this one, which has become useless."""
