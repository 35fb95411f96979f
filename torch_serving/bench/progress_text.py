"""How far a load is, in one line."""

import time
from math import inf

from torch_serving.bench.generator import Generated
from torch_serving.bench.load import Load
from torch_serving.bench.report import ms_text

RECENT = 1000  # latencies


def progress_text(load: Load, generated: Generated) -> str:
    """What it is doing, for who waits. Any thread may ask."""
    recorder, now_s = generated.recorder, time.perf_counter()
    if recorder.begin_s == inf:
        return f"{load.name}: warming up"
    passed_s = now_s - recorder.begin_s
    if passed_s >= load.seconds:
        return f"{load.name}: waiting for the last answers"
    recent = sorted(recorder.latencies_s[-RECENT:])
    middle = f", p50 {ms_text(recent[len(recent) // 2] * 1e3)} ms" if recent else ""
    rate = recorder.answers / passed_s if passed_s > 0 else 0.0
    return f"{load.name}: {rate:,.0f} requests/s{middle}, {load.seconds - passed_s:.0f} s left"
