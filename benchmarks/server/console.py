"""What open consoles cost: `python -m benchmarks.server.console`.

Requests are sent in turn while nobody has a console open, and while ten have; the best of each
counts, as noise only ever slows down. What one sample takes is measured without a server.
"""

import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.support.compare import Ratio, record
from benchmarks.support.load import parser_of, require_wrk, write_script
from benchmarks.support.payloads import SMALL_BODY, mlp
from benchmarks.support.process import Running, check, start
from torch_serving.config import Config
from torch_serving.http.console.sampler import Sampler
from torch_serving.service.runtime import Runtime

CONSOLES = 10
CONNECTIONS = 16
LEAST = 0.98  # requests a second with consoles, of those without
MODELS = 1000
TIMES = 50
ASK = b"GET /console/stats HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"


@contextmanager
def open_console(port: int) -> Iterator[None]:
    """A client that reads each event."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(ASK)
        reader = threading.Thread(target=read_all, args=(connection,), daemon=True)
        reader.start()
        yield
        connection.shutdown(socket.SHUT_RDWR)
        reader.join()


def read_all(connection: socket.socket) -> None:
    while connection.recv(1 << 16):
        pass


def compare(server: Running, folder: Path, seconds: int, rounds: int) -> float:
    """Print the rates and CPU times of requests; return the ratio of the rates."""
    script = write_script(folder / "small.lua", SMALL_BODY)
    target = "/serve?servable_identifier=model.pt"
    server.under_load(target, CONNECTIONS, script, 1)
    found: dict[int, list[tuple[float, float]]] = {0: [], CONSOLES: []}
    for _ in range(rounds):
        for consoles, measured in found.items():
            with ExitStack() as stack:
                for _ in range(consoles):
                    stack.enter_context(open_console(server.port))
                measured.append(server.under_load(target, CONNECTIONS, script, seconds))
    rates = [max(rate for rate, _ in measured) for measured in found.values()]
    times = [min(cpu_us for _, cpu_us in measured) for measured in found.values()]
    print("| consoles | requests/s | CPU of a request, µs |\n| --- | --- | --- |")
    for consoles, rate, cpu_us in zip(found, rates, times, strict=True):
        print(f"| {consoles} | {rate:,.0f} | {cpu_us:.1f} |")
    return rates[1] / rates[0]


def best_us(function: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(TIMES):
        before = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - before)
    return best * 1e6


def measure_sample(folder: Path) -> None:
    """Print what a sample takes, and what the numbers of all models take when a page is opened."""
    runtime = Runtime.build(Config(model_root=folder, threads=1))
    for number in range(MODELS):
        counters = runtime.group.statistics.counters(f"{number}.pt".encode(), b"forward")
        counters.observe_response(200, 0.001)
    sampler = Sampler(runtime)
    sample_us = best_us(sampler.take)
    models_us = best_us(lambda: list(sampler.all_models()))
    print(f"{MODELS} models: a sample {sample_us:.0f} µs, all numbers {models_us / 1e3:.1f} ms")


def main() -> None:
    parser = parser_of("server.console", __doc__, rounds=5)
    arguments = parser.parse_args()
    require_wrk()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measure_sample(folder)
        mlp().save(folder / "model.pt")
        flags = ("--port", "{port}", "--threads", "1", "--log-level", "error")
        with start("torch_serving", name, *flags) as server:
            check(server.url("/serve?servable_identifier=model.pt"), SMALL_BODY)
            ratio = compare(server, folder, arguments.seconds, arguments.rounds)
    record("console.requests", Ratio(ratio, "more"))
    print(f"with {CONSOLES} consoles {ratio:.1%} of the requests (>= {LEAST:.0%})")
    sys.exit(ratio < LEAST)


if __name__ == "__main__":
    main()
