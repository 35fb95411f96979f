"""A model that breaks its device, with and without a spare worker."""

import time

from tests.chaos.deaths import TWO_WORKERS, every_second
from tests.chaos.load import Load, failures
from tests.chaos.slow_clients import GOOD
from tests.chaos.stage import Stage, wait_for_workers
from tests.chaos.table import Row, Rows

NAME = "breaking.pt"


def failed_device(stage: Stage) -> Rows:
    """It is asked every second, beside good requests that nobody may lose."""
    for flags in ((), ("--spare",)):
        yield from with_flags(stage, flags)


def with_flags(stage: Stage, flags: tuple[str, ...]) -> Rows:
    statuses: list[tuple[int, str]] = []
    seconds = stage.effort.time(20)
    with stage.server(*TWO_WORKERS, *flags) as server:
        with Load(server.url, GOOD, 4, 100) as load, every_second(server, statuses, NAME):
            time.sleep(seconds)
        samples = load.all()
        spare = ", a spare" if flags else ""
        done = f"a model that breaks its device, asked every second for {seconds:.0f} s{spare}"
        figure = f"{failures(samples)} of {len(samples)} good requests failed"
        yield Row(done, figure, "none", failures(samples) == 0)
        failed = statuses.count((503, "Device failed"))
        kept_away = statuses.count((503, "Model quarantined"))
        figure = f"{failed} × 503 Device failed, {kept_away} × 503 Model quarantined"
        fine = failed == 2 and kept_away == len(statuses) - 2 > 0
        yield Row(done, figure, "2, then all others", fine)
        wait_for_workers(server, 2 + len(flags))
        problem = server.check()
        yield Row(done, problem or "two workers", "two workers", not problem)
