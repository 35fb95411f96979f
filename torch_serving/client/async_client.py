"""The client for asyncio."""

import asyncio
import ssl
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
from torch_serving.client.transport import AsyncTransport

T = TypeVar("T")


class AsyncModel(AnyModel["AsyncClient"]):
    """A method of a model, to be called and awaited."""

    async def __call__(self, /, *arguments: Any, **named: Any) -> Any:
        """Run the model, as `Model` does."""
        steps = self._client.calls.infer(self._target, self._options, arguments, named)
        return await self._client.run(steps)


class AsyncClient(AnyClient):
    """A server, for any number of tasks of one event loop; parameters are those of `Client`."""

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
        self._transport = AsyncTransport(self.connections)

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    def __getitem__(self, model: str) -> AsyncModel:
        """A model by its path below the server's root; nothing is asked yet."""
        return AsyncModel(self, Target(model), self.options)

    async def models(self) -> list[dict[str, Any]]:
        """What `GET /models` tells of each model: `identifier`, `state`, `bytes`, …"""
        return await self.run(calls.models(self.options))

    async def describe(self, model: str) -> dict[str, Any]:
        """Methods, arguments, results and an example of a model, which is loaded for it."""
        return await self._document(Request("GET", path_of(model)))

    async def load(self, model: str, device: str = "") -> dict[str, Any]:
        """Load a model now; return what `describe` tells of its state."""
        return await self._document(Request("POST", path_of(model, "/load", device)))

    async def unload(self, model: str) -> dict[str, Any]:
        """Drop a model from memory; the next call loads it again."""
        return await self._document(Request("DELETE", path_of(model)))

    async def wait_until_ready(self, timeout_s: float = 60.0) -> None:
        """Wait until the server takes requests. Raises DeadlineExceeded."""
        await self.run(calls.wait_until_ready(timeout_s))

    async def _document(self, request: Request) -> dict[str, Any]:
        found: dict[str, Any] = await self.run(calls.document(request, self.options))
        return found

    async def run(self, steps: Steps[T]) -> T:
        """Do the steps of a call in this task."""
        try:
            step = next(steps)
            while True:
                response, failure = await self._do(step)
                step = steps.send(response) if failure is None else steps.throw(failure)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _do(self, step: Sending | Pause) -> tuple[Response | None, Exception | None]:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None, None
        try:
            return await self._transport.send(step), None
        except (ConnectionLost, TimeoutError) as failure:
            return None, failure
