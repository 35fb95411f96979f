"""Where the time of a small request goes: `python -m benchmarks.server.budget`.

Requests go through protocol, application and engine as in the server, but to a transport that goes
nowhere, so that neither client nor kernel takes part. The time of a step is measured around it; the
protocol's is that of an application that responds at once.
"""

import asyncio
import gc
import io
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import uvloop
from uvicorn.server import ServerState

from benchmarks.support.payloads import SMALL_BODY, mlp
from torch_serving.config import Config
from torch_serving.engine.engine import Engine
from torch_serving.http import app
from torch_serving.http._connection import ConnectionSettings, HttpProtocol
from torch_serving.http.fast_path import FastPath
from torch_serving.models.backends.torchscript.program import TorchScriptProgram
from torch_serving.models.servable import Method, Servable
from torch_serving.service.runtime import Runtime
from torch_serving.telemetry._counters import MethodCounters, Statistics
from torch_serving.telemetry.access_log import AccessLog
from torch_serving.telemetry.responses import ResponseRecorder

IN_FLIGHT = (1, 8, 64)
ROUNDS, REQUESTS = 25, 640  # the best round counts
STEPS = ("decode", "run", "encode")
REQUEST = (
    b"POST /serve?servable_identifier=mlp.pt HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(SMALL_BODY)
) + SMALL_BODY


class Nowhere(asyncio.Transport):
    """Counts the responses written to all transports."""

    responses = 0

    def write(self, data: Any) -> None:
        assert data.startswith(b"HTTP/1.1 200"), data
        Nowhere.responses += 1

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name.endswith("name") else default


class Echo(torch.nn.Module):
    """Never runs inline, as it takes more than tensors."""

    def forward(self, x: torch.Tensor, n: int) -> torch.Tensor:
        return x


