"""What `GET /metrics` takes with 1,000 models: `python -m benchmarks.server.metrics`.

The same samples are written by prometheus_client as well. Times are those of the CPU, as a thread
writes them while the event loop serves; the best of each counts.
"""

import sys
import time
from collections.abc import Callable
from types import SimpleNamespace

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.support.compare import Ratio, record
from torch_serving.telemetry._counters import STEPS, Statistics
from torch_serving.telemetry.prometheus import Metrics

MODELS = 1000
TIMES = 5
MOST = 0.2  # of the time of prometheus_client, which has its objects already


def used(models: int) -> Statistics:
    """The statistics of models that were loaded and asked once each."""
    statistics = Statistics()
    for model in range(models):
        counters = statistics.counters(f"folder/{model}.pt".encode(), b"forward")
        counters.count_load()
        counters.observe_response(200, 0.001 * model)
        counters.observe_batch(1)
        for step in range(len(STEPS)):
            counters.observe_step(step, 1e-6 * model)
    return statistics


def best_ms(function: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(TIMES):
        before = time.thread_time()
        function()
        best = min(best, time.thread_time() - before)
    return best * 1e3


def main() -> None:
    metrics = Metrics(used(MODELS), parent_slot=-1)
    text = metrics.text()
    families = list(text_string_to_metric_families(text.decode()))
    registry = SimpleNamespace(collect=lambda: families)
    ours_ms = best_ms(metrics.text)
    theirs_ms = best_ms(lambda: generate_latest(registry))  # type: ignore[arg-type]
    lines = text.count(b"\n")
    print(f"{MODELS} models, {lines:,} lines, {len(text) / 1e6:.1f} MB: {ours_ms:.0f} ms", end="; ")
    print(f"written by prometheus_client: {theirs_ms:.0f} ms")
    ratio = ours_ms / theirs_ms
    record("metrics.text", Ratio(ratio, "less"))
    print(f"{ratio:.1%} of its time (<= {MOST:.0%})")
    sys.exit(ratio > MOST)


if __name__ == "__main__":
    main()
