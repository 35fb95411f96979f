"""What is made of figures: histograms, noise, ratios, and what is said of the generator."""

import random
from dataclasses import replace
from typing import Any

import pytest

from torch_serving.bench import wrk
from torch_serving.bench.address import Address
from torch_serving.bench.compare import comparison
from torch_serving.bench.histogram import Latencies
from torch_serving.bench.load import Load
from torch_serving.bench.measurement import Generator, Measurement
from torch_serving.bench.noise import FIGURES, LEAST, UNKNOWN, Mark, noise_of
from torch_serving.bench.report import ms_text, remarks
from torch_serving.bench.svg import picture
from torch_serving.bench.target import Target
from torch_serving.cli.bench import measure_one
from torch_serving.cli.progress import Progress

PERCENTILES = (0, 50, 90, 99, 99.9, 100)
MEASURED = Measurement(Load(8), Generator("own"), 2.0, 2000, Latencies.of([0.001] * 2000))


def test_percentiles_are_right_to_three_digits():
    generator = random.Random(0)
    values_s = [generator.lognormvariate(-6, 2) for _ in range(10_000)]
    found, ordered = Latencies.of(values_s), sorted(values_s)
    assert found.count == 10_000
    for percentile in PERCENTILES:
        at = max(0, min(9_999, int(percentile * 100 + 0.5) - 1))
        expected_ms = ordered[at] * 1e3
        assert found.percentile_ms(percentile) == pytest.approx(expected_ms, rel=2e-3, abs=2e-3)
    assert Latencies.decoded(found.encoded()).percentile_ms(99) == found.percentile_ms(99)


def test_no_latencies():
    none = Latencies.of([])
    assert (none.count, none.percentile_ms(99), none.max_ms, none.mean_ms) == (0, 0, 0, 0)


def marks(rates: list[int]) -> list[Mark]:
    found = [Mark(0.0, 0, 0)]
    for rate in rates:
        last = found[-1]
        found.append(Mark(last.time_s + 1, last.answers + rate, last.latencies + rate))
    return found


def test_noise_is_how_much_parts_differ():
    steady = noise_of(marks([100] * 10), [0.001] * 1000)
    assert steady == dict.fromkeys(FIGURES, LEAST)
    uneven = noise_of(marks([50, 150] * 5), [0.001] * 1000)
    assert uneven["requests_per_s"] > 0.3
    assert uneven["p50"] == LEAST
    assert noise_of(marks([100] * 3), [0.001] * 300) == dict.fromkeys(FIGURES, UNKNOWN)
    assert noise_of(marks([1] * 10), [0.001] * 10) == dict.fromkeys(FIGURES, UNKNOWN)


def test_ratios_and_what_they_mean():
    quiet = dict.fromkeys(FIGURES, 0.03)
    before = replace(MEASURED, noise=quiet)
    now = replace(before, answers=2600, latencies=Latencies.of([0.00102] * 2600))
    (line,) = comparison([now], [before])
    assert line == (
        "8 connections: requests/s × 1.30 (better; noise ± 4 %), p50 × 1.02 (within noise, ± 4 %), "
        "p99 × 1.02 (within noise, ± 4 %)"
    )
    assert comparison([replace(now, load=Load(1))], [before]) == [
        "1 connection: not measured before"
    ]


@pytest.mark.parametrize(
    ("generator", "words"),
    [
        (Generator("own", 0.5), []),
        (Generator("own", 0.8, 0.15), ["the generator was the limit: it ran 80 % of the time"]),
        (Generator("own", 0.4, 0.06), ["the generator waited for a core 6 % of the time"]),
        (Generator("own", 0.1, 0.0, 0.5, 3.0), ["the generator was 0.5 ms late on average (p99 3"]),
    ],
)
def test_what_is_said_of_the_generator(generator: Generator, words: list[str]):
    found = remarks([replace(MEASURED, generator=generator)])
    assert len(found) == len(words)
    assert all(f"8 connections: {each}" in line for each, line in zip(words, found, strict=True))


@pytest.mark.parametrize(
    ("chosen", "load", "names"),
    [
        ("auto", Load(2), ["own", "wrk"]),
        ("own", Load(2), ["own"]),
        ("auto", Load(2, rate=5.0), ["own"]),
        ("wrk", Load(2), ["wrk"]),
    ],
)
def test_wrk_takes_over_where_the_generator_was_the_limit(
    monkeypatch: pytest.MonkeyPatch, chosen: str, load: Load, names: list[str]
):
    asked = []

    def measured(name: str) -> Any:
        def measure(target: Target, load: Load, *_: object) -> Measurement:
            asked.append(name)
            return replace(MEASURED, load=load, generator=Generator(name, cpu_share=0.95))

        return measure

    monkeypatch.setattr("torch_serving.bench.measurement.measure", measured("own"))
    monkeypatch.setattr(wrk, "measure_with_wrk", measured("wrk"))
    monkeypatch.setattr("shutil.which", lambda name: name)
    target = Target(Address("http://127.0.0.1:1"), "/")
    with Progress() as progress:
        found = measure_one(target, load, chosen, progress)
    assert (asked, found.generator.name) == (names, names[-1])


@pytest.mark.parametrize(
    ("ms", "text"), [(0.0123, "0.012"), (1.234, "1.23"), (12.34, "12.3"), (1234.5, "1,234")]
)
def test_milliseconds_have_three_digits(ms: float, text: str):
    assert ms_text(ms) == text


@pytest.mark.parametrize("count", [0, 1, 9, 30])
def test_pictures_of_any_number_of_loads(count: int):
    loads = [replace(MEASURED, load=Load(each + 1)) for each in range(count)]
    drawing = picture("<b>", ["&"], loads, loads[:1])
    assert "&lt;b&gt;" in drawing
    assert "<b>" not in drawing
    assert drawing.count("<polyline") == count + min(count, 1)
