"""From an `InferenceRequest` to a response: what all transports have in common."""

import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from torch_serving.codecs.interfaces import Body, Encoded, Response
from torch_serving.codecs.invocation import CodecInvocation
from torch_serving.codecs.media_types import OIP, PLAIN, codec_of, reader_of
from torch_serving.codecs.oip.invocation import OipInvocation
from torch_serving.codecs.python_values import Arguments, PythonInvocation, check_container
from torch_serving.engine.deadline import Deadline
from torch_serving.engine.devices import DevicePool
from torch_serving.engine.engine import Engine
from torch_serving.engine.interfaces import Completion, Invocation
from torch_serving.engine.job import Job
from torch_serving.errors import ServingError
from torch_serving.models.identifiers import NoSuchModel
from torch_serving.models.lifecycle import ModelLifecycle
from torch_serving.models.servable import Method, Servable
from torch_serving.service.interfaces import Caller, InferenceRequest, ProgramCaller
from torch_serving.service.loop_thread import LoopThread
from torch_serving.service.names import MeantRequests, resolve_request, resolve_request_blocking
from torch_serving.service.servables import Servables
from torch_serving.telemetry.responses import ResponseRecorder
from torch_serving.telemetry.step_log import log_steps, logs_steps
from torch_serving.telemetry.tracing import StepTime, Tracing


