"""Looks for the settings with which a machine serves a model best, within a budget of time.

First each candidate is measured once between two rounds of the defaults. The best few then run in
turn with the defaults for the rest of the time: the machine's noise hits all of them alike.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from torch_serving.bench.candidates import (
    DEFAULTS,
    Candidate,
    batched,
    first_candidates,
    larger_batches,
)
from torch_serving.bench.verdict import LEAST_ROUNDS, Figures, Rounds
from torch_serving.errors import StartupError

SCREEN_SHARE = 0.55  # of the budget
SCREEN_ROUND_S = 0.8  # of measuring one server, alone and under load; there are two
ROUND_S = 2.0  # the same, once it matters
MOST_FINALISTS = 2
MOST_ROUNDS = 12
NEAR_BEST = 0.97  # of the gain of the best: a simpler one is preferred
LEAD = 1.08  # the gain, in one round, from which settings are combined with others
COST = 1.02  # the gain that one more setting must bring
HOPELESS = 0.8  # the gain below which a candidate is not looked at again


class Server(Protocol):
    """What is measured: `contestant.Contestant`, or a double of tests."""

    candidate: Candidate
    rounds: Rounds

    def figures(self, connections: int, seconds: float) -> Figures: ...

    def end(self) -> None: ...


# Starts a server that answers as the defaults do. Raises StartupError with the reason if none does.
Start = Callable[[Candidate], Server]
OnProgress = Callable[[str], None]


class Search:
    """One search; `allows` says which candidates go with the flags that were given."""

    def __init__(
        self,
        start: Start,
        allows: Callable[[Candidate], bool],
        connections: int,
        budget_s: float,
        on_progress: OnProgress = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start = start
        self._allows = allows
        self._connections = connections
        self._on_progress = on_progress
        self._clock = clock
        self._began_s = clock()
        self._budget_s = budget_s
        self.defaults: Server | None = None
        self.tried: list[Server] = []
        self.refused: dict[Candidate, str] = {}  # and why
        self.is_interrupted = False

    def run(self, model: str, cores: int) -> None:
        """Search until the time is over; Ctrl-C ends it early. Raises StartupError."""
        try:
            self._on_progress("starting the server with its defaults")
            self.defaults = self._start(DEFAULTS)
            self.defaults.figures(self._connections, SCREEN_ROUND_S)  # the first are slower
            self._screen(first_candidates(cores, model))
            splits = [each for each in self.tried if not each.candidate.batch]
            self._screen(batched(self._leader(splits), model))
            self._screen(larger_batches(self._leader(self.tried)))
            self._decide()
        except KeyboardInterrupt:
            self.is_interrupted = True

    def end(self) -> None:
        for each in [*self.tried, *([self.defaults] if self.defaults else [])]:
            each.end()

    @property
    def suggestion(self) -> Server | None:
        """The simplest of the best; None: nothing is surely better than the defaults."""
        better = [each for each in self.tried if each.rounds.is_better]
        most = max((each.rounds.gain for each in better), default=0.0)
        near = [each for each in better if each.rounds.gain >= NEAR_BEST * most]
        return min(near, key=lambda each: (each.candidate.changes, -each.rounds.gain), default=None)

    @property
    def passed_s(self) -> float:
        return self._clock() - self._began_s

    def _screen(self, candidates: Sequence[Candidate]) -> None:
        """Measure each once; those that are left behind are ended."""
        for each in candidates:
            is_known = each in self.refused or each in [one.candidate for one in self.tried]
            if is_known or each == DEFAULTS or not self._allows(each):
                continue
            if self.passed_s > SCREEN_SHARE * self._budget_s:
                self._on_progress("no time is left for other settings")
                return
            self._on_progress(f"trying {' '.join(each.flags)}")
            try:
                server = self._start(each)
            except StartupError as error:
                self.refused[each] = str(error)
                continue
            self.tried.append(server)
            self._round([server], SCREEN_ROUND_S)
            if server.rounds.gain >= HOPELESS:
                self._round([server], SCREEN_ROUND_S)
            for behind in ranked(self.tried)[MOST_FINALISTS:]:
                behind.end()

    def _decide(self) -> None:
        finalists = [
            each for each in ranked(self.tried)[:MOST_FINALISTS] if each.rounds.gain > HOPELESS
        ]
        for number in range(MOST_ROUNDS):
            is_over = self.passed_s + self._round_s(finalists) > self._budget_s
            if not finalists or (is_over and number >= LEAST_ROUNDS - 1):
                return
            names = " and ".join(" ".join(each.candidate.flags) for each in finalists)
            self._on_progress(f"round {number + 1}: the defaults and {names}")
            self._round(finalists if number % 2 == 0 else finalists[::-1], ROUND_S)

    def _round_s(self, servers: Sequence[Server]) -> float:
        return ROUND_S * (len(servers) + 2)

    def _round(self, servers: Sequence[Server], seconds: float) -> None:
        """Measure the defaults before and after others, and compare with their mean."""
        if self.defaults is None:
            return
        before = self.defaults.figures(self._connections, seconds)
        measured = [self._figures(each, seconds) for each in servers]
        usual = mean_of(before, self.defaults.figures(self._connections, seconds))
        for server, figures in zip(servers, measured, strict=True):
            server.rounds.add(figures, usual)
        self.defaults.rounds.add(usual, usual)

    def _figures(self, server: Server, seconds: float) -> Figures:
        try:
            return server.figures(self._connections, seconds)
        except StartupError:  # it answers no more
            return Figures(0.0, math.inf, math.inf, failed=1)

    def _leader(self, servers: Sequence[Server]) -> Candidate:
        """The best of these, where it is clearly ahead; else the defaults."""
        best = next(iter(ranked(servers)), None)
        is_ahead = best is not None and best.rounds.gain > LEAD and not best.rounds.failed
        return best.candidate if best is not None and is_ahead else DEFAULTS


def ranked(servers: Sequence[Server]) -> list[Server]:
    """The best first, simple ones before others that are hardly better, failed ones last."""

    def rank(server: Server) -> tuple[bool, float]:
        return not server.rounds.failed, server.rounds.gain / COST**server.candidate.changes

    return sorted(servers, key=rank, reverse=True)


def mean_of(one: Figures, other: Figures) -> Figures:
    return Figures(
        (one.rate + other.rate) / 2,
        (one.p99_ms + other.p99_ms) / 2,
        (one.alone_ms + other.alone_ms) / 2,
        one.failed + other.failed,
    )
