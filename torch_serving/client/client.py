"""The client for threads."""

import ssl
import time
from typing import Any, TypeVar

from torch_serving.client import calls
from torch_serving.client.base import AnyClient, AnyModel
from torch_serving.client.calls import Options, Target, path_of
from torch_serving.client.exchange import (
    ConnectionLost,
    Pause,
    Request,
    Response,
    Sending,
    Steps,
)
from torch_serving.client.transport import Transport

T = TypeVar("T")


class Model(AnyModel["Client"]):
    """A method of a model, to be called like a function."""

    def __call__(self, /, *arguments: Any, **named: Any) -> Any:
        """Run the model; return what it returns, with arrays for tensors.

        Arguments are arrays, tensors, numbers, strings, None, images, and lists, tuples and
        dictionaries of them. Their data types are kept: a model of float32 wants float32.
        Raises TypeError or ValueError for a value that can't be sent, and `ServingError`.
        """
        steps = self._client.calls.infer(self._target, self._options, arguments, named)
        return self._client.run(steps)


class Client(AnyClient):
    """A server, for any number of threads; connections are kept and shared.

    `url` is `http://…`, `https://…` or `unix:/path.sock`. `timeout_s` is for a whole call, with all
    its tries, and the server knows it; None waits without end. `retries` are further tries after
    connections that failed and responses that name a time. `results` is `numpy` or `torch`.
    `repeatable`: models have no state, so calls that may have run are tried again, too. `verify` is
    a file of certificates or a context, `connections` the most at a time.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout_s: float | None = 60.0,
        retries: int = 3,
        results: str = "numpy",
        repeatable: bool = False,
        verify: bool | str | ssl.SSLContext = True,
        connections: int | None = None,
    ) -> None:
        options = Options(timeout_s, retries, results, repeatable)
        super().__init__(
            url, api_key=api_key, options=options, verify=verify, connections=connections
        )
        self._transport = Transport(self.connections)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def __getitem__(self, model: str) -> Model:
        """A model by its path below the server's root; nothing is asked yet."""
        return Model(self, Target(model), self.options)

    def models(self) -> list[dict[str, Any]]:
        """What `GET /models` tells of each model: `identifier`, `state`, `bytes`, …"""
        return self.run(calls.models(self.options))

    def describe(self, model: str) -> dict[str, Any]:
        """Methods, arguments, results and an example of a model, which is loaded for it."""
        return self._document(Request("GET", path_of(model)))

    def load(self, model: str, device: str = "") -> dict[str, Any]:
        """Load a model now; return what `describe` tells of its state."""
        return self._document(Request("POST", path_of(model, "/load", device)))

    def unload(self, model: str) -> dict[str, Any]:
        """Drop a model from memory; the next call loads it again."""
        return self._document(Request("DELETE", path_of(model)))

    def wait_until_ready(self, timeout_s: float = 60.0) -> None:
        """Wait until the server takes requests. Raises DeadlineExceeded."""
        self.run(calls.wait_until_ready(timeout_s))

    def _document(self, request: Request) -> dict[str, Any]:
        found: dict[str, Any] = self.run(calls.document(request, self.options))
        return found

    def run(self, steps: Steps[T]) -> T:
        """Do the steps of a call in this thread."""
        try:
            step = next(steps)
            while True:
                response, failure = self._do(step)
                step = steps.send(response) if failure is None else steps.throw(failure)
        except StopIteration as end:
            result: T = end.value
            return result

    def _do(self, step: Sending | Pause) -> tuple[Response | None, Exception | None]:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None, None
        try:
            return self._transport.send(step), None
        except (ConnectionLost, TimeoutError) as failure:
            return None, failure
