"""The search for better flags, with servers whose figures are known."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from torch_serving.bench.candidates import DEFAULTS, Candidate, splits
from torch_serving.bench.same_results import is_same
from torch_serving.bench.suggest import Search
from torch_serving.bench.suggest_report import report
from torch_serving.bench.verdict import Figures, Rounds
from torch_serving.errors import StartupError

MODEL = "mlp.pt"


@dataclass
class Clock:
    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Double:
    """A server whose rate is known but for the noise of the machine."""

    candidate: Candidate
    figures_of: Callable[[Candidate], Figures]
    clock: Clock
    noise: Iterator[float]
    rounds: Rounds = field(default_factory=Rounds)
    has_ended: bool = False

    def figures(self, connections: int, seconds: float) -> Figures:
        assert not self.has_ended
        self.clock.now_s += seconds
        known, noise = self.figures_of(self.candidate), next(self.noise)
        return Figures(known.rate * noise, known.p99_ms / noise, known.alone_ms, known.failed)

    def end(self) -> None:
        self.has_ended = True


def search_among(
    figures_of: Callable[[Candidate], Figures],
    budget_s: float = 120.0,
    noise: float = 0.05,
    allows: Callable[[Candidate], bool] = lambda _: True,
) -> Search:
    clock, source = Clock(), random.Random(7)
    noises = iter(lambda: 1 + source.uniform(-noise, noise), None)

    def start(candidate: Candidate) -> Double:
        clock.now_s += 2
        if candidate.threads == 4:
            raise StartupError("its results differ")
        return Double(candidate, figures_of, clock, noises)

    search = Search(start, allows, 16, budget_s, clock=clock)
    search.run(MODEL, 2)
    search.end()
    assert all(each.has_ended for each in search.tried)  # type: ignore[attr-defined]
    assert search.passed_s < budget_s + 10
    return search


def figures(rate: float, p99_ms: float = 10, alone_ms: float = 1, failed: int = 0) -> Figures:
    return Figures(rate, p99_ms, alone_ms, failed)


@pytest.mark.parametrize(
    ("figures_of", "expected"),
    [
        (lambda _: figures(1000), None),
        (lambda each: figures(1010 if each.workers else 1000), None),
        (lambda each: figures(1500 if each.workers else 1000), Candidate(workers=2)),
        (
            lambda each: figures((1.4 if each.workers else 1) * (1.3 if each.batch else 1) * 1e3),
            Candidate(workers=2, batch=MODEL),
        ),
        (lambda each: figures(1500 if each.batch else 1000), Candidate(batch=MODEL)),
        (lambda each: figures(9000 if each.max_batch else 1000 + bool(each.batch)), None),
        (lambda each: figures(1500 if each.workers else 1000, failed=bool(each.workers)), None),
        (lambda each: figures(*((2000, 30) if each.workers else (1000, 10))), None),
        (lambda each: figures(*((2000, 10, 2) if each.workers else (1000, 10, 1))), None),
        (lambda each: figures(9000 if each.threads == 4 else 1000), None),  # its results differ
    ],
)
def test_what_is_suggested(figures_of: Callable[[Candidate], Figures], expected: Candidate | None):
    suggestion = search_among(figures_of).suggestion
    assert (suggestion and suggestion.candidate) == expected


def test_a_simpler_one_is_preferred_where_it_is_nearly_as_good():
    rates = {Candidate(workers=2): 1500, Candidate(workers=2, batch=MODEL): 1510}
    search = search_among(lambda each: figures(rates.get(each, 1000)), noise=0.001)
    assert search.suggestion
    assert search.suggestion.candidate == Candidate(workers=2)


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_not_taken_for_a_gain(seed: int):
    source = random.Random(seed)
    search = search_among(lambda _: figures(1000 * source.uniform(0.7, 1.3)), noise=0)
    suggestion = search.suggestion
    assert suggestion is None or suggestion.rounds.bounds[0] >= 1.03


def test_flags_that_were_given_stay():
    search = search_among(lambda _: figures(1000), allows=lambda each: each.workers is None)
    assert search.tried
    assert [each for each in search.tried if each.candidate.workers] == []


def test_a_short_budget_leaves_candidates_out():
    assert len(search_among(lambda _: figures(1000), budget_s=25).tried) < len(splits(2))


def test_an_interruption_leaves_what_was_found():
    calls = []

    def figures_of(candidate: Candidate) -> Figures:
        calls.append(candidate)
        if len(calls) > 15:
            raise KeyboardInterrupt
        return figures(1500 if candidate.workers else 1000)

    search = search_among(figures_of)
    assert search.is_interrupted
    lines = "\n".join(report(search, MODEL, []))
    assert "--workers 2" in lines


def test_the_report_has_figures_flags_and_toml():
    fast = search_among(lambda each: figures(1500 if each.batch else 1000))
    lines = report(fast, f"models/{MODEL}", ["--tf32", "on"])
    assert any(line.startswith("defaults ") for line in lines)
    assert f"torch-serving models/{MODEL} --tf32 on --batch {MODEL}" in lines
    assert f'batch = ["{MODEL}"]' in lines
    assert "--threads 4: its results differ" in lines
    same = report(search_among(lambda _: figures(1000)), MODEL, [])
    assert same[-1] == "the defaults are as good: nothing that was tried is surely better"


@pytest.mark.parametrize("cores", [1, 2, 3, 4, 6, 8, 64])
def test_candidates_are_possible_and_none_is_the_default(cores: int):
    found = splits(cores)
    assert DEFAULTS not in found
    assert len(set(found)) == len(found)
    for each in found:
        workers, threads = each.workers or 1, each.threads or 1
        intra_op_threads = each.intra_op_threads or 1
        assert intra_op_threads == 1 or workers * threads * intra_op_threads <= cores
        assert 1 <= workers <= cores


@pytest.mark.parametrize(
    ("answer", "expected", "same", "same_structure"),
    [
        (b"1", b"1", True, True),
        (b'{"x": [1.0000001, 2]}', b'{"x": [1.0, 2]}', True, True),
        (b'{"x": [1.1]}', b'{"x": [1.0]}', False, True),
        (b'{"x": [1, 2]}', b'{"x": [1]}', False, False),
        (b'{"x": 1}', b'{"y": 1}', False, False),
        (b'["a"]', b'["b"]', False, True),
        (b"[null]", b"[1]", False, False),
        (b"[true]", b"[false]", False, True),
        (b"\x00\x01", b"\x00\x02", False, True),
        (b"\x00\x01", b"\x00", False, False),
    ],
)
def test_results_are_compared(answer: bytes, expected: bytes, same: bool, same_structure: bool):
    assert is_same(answer, expected) is same
    assert is_same(answer, expected, only_structure=True) is same_structure
