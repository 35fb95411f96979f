"""Ten times as many requests as the server can run."""

import time

from tests.chaos.load import Load, Sample
from tests.chaos.stage import MEBIBYTE, Server, Stage, warmed
from tests.chaos.table import Row, Rows, percentile
from tests.support.client import raw_request, with_length

SLOW = "/serve?servable_identifier=slow.pt"
RUN_S = 0.04  # of one request: slow, so that the clients on the same cores are not the limit
QUEUE, CLIENTS, TIMES = 16, 128, 10
FLAGS = ("--threads", "1", "--intra-op-threads", "1", "--queue", str(QUEUE))
MOST_GROWTH = 32 * MEBIBYTE
HEALTH = raw_request(method="GET", target="/healthcheck")


def overload(stage: Stage) -> Rows:
    """Up to capacity requests run, the rest get 503 at once, and health is always reported."""
    request = with_length(stage.slow_body(RUN_S), SLOW)
    seconds = stage.effort.time(60)
    with stage.server(*FLAGS) as server:
        pids, url = server.pids(), warmed(server)
        peak_per_s = goodput(url, request, seconds / 6)
        before = server.resident_bytes()
        server.forget_peak()
        rate = TIMES * peak_per_s
        with Load(url, HEALTH, 1, 20) as health, Load(url, request, CLIENTS, rate) as load:
            time.sleep(seconds)
        normal_s = time_to_normal(server, request)
        what = f"{rate:.0f} requests/s where {peak_per_s:.1f} can be run, {seconds:.0f} s"
        samples = load.all()
        yield from judged(what, samples, peak_per_s, seconds)
        growth = server.status("VmHWM") * 1024 - before
        figure = f"{growth / MEBIBYTE:.1f} MiB more"
        yield Row(what, figure, "< 32 MiB", growth < MOST_GROWTH)
        times_s = [each.latency_s for each in health.all()]
        p99_ms = percentile(times_s, 99)
        figure = f"/healthcheck p99 {p99_ms:.1f} ms"
        yield Row(what, figure, "< 50 ms", p99_ms < 50, timed=True)
        figure = f"normal again after {normal_s:.1f} s"
        yield Row(what, figure, "< 5 s", normal_s < 5, timed=True)
        problem = server.check(pids)
        yield Row(what, problem or "same workers, same response", "no change", not problem)


def goodput(url: str, request: bytes, seconds: float) -> float:
    """Requests per second while none is refused."""
    with Load(url, request, 2) as load:
        time.sleep(seconds)
    samples = load.all()
    return len(samples) / (max(each.end_s for each in samples) - samples[0].sent_s)


def judged(what: str, samples: list[Sample], peak_per_s: float, seconds: float) -> Rows:
    statuses = [each.reply.status for each in samples]
    refused = [each for each in samples if each.reply.status == 503]
    with_hint = sum(each.reply.retry_after.isdigit() for each in refused)
    figure = f"{statuses.count(200)} × 200, {len(refused)} × 503, {with_hint} with Retry-After"
    known = set(statuses) == {200, 503} and with_hint == len(refused)
    yield Row(what, figure, "200 or 503 with Retry-After", known)
    p99_ms = percentile([each.end_s - each.sent_s for each in refused], 99)
    yield Row(what, f"503 after p99 {p99_ms:.1f} ms", "< 100 ms", p99_ms < 100, timed=True)
    share = statuses.count(200) / seconds / peak_per_s
    yield Row(what, f"goodput {share:.0%} of peak", ">= 90 %", share >= 0.9, timed=True)


def time_to_normal(server: Server, request: bytes) -> float:
    """Seconds until five requests in a row take about as long as they run."""
    started_s = time.monotonic()
    in_a_row = 0
    while in_a_row < 5 and time.monotonic() < started_s + 30:
        with Load(server.url, request, 1) as load:
            time.sleep(RUN_S)
        for each in load.all():
            fine = each.reply.status == 200 and each.latency_s < 3 * RUN_S
            in_a_row = in_a_row + 1 if fine else 0
    return time.monotonic() - started_s
