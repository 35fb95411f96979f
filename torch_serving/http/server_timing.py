"""The times of one request's steps, for whoever sends `X-Server-Timing: 1` (W3C Server Timing)."""

from collections.abc import Sequence

from torch_serving.telemetry._counters import STEPS
from torch_serving.telemetry.tracing import StepTime

WISH = (b"x-server-timing", b"1")  # among the headers of an ASGI scope
RUN = STEPS.index("forward")


def server_timing(steps: Sequence[StepTime], total_s: float) -> str:
    """The value of `Server-Timing`: the steps that were taken, and how many requests ran as one."""
    times: dict[int, float] = {}
    for step, start_s, end_s, _ in steps:
        times[step] = times.get(step, 0.0) + end_s - start_s
    metrics = [f"{STEPS[step]};dur={times[step] * 1e3:.3f}" for step in sorted(times)]
    metrics.append(f"total;dur={total_s * 1e3:.3f}")
    runs = [each.requests for each in steps if each.step == RUN]
    if runs:
        metrics.append(f'batch;desc="{runs[-1]}"')
    return ", ".join(metrics)
