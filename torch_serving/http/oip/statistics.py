"""What was counted of models, as Triton's statistics extension has it."""

from collections.abc import Iterable
from typing import Any

from torch_serving.codecs.oip.metadata import VERSION
from torch_serving.http.oip.model_states import ModelNumbers

# Triton's names of steps -> ours.
STEPS = {
    "queue": "queue",
    "compute_input": "decode",
    "compute_infer": "forward",
    "compute_output": "encode",
}


def model_statistics(models: Iterable[ModelNumbers]) -> dict[str, Any]:
    return {"model_stats": [statistics_of(each) for each in models]}


def statistics_of(model: ModelNumbers) -> dict[str, Any]:
    """Times are told of steps only: those of whole requests are not kept apart by their outcome."""
    codes = model.numbers.codes if model.numbers else {}
    successes = codes.get(200, 0)
    failures = sum(codes.values()) - successes
    steps = model.numbers.steps if model.numbers else {}
    return {
        "name": model.name,
        "version": VERSION,
        "last_inference": model.last_ms,
        "inference_count": successes,
        "execution_count": sum(model.numbers.batches[0]) if model.numbers else 0,
        "inference_stats": {
            "success": {"count": successes},
            "fail": {"count": failures},
            **{name: duration_of(steps.get(step, ([], 0.0))) for name, step in STEPS.items()},
        },
    }


def duration_of(histogram: tuple[list[int], float]) -> dict[str, int]:
    counts, total_s = histogram
    return {"count": sum(counts), "ns": round(total_s * 1e9)}
