"""How much of its time the generator's thread was busy, or waited for a core."""

import time
from pathlib import Path
from typing import NamedTuple

SCHEDULER = Path("/proc/thread-self/schedstat")  # ns on a core, ns that it waited for one


class Usage(NamedTuple):
    """Seconds so far, of the thread that asks."""

    wall_s: float
    cpu_s: float
    waited_s: float

    @classmethod
    def now(cls) -> "Usage":
        try:
            waited_s = int(SCHEDULER.read_text().split()[1]) / 1e9
        except (OSError, ValueError, IndexError):
            waited_s = 0.0  # the kernel does not say
        return cls(time.perf_counter(), time.thread_time(), waited_s)

    def since(self, before: "Usage") -> "Usage":
        return Usage(*(now - then for now, then in zip(self, before, strict=True)))


NO_USAGE = Usage(0.0, 0.0, 0.0)
