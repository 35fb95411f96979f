"""What `bench --suggest` says: the figures, the flags, and the file for `--config`."""

import shlex
from collections.abc import Iterator

from torch_serving.bench.contestant import Contestant
from torch_serving.bench.report import aligned, ms_text
from torch_serving.bench.suggest import Search, Server
from torch_serving.bench.verdict import Rounds, middle

HEAD = ("settings", "requests/s", "p99 ms", "alone ms", "memory", "gain", "rounds")
DEFAULTS_NAME = "defaults"


def report(search: Search, model: str, given: list[str]) -> list[str]:
    """The lines to print; `given` are the flags that all servers had."""
    return [*table_of(search), "", *decision(search, model, given)]


def table_of(search: Search) -> list[str]:
    measured = [each for each in [search.defaults, *search.tried] if each and each.rounds.count]
    rows = [HEAD, *(row_of(each, each is search.defaults) for each in measured)]
    notes = [f"{' '.join(each.flags)}: {why}" for each, why in search.refused.items()]
    notes += [
        f"{' '.join(each.candidate.flags)}: {why}"
        for each in search.tried
        for why in each.rounds.objections
    ]
    return [*aligned(rows, names=1), *notes]


def row_of(server: Server, is_default: bool) -> tuple[str, ...]:
    figures, rounds = middle(server.rounds.figures), server.rounds
    memory = f"{server.bytes / (1 << 20):,.0f} MiB" if isinstance(server, Contestant) else ""
    return (
        DEFAULTS_NAME if is_default else " ".join(server.candidate.flags),
        f"{figures.rate:,.0f}",
        ms_text(figures.p99_ms),
        ms_text(figures.alone_ms),
        memory,
        "" if is_default else gain_text(rounds),
        str(rounds.count),
    )


def gain_text(rounds: Rounds) -> str:
    if rounds.count < 2:
        return f"{rounds.gain:.2f}"
    low, high = rounds.bounds
    return f"{rounds.gain:.2f} ({low:.2f}…{high:.2f})"


def decision(search: Search, model: str, given: list[str]) -> Iterator[str]:
    best = search.suggestion
    if best is None:
        yield "the defaults are as good: nothing that was tried is surely better"
        return
    gain, low = best.rounds.gain, best.rounds.bounds[0]
    yield f"{gain:.2f} times the requests of the defaults, surely {low:.2f} times:"
    yield ""
    yield shlex.join(["torch-serving", model, *given, *best.candidate.flags])
    yield ""
    yield "or in a file for --config:"
    yield ""
    yield from best.candidate.toml
