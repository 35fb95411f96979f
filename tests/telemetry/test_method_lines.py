"""The lines that are written without prometheus_client are those that it would write."""

from types import SimpleNamespace

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from torch_serving.telemetry import prometheus
from torch_serving.telemetry._counters import STEPS, Statistics

NAMES = [
    "mlp.pt",
    "a b/c.pt",
    'quo"te.pt',
    "back\\slash.pt",
    "new\nline.pt",
    "größe-模型.pt",
    "{},=.pt",
]


def text_of(statistics: Statistics) -> str:
    return prometheus.Metrics(statistics, parent_slot=-1).text().decode()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("times", [0, 1, 20])
def test_prometheus_client_reads_the_lines_and_writes_the_same(name: str, times: int):
    statistics = Statistics()
    counters = statistics.counters(name.encode(), b"forward")
    counters.count_load()
    for time in range(times):
        counters.count_cold_start()
        counters.observe_response(200 if time % 2 else 422, 0.001 * 3**time)
        counters.observe_batch(1 + time)
        for step in range(len(STEPS)):
            counters.observe_step(step, 1e-7 * 3**time)
    text = text_of(statistics)
    families = list(text_string_to_metric_families(text))
    assert name in {each.labels.get("model") for family in families for each in family.samples}
    again = generate_latest(SimpleNamespace(collect=lambda: families)).decode()  # type: ignore[arg-type]
    assert sorted(again.splitlines()) == sorted(text.splitlines())


def test_large_counts_are_written_as_go_does():
    counters = (statistics := Statistics()).counters(b"a.pt", b"forward")
    for _ in range(1_000_001):
        counters.count_load()
    assert 'model_loads_total{model="a.pt"} 1.000001e+06\n' in text_of(statistics)