class Inference:
    """Finds methods, loading their models where need be, and has the engine run requests.

    For the thread of one event loop. `infer` is for any loop, `invocation_now` and `run` for any
    thread.
    """

    def __init__(
        self,
        models: ModelLifecycle,
        engine: Engine,
        devices: DevicePool,
        responses: ResponseRecorder,
        tracing: Tracing | None = None,
    ) -> None:
        self._models = models
        self._engine = engine
        self._devices = devices
        self.repository = models.repository
        self._servables = Servables(models, devices)
        self._known_device = models.repository.placement.known
        self._meant = MeantRequests()
        self._responses = responses
        self._followers: list[Callable[[str, Sequence[StepTime]], None]] = []  # of steps
        if tracing:
            self._followers.append(tracing.record)
        if logs_steps():
            self._followers.append(log_steps)
        self.loop_thread: LoopThread | None = None  # where the engine has a loop of its own

    @property
    def follows_steps(self) -> bool:
        """Whether steps are traced or logged, as only `submit` can."""
        return bool(self._followers)

    def resolve(self, request: InferenceRequest) -> Invocation | None:
        """Return what runs a request, or None if its model has to be loaded first.

        No coroutine, since most requests find their model. Raises InvalidServable, Quarantined,
        InvalidDevice or InvalidParameter if there is no such method.
        """
        if self.repository.other_names:
            request = self._with_identifier(request)
        device = self._known_device(request.model, self._devices, request.device)
        if device is None:
            return self._resolve_meant(request)
        servable = self._models.get(request.model, device, request.reload_probability)
        if servable is None:
            return None
        method = servable.method(request.method)
        if request.content_type is None and request.accept is None:
            return method
        return invocation_of(method, request)

    def _resolve_meant(self, request: InferenceRequest) -> Invocation | None:
        """Return what runs a request whose name left out a suffix, as it was found just now."""
        meant = self._meant.get(request)
        if meant is None:
            return None
        try:
            return self.resolve(meant)
        except NoSuchModel:  # another file may have come in its place
            self._meant.forget(request)
            return None

    def _with_identifier(self, request: InferenceRequest) -> InferenceRequest:
        """A request that names its model by an other name, with its identifier."""
        identifier = self.repository.other_names.get(request.model)
        return request.meaning(identifier) if identifier else request

    def deadline(self, timeout_s: float | None = None) -> Deadline:
        """When a request is due that comes now; `timeout_s` is what its client wishes."""
        limit_s = self._engine.request_timeout_s
        return Deadline(min(timeout_s or limit_s, limit_s))

    async def respond(self, request: InferenceRequest, body: Body, caller: Caller) -> Response:
        """Run a request, loading its model if need be. The caller counts it.

        Raises as `resolve`, loading and the engine do, and DeadlineExceeded; the load goes on then.
        """
        invocation = self.resolve(request)
        if invocation is None:
            return await self._respond_once_loaded(request, body, caller)
        timeout_s = caller.timeout_s()
        caller.count_in(invocation.counters)
        return await self.submit(invocation, body, timeout_s, caller.steps)

    async def _respond_once_loaded(
        self, request: InferenceRequest, body: Body, caller: Caller
    ) -> Response:
        meant = await resolve_request(self.repository, request)
        deadline = self.deadline(caller.timeout_s())
        found = None
        if meant is not request:
            self._meant.note(request, meant)
            found = self.resolve(meant)
        invocation = found or invocation_of(await self._load(meant, deadline), meant)
        caller.count_in(invocation.counters)
        return await self.submit(invocation, body, deadline.remaining_s(), caller.steps)

    async def servable(self, request: InferenceRequest, deadline: Deadline) -> Servable:
        """Return the model that a request names, loading it if need be."""
        return self._servables.loaded(request) or await self._servables.wait(request, deadline)

    async def _load(self, request: InferenceRequest, deadline: Deadline) -> Method:
        servable = await self._servables.wait(request, deadline)
        return after_cold_start(servable.method(request.method))

    def start(self, invocation: Invocation, body: Body, completion: Completion) -> None:
        """Start what `resolve` returned; `completion` gets the response or the error."""
        job = Job(invocation, body)
        job.completion = completion
        if self._devices.are_several:
            self._devices.acquire(invocation.device)
            job.on_end = partial(self._devices.release, invocation.device)
        self._engine.enqueue(job)

    async def submit(
        self,
        invocation: Invocation,
        body: Any,
        timeout_s: float | None = None,
        steps: list[StepTime] | None = None,
    ) -> Response:
        """Run what `resolve` returned. Raises as the engine does. The transport counts it.

        `steps` gets the times of its steps.
        """
        if self._followers or self._devices.are_several or steps is not None:
            return response_of(invocation, await self._observed(invocation, body, timeout_s, steps))
        return response_of(invocation, await self._engine.submit(invocation, body, timeout_s))

    async def _observed(
        self,
        invocation: Invocation,
        body: Body,
        timeout_s: float | None,
        steps: list[StepTime] | None,
    ) -> Encoded:
        if steps is None and self._followers:
            steps = []
        self._devices.acquire(invocation.device)
        try:
            return await self._engine.submit(invocation, body, timeout_s, steps)
        finally:
            self._devices.release(invocation.device)
            if steps:
                for follow in self._followers:
                    follow(invocation.model, steps)

    async def infer(self, request: InferenceRequest, body: Body) -> Response:
        """Run a request, loading its model if need be, and count it. For any event loop."""
        loop = self.loop_thread
        if loop is not None and not loop.is_current():
            return await loop.run_async(self.infer(request, body))
        self._check_call(request)
        return await self._recorded(partial(self.respond, request, body), request)

    async def infer_values(self, request: InferenceRequest, values: Arguments) -> Any:
        """Run a request whose arguments are values of Python; return the model's result."""
        self._check_call(request)
        respond = partial(self._respond_with_values, request, values)
        return (await self._recorded(respond, request)).body

    def _check_call(self, request: InferenceRequest) -> None:
        """Raise for what no transport does, but a program may: else it would wait for ever."""
        if not self._engine.is_started:
            raise RuntimeError("start the runtime first: `with Runtime.build(config) as runtime:`")
        for name in ("model", "method"):
            if not isinstance(value := getattr(request, name), str):
                raise TypeError(f"{name}: expected str, got {type(value).__name__}")
        if request.timeout_s is not None and not request.timeout_s > 0:
            raise ValueError(f"timeout_s: expected a number above 0, got {request.timeout_s}")

    async def _respond_with_values(
        self, request: InferenceRequest, values: Arguments, caller: Caller
    ) -> Response:
        check_container(values)
        deadline = self.deadline(caller.timeout_s())
        request = await resolve_request(self.repository, request)
        servable = self._servables.loaded(request)
        found = None if servable is None else servable.method(request.method)
        method = found or await self._load(request, deadline)
        caller.count_in(method.counters)
        return await self.submit(PythonInvocation(method), values, deadline.remaining_s())

    async def _recorded(
        self, respond: Callable[[Caller], Awaitable[Response]], request: InferenceRequest
    ) -> Response:
        """Run a request, and record its response: no transport does."""
        started_s = time.perf_counter()
        caller = ProgramCaller(request.timeout_s)
        status = 200
        try:
            return await respond(caller)
        except BaseException as error:
            status = error.status if isinstance(error, ServingError) else 500
            raise
        finally:
            self._responses.record(caller.counters, status, time.perf_counter() - started_s)

    # For threads that a server calls from.

    def invocation_now(self, request: InferenceRequest) -> Invocation:
        """Return what runs a request, loading its model in this thread's time if need be."""
        request = resolve_request_blocking(self.repository, request)
        found = self.resolve(request)
        if found is not None:
            return found
        servable = self._servables.wait_blocking(request, self._engine.request_timeout_s)
        return invocation_of(after_cold_start(servable.method(request.method)), request)

    def run(self, invocation: Invocation, body: Body) -> Response:
        """Run a request in this thread. Raises what its steps raise."""
        return response_of(invocation, self._engine.run(invocation, body))


def invocation_of(method: Method, request: InferenceRequest) -> Invocation:
    """What runs a request to a method in the request's media types."""
    if request.content_type is None and request.accept is None:
        return method
    if request.content_type == OIP:
        return OipInvocation(method, request.asked or request.model, request.json_bytes)
    reader = reader_of(request.content_type)
    if request.accept == PLAIN:
        return CodecInvocation(method, reader, None, plain=True)
    return CodecInvocation(method, reader, codec_of(request.accept))


def after_cold_start(method: Method) -> Method:
    """Count a request that waited for its model."""
    method.counters.count_cold_start()
    return method


def response_of(invocation: Invocation, encoded: Encoded) -> Response:
    return encoded if isinstance(encoded, Response) else Response(invocation.headers, encoded)
