"""What can be asked of a server: each as the steps of `exchange`, for both clients."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from torch_serving.client.bodies import Arguments, Body, arguments_of
from torch_serving.client.errors import (
    DeadlineExceeded,
    InvalidRequest,
    InvalidResponse,
    ServingError,
    Unavailable,
    Unreachable,
)
from torch_serving.client.exchange import Deadline, Pause, Request, Response, Steps, ask
from torch_serving.client.results import result_of

FIRST_LOOK_S, MAX_LOOK_S = 0.02, 0.5  # between two looks whether a server is ready
# How results are asked for that are likely to be large: small ones are as fast in JSON.
NESTED = "application/vnd.safetensors; profile=nested, application/json;q=0.5"
LARGE_BYTES = 16 << 10
# What the server tells before the model runs: numbers stand for a tensor, or a binary body can't
# say all that JSON can.
ASKS_FOR_A_TENSOR = re.compile(
    r".* (?:got an object|got the string \"scalar\"|this may be) \(?argument .*\bTensor\b"
)
ASKS_FOR_JSON = re.compile(r"a \.npy body holds one tensor|.* has no form as tensors; use JSON")


class Options(NamedTuple):
    """How calls are made. `results` is `numpy` or `torch`; `repeatable`: calls may run twice."""

    timeout_s: float | None = 60.0
    retries: int = 3
    results: str = "numpy"
    repeatable: bool = False


class Target(NamedTuple):
    """A method of a model, on a device; empty is the server's choice."""

    model: str
    method: str = ""
    device: str = ""

    @property
    def path(self) -> str:
        query = {"servable_identifier": self.model, "method": self.method, "device": self.device}
        return f"/serve?{urlencode({key: value for key, value in query.items() if value})}"


class Calls:
    """What one client has learned of a server, and what it asks."""

    def __init__(self) -> None:
        self._json_only: set[tuple[str, str]] = set()  # methods that no binary body fits
        self._numbers_are_tensors: set[tuple[str, str]] = set()  # and lists of them, in JSON
        self._gives_much: set[tuple[str, str]] = set()  # methods whose results are large
        self._names: dict[tuple[str, str], list[str]] = {}  # of arguments

    def infer(
        self, target: Target, options: Options, positional: tuple[Any, ...], named: dict[str, Any]
    ) -> Steps[Any]:
        """Run a model. Raises TypeError for a value that can't be sent, and ServingError."""
        deadline = Deadline(options.timeout_s)
        if positional and named:
            named = yield from self._all_by_name(target, options, deadline, (positional, named))
            positional = ()
        arguments = arguments_of(positional, named)
        response = yield from self._ask_in_any_form(target, options, deadline, arguments)
        return result_of(response, options.results)

    def _ask_in_any_form(
        self, target: Target, options: Options, deadline: Deadline, arguments: Arguments
    ) -> Steps[Response]:
        method = (target.model, target.method)
        while True:
            are_tensors = method in self._numbers_are_tensors
            body = arguments.body(method not in self._json_only, are_tensors)
            try:
                return (yield from self._ask(target, options, deadline, body))
            except InvalidRequest as error:
                if body.is_binary and ASKS_FOR_JSON.match(error.detail):
                    self._json_only.add(method)
                elif arguments.have_numbers and not are_tensors and wants_tensor(error):
                    self._numbers_are_tensors.add(method)
                else:
                    raise

    def _ask(
        self, target: Target, options: Options, deadline: Deadline, body: Body
    ) -> Steps[Response]:
        method = (target.model, target.method)
        is_large = body.size >= LARGE_BYTES or method in self._gives_much
        accept = NESTED if is_large else ""
        request = Request("POST", target.path, body, options.repeatable, accept)
        response = yield from ask(request, deadline, options.retries)
        if len(response.body) >= LARGE_BYTES:
            self._gives_much.add(method)
        return response

    def _all_by_name(
        self,
        target: Target,
        options: Options,
        deadline: Deadline,
        given: tuple[tuple[Any, ...], dict[str, Any]],
    ) -> Steps[dict[str, Any]]:
        """Arguments by position as arguments by name, which the server tells once."""
        positional, named = given
        method = (target.model, target.method)
        if method not in self._names:
            request = Request("GET", path_of(target.model))
            response = yield from ask(request, deadline, options.retries)
            self._names[method] = names_in(document_of(response), target)
        names = self._names[method]
        if len(positional) > len(names):
            raise TypeError(f"{target.model} takes {len(names)} arguments, {names}")
        by_name = dict(zip(names, positional, strict=False))
        twice = by_name.keys() & named.keys()
        if twice:
            raise TypeError(f"{target.model}: argument `{min(twice)}` was given twice")
        return {**by_name, **named}


def wants_tensor(error: InvalidRequest) -> bool:
    """Whether a tensor stands there in the model, and numbers or lists of them in the call."""
    return bool(ASKS_FOR_A_TENSOR.match(error.detail))


def names_in(description: Mapping[str, Any], target: Target) -> list[str]:
    """The names of a method's arguments."""
    name = target.method or "forward"
    method = description.get("methods", {}).get(name)
    if method is None:
        raise InvalidRequest("Invalid parameter", f"`{target.model}` has no method `{name}`")
    return [argument["name"] for argument in method["arguments"]]


def path_of(model: str, action: str = "", device: str = "") -> str:
    """The path of one model's resource."""
    query = f"?{urlencode({'device': device})}" if device else ""
    return f"/models/{quote(model)}{action}{query}"


def document(request: Request, options: Options) -> Steps[Any]:
    """Get what a resource tells."""
    response = yield from ask(request, Deadline(options.timeout_s), options.retries)
    return document_of(response)


def models(options: Options) -> Steps[list[dict[str, Any]]]:
    """Get what the server tells of each model."""
    found = yield from document(Request("GET", "/models"), options)
    listed: list[dict[str, Any]] = found["models"]
    return listed


def document_of(response: Response) -> Any:
    try:
        return json.loads(response.body)
    except ValueError as error:
        raise InvalidResponse("Unreadable response", str(error), status=response.status) from None


def wait_until_ready(timeout_s: float) -> Steps[None]:
    """Ask until the server is ready. Raises DeadlineExceeded, which says what it still was."""
    deadline, pause_s = Deadline(timeout_s), FIRST_LOOK_S
    problem: ServingError | None = None
    while True:
        try:
            yield from ask(Request("GET", "/ready"), deadline, 0)
        except (Unreachable, Unavailable) as error:
            problem = error
        except DeadlineExceeded:  # of the last try: the one before it says more
            if problem is None:
                raise
        else:
            return
        if deadline.is_before(pause_s):
            late = f"after {timeout_s:g} s: {problem}"
            raise DeadlineExceeded("Not ready", late) from problem
        yield Pause(pause_s)
        pause_s = min(MAX_LOOK_S, pause_s * 1.5)
