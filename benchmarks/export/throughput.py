"""One model as TorchScript, exported program and AOTInductor package, asked in turn.

`python -m benchmarks.export.throughput`. All files lie in one server of one worker, and must give
the same numbers before anything is timed. Rates are the best of all rounds, ratios the median of
those in each round. Exported programs are batched as they are; with `--batch`, TorchScript is, too.
The last table is of the encoder with one and with two executor threads.
"""

import argparse
import json
import statistics
import tempfile
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmarks.export.models import KINDS, MODELS, Model
from benchmarks.server.binary import write_script
from benchmarks.support.compare import Ratio, record
from benchmarks.support.load import parser_of, require_wrk
from benchmarks.support.process import Running, start

LEAST = {  # ratios to TorchScript by kind, model and connections
    ("package", "mlp", 1): 1.15,
    ("package", "mlp", 64): 1.3,
    ("package", "encoder", 8): 1.4,
    ("package", "conv", 8): 1.4,
}
BASELINE = "TorchScript"
LEAST_PROGRAM = 0.95
LEAST_THREADS = 1.7
HEAD = """
| model | connections | kind | requests/s | CPU, µs | / TorchScript | TorchScript's CPU / | target |
| --- | --- | --- | --- | --- | --- | --- | --- |"""


def main() -> None:
    parser = parser_of("export.throughput", __doc__, rounds=4)
    parser.add_argument("--only", metavar="WORD", default="", help="models with it in the name")
    parser.add_argument("--connections", default="1,8,64", help="how many, with commas")
    parser.add_argument("--batch", action="store_true", help="batches for TorchScript, too")
    arguments = parser.parse_args()
    require_wrk()
    models = [model for model in MODELS if arguments.only in model.name]
    connections = [int(each) for each in arguments.connections.split(",")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for model in models:
            for kind in model.kinds:
                model.save(folder, kind)
                write_script(script_of(folder, model), model.message(kind))
        flags = ("--batch", "*") if arguments.batch else ()
        with start("torch_serving", str(folder), "--port", "{port}", *flags) as server:
            print(HEAD)
            for model in models:
                check(server, model)
                for count in connections:
                    measure(server, folder, model, count, arguments)
        if "encoder" in {model.name for model in models}:
            compare_threads(folder, arguments)


def script_of(folder: Path, model: Model) -> Path:
    return folder / f"{model.name}.lua"


def check(server: Running, model: Model) -> None:
    """Assert that all kinds give the same numbers."""
    results = [numbers(server, model, kind) for kind in model.kinds]
    for other in results[1:]:
        np.testing.assert_allclose(other, results[0], rtol=1e-3, atol=1e-5)


def numbers(server: Running, model: Model, kind: str) -> list[float]:
    message = model.message(kind)
    request = urllib.request.Request(server.url(message.target), message.body, message.headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        values: list[float] = json.load(response)["result"]["value"]
        return values


def measure(
    server: Running, folder: Path, model: Model, connections: int, arguments: argparse.Namespace
) -> None:
    rates: dict[str, list[float]] = {kind: [] for kind in model.kinds}
    costs_us = dict.fromkeys(model.kinds, float("inf"))
    script = script_of(folder, model)
    for number in range(arguments.rounds + 1):
        for kind in model.kinds:
            target = model.message(kind).target
            rate, cost_us = server.under_load(target, connections, script, arguments.seconds)
            if number:  # the first warms up
                rates[kind].append(rate)
                costs_us[kind] = min(costs_us[kind], cost_us)
    for kind in model.kinds:
        ratio = ratio_of(rates[kind], rates[BASELINE])
        least = LEAST.get((kind, model.name, connections))
        least = LEAST_PROGRAM if kind == "program" else least
        target = f">= {least}" if least else ""
        less = costs_us[BASELINE] / costs_us[kind]
        figures = f"{max(rates[kind]):,.0f} | {costs_us[kind]:,.0f}"
        cells = f"{figures} | {ratio:.2f} | {less:.2f} | {target}"
        print(f"| {model.name} | {connections} | {kind} | {cells} |", flush=True)
        if kind != BASELINE:
            name = f"{model.name}, {kind} / {BASELINE}, {connections} connections"
            record(name, Ratio(ratio, "more"))


def ratio_of(rates: list[float], others: list[float]) -> float:
    """The median of the ratios in each round: what else the machine did was the same for both."""
    return statistics.median(rate / other for rate, other in zip(rates, others, strict=True))


def compare_threads(folder: Path, arguments: argparse.Namespace) -> None:
    """Two executor threads beside one, without batches, with one thread for each operator."""
    encoder = next(model for model in MODELS if model.name == "encoder")
    for kind in encoder.kinds:
        path = folder / f"{encoder.name}-{KINDS[kind]}"
        path.with_suffix(".toml").write_text("batch = false\n")
    with ExitStack() as stack:
        servers = {
            threads: stack.enter_context(
                start(
                    *("torch_serving", str(folder), "--port", "{port}"),
                    *("--threads", str(threads), "--intra-op-threads", "1"),
                )
            )
            for threads in (1, 2)
        }
        print("\n| encoder, 8 connections | 1 thread | 2 threads | ratio | target |")
        print("| --- | --- | --- | --- | --- |")
        for kind in (BASELINE, "package"):
            rates: dict[int, list[float]] = {threads: [] for threads in servers}
            load = (encoder.message(kind).target, 8, script_of(folder, encoder), arguments.seconds)
            for number in range(arguments.rounds + 1):
                for threads, server in servers.items():
                    rate, _ = server.under_load(*load)
                    rates[threads] += [rate] if number else []
            ratio = ratio_of(rates[2], rates[1])
            target = f">= {LEAST_THREADS}" if kind == "package" else ""
            cells = f"{max(rates[1]):,.0f} | {max(rates[2]):,.0f} | {ratio:.2f} | {target}"
            print(f"| {kind} | {cells} |")
            record(f"encoder, {kind}, two threads / one", Ratio(ratio, "more"))


if __name__ == "__main__":
    main()
