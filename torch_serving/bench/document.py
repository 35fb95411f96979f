"""Measurements as a JSON document, and back."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from torch_serving.bench.histogram import Latencies
from torch_serving.bench.load import Load
from torch_serving.bench.machine import machine
from torch_serving.bench.measurement import Generator, Measurement
from torch_serving.bench.recorder import Failure
from torch_serving.bench.report import PERCENTILES
from torch_serving.bench.server_steps import ServerSteps, Step
from torch_serving.bench.target import Target
from torch_serving.errors import StartupError

FORMAT = 1  # of the document
REQUEST = ("url", "model", "method", "content_type", "bytes", "body")


def document_of(
    target: Target, measurements: Sequence[Measurement], flags: Sequence[str]
) -> dict[str, Any]:
    """All that was measured, and of what. `flags` are those of the server, if it is our own."""
    return {
        "format": FORMAT,
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(),
        "request": {
            "url": target.url,
            "model": target.model,
            "method": target.method,
            "content_type": target.headers.get("Content-Type", ""),
            "bytes": len(target.body),
            "body": target.origin,
        },
        "server_flags": list(flags),
        "measurements": [run_of(each) for each in measurements],
    }


def run_of(each: Measurement) -> dict[str, Any]:
    latencies = each.latencies
    found = {name: latencies.percentile_ms(value) for name, value in PERCENTILES.items()}
    failures = [
        {"status": failure.status, "reason": failure.reason, "count": count}
        for failure, count in each.failures.most_common()
    ]
    return {
        "load": asdict(each.load),
        "generator": asdict(each.generator),
        "seconds": each.seconds,
        "answers": each.answers,
        "requests_per_s": each.rate,
        "latency_ms": {**found, "max": latencies.max_ms, "mean": latencies.mean_ms},
        "histogram": latencies.encoded(),  # HdrHistogram, µs
        "noise": each.noise,
        "failures": failures,
        "unanswered": each.unanswered,
        "backlog_peak": each.backlog_peak,
        "is_overrun": each.is_overrun,
        "is_interrupted": each.is_interrupted,
        "server": server_of(each.steps),
        "limits": each.limits,
    }


def server_of(steps: ServerSteps | None) -> dict[str, Any] | None:
    if steps is None:
        return None
    return {
        "requests": steps.requests,
        "request_ms": steps.request_ms,
        "batch_size": steps.batch_size,
        "steps": {name: step._asdict() for name, step in steps.steps.items()},
    }


class Earlier(NamedTuple):
    """What was measured before, and of which request."""

    request: dict[str, Any]
    measurements: list[Measurement]


def read_document(path: Path) -> Earlier:
    """Read what `--json` printed. Raises StartupError."""
    try:
        document = json.loads(path.read_text())
    except OSError as error:
        raise StartupError(f"--compare {path}: {error.strerror}") from None
    except ValueError:
        raise StartupError(f"--compare {path}: it is no JSON; --json prints such a file") from None
    expected = f"--compare {path}: expected what `bench --json` of this version prints"
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise StartupError(expected)
    try:
        request = {name: document["request"][name] for name in REQUEST}
        return Earlier(request, [measurement_of(run) for run in document["measurements"]])
    except (LookupError, TypeError, ValueError, AttributeError):
        raise StartupError(expected) from None


def measurement_of(run: dict[str, Any]) -> Measurement:
    failures = {Failure(each["status"], each["reason"]): each["count"] for each in run["failures"]}
    server = run["server"]
    steps = server and ServerSteps(
        server["requests"],
        server["request_ms"],
        {name: Step(**step) for name, step in server["steps"].items()},
        server["batch_size"],
    )
    return Measurement(
        load=Load(**run["load"]),
        generator=Generator(**run["generator"]),
        seconds=run["seconds"],
        answers=run["answers"],
        latencies=Latencies.decoded(run["histogram"]),
        noise=run["noise"],
        failures=Counter(failures),
        unanswered=run["unanswered"],
        backlog_peak=run["backlog_peak"],
        is_overrun=run["is_overrun"],
        is_interrupted=run["is_interrupted"],
        steps=steps,
    )
