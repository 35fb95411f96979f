"""Counters of models, in the form of Triton's statistics extension."""

from collections.abc import Iterable
from typing import Any

from torch_serving.codecs.oip.metadata import VERSION
from torch_serving.service.management import unix_time
from torch_serving.telemetry._counters import MethodNumbers

# Triton's names of steps -> ours.
STEPS = {
    "queue": "queue",
    "compute_input": "decode",
    "compute_infer": "forward",
    "compute_output": "encode",
}


def model_statistics(statistics: Iterable[tuple[str, MethodNumbers | None]]) -> dict[str, Any]:
    """Present models with the counters of their `forward`; requests of all contracts count."""
    return {"model_stats": [statistics_of(name, numbers) for name, numbers in statistics]}


def statistics_of(name: str, numbers: MethodNumbers | None) -> dict[str, Any]:
    """Times are those of steps only: times of whole requests are not kept by status."""
    codes = numbers.codes if numbers else {}
    successes = codes.get(200, 0)
    failures = sum(codes.values()) - successes
    steps = numbers.steps if numbers else {}
    return {
        "name": name,
        "version": VERSION,
        "last_inference": last_ms(numbers),
        "inference_count": successes,
        "execution_count": sum(numbers.batches[0]) if numbers else 0,
        "inference_stats": {
            "success": {"count": successes},
            "fail": {"count": failures},
            **{name: duration_of(steps.get(step, ([], 0.0))) for name, step in STEPS.items()},
        },
    }


def last_ms(numbers: MethodNumbers | None) -> int:
    """The time of the last response, in milliseconds since 1970; 0 for never."""
    if numbers is None or not numbers.last_s:
        return 0
    return int(unix_time(numbers.last_s) * 1000)


def duration_of(histogram: tuple[list[int], float]) -> dict[str, int]:
    counts, total_s = histogram
    return {"count": sum(counts), "ns": round(total_s * 1e9)}