class Clock:
    """The time spent in each step."""

    def __init__(self) -> None:
        self.spent_s = dict.fromkeys(STEPS, 0.0)

    def around(self, step: str, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def timed(value: Any) -> Any:
            started_s = time.perf_counter()
            try:
                return function(value)
            finally:
                self.spent_s[step] += time.perf_counter() - started_s

        return timed


CLOCK = Clock()


async def respond_at_once(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


class FastPathThatRespondsAtOnce:
    counters = MethodCounters()
    headers = (("content-type", "application/json"),)

    def begin(
        self, path: str, query: bytes, headers: Any, body: bytearray, future: Any
    ) -> "FastPathThatRespondsAtOnce":
        asyncio.get_running_loop().call_soon(future.set_result, b"{}")
        return self


async def measure(
    state: ServerState, in_flight: int, application: Any, fast_path: Any
) -> list[float]:
    """Seconds of a request in total, and of each step."""
    responses = ResponseRecorder(Statistics(), AccessLog(io.StringIO()))
    settings = ConnectionSettings(
        application, responses, 1 << 20, 10.0, 60.0, 0.0, 75.0, fast_path=fast_path
    )
    connections = [HttpProtocol(settings, server_state=state) for _ in range(in_flight)]
    for protocol in connections:
        protocol.connection_made(Nowhere())
    best = [float("inf")]
    for _ in range(ROUNDS):
        CLOCK.spent_s = dict.fromkeys(STEPS, 0.0)
        started_s = time.perf_counter()
        for _ in range(REQUESTS // in_flight):
            expected = Nowhere.responses + in_flight
            for protocol in connections:
                protocol.get_buffer(-1)[: len(REQUEST)] = REQUEST
                protocol.buffer_updated(len(REQUEST))
            while Nowhere.responses < expected:
                await asyncio.sleep(0)
        total_s = time.perf_counter() - started_s
        best = min(best, [total_s, *CLOCK.spent_s.values()])
        await asyncio.sleep(0.001)
    for protocol in connections:
        protocol.connection_lost(None)
    return [each / REQUESTS for each in best]


async def budget() -> None:
    state = ServerState()
    with tempfile.TemporaryDirectory() as folder:
        mlp().save(Path(folder) / "mlp.pt")
        config = Config(model_root=Path(folder), threads=1, intra_op_threads=1)
        runtime = Runtime.build(config)
        engine = runtime.engine
        state.tasks = runtime.in_flight
        runtime.start()
        application = app.create_app(runtime)
        gc.collect()
        gc.freeze()
        fast_path = FastPath(runtime.inference, None)
        print(
            "| way, in flight | protocol | routing and engine | decode | forward | encode | all |"
        )
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for in_flight in IN_FLIGHT:
            await print_row(
                "application", state, in_flight, (respond_at_once, None), (application, None)
            )
        for in_flight in IN_FLIGHT:
            empty = (respond_at_once, FastPathThatRespondsAtOnce())
            total_s = await print_row(
                "fast path", state, in_flight, empty, (application, fast_path)
            )
        counting_s = counting()
        print(
            f"\nCounting for /metrics takes {counting_s * 1e6:.2f} of these µs: "
            f"{100 * counting_s / total_s:.1f} % at {in_flight} in flight."
        )
        print_hand_over(await hand_over(engine))
        runtime.close()


async def print_row(
    way: str, state: ServerState, in_flight: int, empty: tuple[Any, Any], whole: tuple[Any, Any]
) -> float:
    """Print µs of a request; return its seconds in total."""
    protocol_s, *_ = await measure(state, in_flight, *empty)
    total_s, *steps_s = await measure(state, in_flight, *whole)
    row = [protocol_s, total_s - protocol_s - sum(steps_s), *steps_s, total_s]
    cells = " | ".join(f"{seconds * 1e6:.1f}" for seconds in row)
    print(f"| {way}, {in_flight} | {cells} |", flush=True)
    return total_s


def counting() -> float:
    """Seconds to count one request."""
    counters = Statistics().counters(b"mlp.pt", b"forward")
    best = float("inf")
    for _ in range(ROUNDS):
        started_s = time.perf_counter()
        for _ in range(REQUESTS):
            for step in (2, 3, 4):
                counters.observe_step(step, 1e-5)
            counters.observe_batch(1)
            counters.observe_response(200, 1e-4)
        best = min(best, (time.perf_counter() - started_s) / REQUESTS)
    return best


async def hand_over(engine: Engine) -> dict[str, float]:
    """Seconds of a request inline, in an executor thread of the engine, and in run_in_executor."""
    program = TorchScriptProgram(torch.jit.script(Echo()))
    method = Servable(program, torch.device("cpu")).method("forward")
    body = b'[{"type":"tensor","value":[1]},{"type":"scalar","value":1}]'
    loop = asyncio.get_running_loop()
    executor = ThreadPoolExecutor(1)

    async def inline() -> None:
        engine.run(method, body)

    ways: dict[str, Callable[[], Awaitable[Any]]] = {
        "inline": inline,
        "engine": lambda: engine.submit(method, body),
        "executor": lambda: loop.run_in_executor(executor, engine.run, method, body),
    }
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        for name, way in ways.items():
            started_s = time.perf_counter()
            for _ in range(200):
                await way()
            best[name] = min(best[name], (time.perf_counter() - started_s) / 200)
    executor.shutdown()
    return best


def print_hand_over(best: dict[str, float]) -> None:
    engine, executor = (best[name] - best["inline"] for name in ("engine", "executor"))
    print(f"\nto another thread and back: an executor thread {engine * 1e6:.0f} µs, ", end="")
    print(f"run_in_executor {executor * 1e6:.0f} µs")


def main() -> None:
    init = Method.__init__

    def timed_init(self: Method, *arguments: Any) -> None:
        init(self, *arguments)
        for step in STEPS:
            setattr(self, step, CLOCK.around(step, getattr(self, step)))

    with mock.patch.object(Method, "__init__", timed_init):
        uvloop.run(budget())


if __name__ == "__main__":
    main()
