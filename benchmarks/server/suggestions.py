"""What `bench --suggest` finds, and whether it holds: `python -m benchmarks.server.suggestions`.

After each search, two new servers are started, with the suggested flags and with the defaults, and
measured in turn.
"""

import argparse
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import torch

from benchmarks.support.payloads import (
    IMAGE_BODY,
    SMALL_BODY,
    TOKENS_BODY,
    conv,
    mlp,
    transformer,
)
from torch_serving.bench.candidates import DEFAULTS, Candidate
from torch_serving.bench.contestant import Contestant
from torch_serving.bench.suggest import Search, mean_of
from torch_serving.bench.suggest_report import gain_text, report
from torch_serving.bench.verdict import Rounds, middle
from torch_serving.cli.bench_flags import read_arguments
from torch_serving.cli.bench_suggest import Servers

MODELS = {
    "mlp": (mlp, SMALL_BODY),
    "encoder": (transformer, TOKENS_BODY),
    "image": (conv, IMAGE_BODY),
}
HEAD = ("model", "suggested flags", "requests/s: defaults", "suggested", "gain (surely)", "memory")
ROUND_S = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", type=float, default=110.0, help="seconds of each search")
    parser.add_argument("--rounds", type=int, default=4, help="of the check after it")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("models", nargs="*", default=list(MODELS))
    arguments = parser.parse_args()
    rows = [HEAD, ("---",) * len(HEAD)]
    for name in arguments.models:
        rows.append(row_of(name, arguments))
        print(f"| {' | '.join(rows[-1])} |", flush=True)
    print("\n".join(f"| {' | '.join(row)} |" for row in rows))


def row_of(name: str, arguments: argparse.Namespace) -> tuple[str, ...]:
    make, body = MODELS[name]
    with tempfile.TemporaryDirectory() as folder:
        model, file = Path(folder, f"{name}.pt"), Path(folder, "body.json")
        make().save(model)
        file.write_bytes(body)
        servers = Servers(read_arguments([str(model), "--suggest", "--body", str(file)]), [])
        search = Search(
            servers.start, servers.allows, arguments.connections, arguments.budget, tell
        )
        try:
            search.run(model.name, len(os.sched_getaffinity(0)))
        finally:
            search.end()
        print("\n".join(report(search, model.name, [])), flush=True)
        best = search.suggestion
        found = best.candidate if best else DEFAULTS
        return name, *check(servers, found, arguments)


def tell(step: str) -> None:
    print(step, file=sys.stderr, flush=True)


def check(
    servers: Servers, found: Candidate, arguments: argparse.Namespace
) -> tuple[str, str, str, str, str]:
    """Measure new servers in turn: one with the defaults and one with what was found."""
    with ExitStack() as stack:
        usual = started(servers, DEFAULTS, stack)
        if found == DEFAULTS:
            rate = usual.figures(arguments.connections, ROUND_S).rate
            return "none", f"{rate:,.0f}", "the same", "1", f"{usual.bytes >> 20:,} MiB"
        other = started(servers, found, stack)
        rounds = Rounds()
        for _ in range(arguments.rounds):
            before = usual.figures(arguments.connections, ROUND_S)
            figures = other.figures(arguments.connections, ROUND_S)
            after = usual.figures(arguments.connections, ROUND_S)
            rounds.add(figures, mean_of(before, after))
    return (
        f"`{' '.join(found.flags)}`",
        f"{middle(rounds.defaults).rate:,.0f}",
        f"{middle(rounds.figures).rate:,.0f}",
        gain_text(rounds),
        f"{usual.bytes >> 20:,} → {other.bytes >> 20:,} MiB",
    )


def started(servers: Servers, candidate: Candidate, stack: ExitStack) -> Contestant:
    server = servers.start(candidate)
    assert isinstance(server, Contestant)
    stack.callback(server.end)
    return server


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
