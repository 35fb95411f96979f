"""Throughput and latency of the running server, beside a baseline in the same run.

Both are measured in turn, several times, and the best of each counts, as noise only ever slows
down. Workloads without a baseline are measured alone.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.support.compare import Ratio, record
from benchmarks.support.load import load, parser_of, require_wrk, write_script
from benchmarks.support.payloads import IMAGE_BODY, SMALL_BODY, TOKENS_BODY, conv, mlp, transformer
from benchmarks.support.process import Running, check, start

EXAMPLE = Path(__file__).parents[2] / "example"
MANY_MODELS = 100
ON_EXECUTOR = "benchmarks.server.apps.on_executor"
CHURN = """
local number = 0
request = function()
    number = (number + 1) % {count}
    return wrk.format(nil, "/serve?servable_identifier=" .. number .. ".pt")
end
"""


@dataclass(frozen=True)
class Server:
    """Flags of our server; None: the empty responder."""

    flags: tuple[str, ...] | None = ()
    module: str = "torch_serving"


@dataclass(frozen=True)
class Workload:
    name: str
    save: Callable[[Path], None]  # saves the models in a folder
    body: bytes
    connections: tuple[int, ...]
    ours: Server = Server()
    baseline: Server | None = None
    target: str = "model.pt"
    least: dict[int, float] | None = None  # connections -> target ratio
    script: str = ""  # an addition to wrk's script


def save(module: Callable[[], torch.jit.ScriptModule]) -> Callable[[Path], None]:
    return lambda folder: module().save(folder / "model.pt")


def save_example(folder: Path) -> None:
    command = [sys.executable, EXAMPLE / "create_model.py", folder / "model.pt"]
    subprocess.run(command, check=True, capture_output=True)


def save_many(folder: Path) -> None:
    for number in range(MANY_MODELS):
        mlp().save(folder / f"{number}.pt")


WORKLOADS = (
    Workload(
        "MLP / empty responder",
        save(mlp),
        SMALL_BODY,
        (1, 8, 64, 512),
        baseline=Server(None),
        least={1: 0.5, 8: 0.6, 64: 0.6},
    ),
    Workload(
        "MLP, 2 workers / 1",
        save(mlp),
        SMALL_BODY,
        (8, 64),
        ours=Server(("--workers", "2")),
        baseline=Server(),
        least={8: 1.7, 64: 1.7},
    ),
    Workload(
        "transformer, batches in one executor thread / none",
        save(transformer),
        TOKENS_BODY,
        (1, 32),
        ours=Server(("--batch", "*", "--threads", "1")),
        baseline=Server(),
        least={1: 0.97, 32: 1.8},
    ),
    Workload(
        "MLP in batches, device executor / executor threads",
        save(mlp),
        SMALL_BODY,
        (8, 64),
        ours=Server(("--batch", "*"), ON_EXECUTOR),
        baseline=Server(("--batch", "*")),
    ),
    Workload(
        "transformer in batches, device executor / executor threads",
        save(transformer),
        TOKENS_BODY,
        (1, 32),
        ours=Server(("--batch", "*", "--threads", "1"), ON_EXECUTOR),
        baseline=Server(("--batch", "*", "--threads", "1")),
    ),
    Workload("image", save(conv), IMAGE_BODY, (1, 4)),
    Workload(
        "typed example", save_example, (EXAMPLE / "post-data.json").read_bytes().strip(), (1, 8)
    ),
    Workload(
        f"{MANY_MODELS} models through a cache of 10",
        save_many,
        SMALL_BODY,
        (4,),
        ours=Server(("--model-capacity", "10", "--buffer-size", "0")),
        target="0.pt",
        script=CHURN.format(count=MANY_MODELS),
    ),
)


def main() -> None:
    parser = parser_of("server.throughput", __doc__, rounds=4)
    parser.add_argument("--only", metavar="WORD", default="", help="workloads with it in the name")
    arguments = parser.parse_args()
    require_wrk()
    print(
        "\n| workload | connections | baseline rps | rps | ratio | target | p50, p99 ms | PSS MB |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for workload in WORKLOADS:
        if arguments.only in workload.name:
            measure(workload, arguments.rounds, arguments.seconds)


def measure(workload: Workload, rounds: int, seconds: int) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        workload.save(folder)
        script = write_script(folder / "post.lua", workload.body)
        script.write_text(script.read_text() + workload.script)
        servers = {"ours": workload.ours, "baseline": workload.baseline}
        running = {
            name: stack.enter_context(started(server, folder))
            for name, server in servers.items()
            if server is not None
        }
        path = f"/serve?servable_identifier={workload.target}"
        urls = {name: each.url(path) for name, each in running.items()}
        for url in urls.values():
            check(url, workload.body)
        for connections in workload.connections:
            best = dict.fromkeys(urls, (0.0, 0.0, 0.0))
            for number in range(rounds + 1):
                for name, url in urls.items():
                    figures = load(url, connections, script, seconds)
                    best[name] = max(best[name], figures) if number else best[name]  # warm first
            print_row(workload, connections, best, running["ours"].pss_mb())


def print_row(
    workload: Workload,
    connections: int,
    best: dict[str, tuple[float, float, float]],
    memory_mb: float,
) -> None:
    rate, p50, p99 = best["ours"]
    base, ratio, target = "", "", ""
    if "baseline" in best:
        base = f"{best['baseline'][0]:,.0f}"
        value = rate / best["baseline"][0]
        ratio = f"{value:.2f}"
        least = (workload.least or {}).get(connections)
        target = f">= {least}" if least else ""
        record(f"{workload.name}, {connections} connections", Ratio(value, "more"))
    print(
        f"| {workload.name} | {connections} | {base} | {rate:,.0f} | {ratio} | {target} "
        f"| {p50:.2f}, {p99:.2f} | {memory_mb:.0f} |",
        flush=True,
    )


def started(server: Server, folder: Path) -> AbstractContextManager[Running]:
    if server.flags is None:
        return start("benchmarks.server.apps.empty_app", "{port}")
    return start(server.module, str(folder), "--port", "{port}", *server.flags)


if __name__ == "__main__":
    main()
