"""How tests see that a native call lets other threads run.

Within one call into native code no other thread gets the GIL before the switch interval is over.
With an interval far beyond any test, a thread that counts meanwhile has been let in by the call.
"""

import itertools
import sys
import threading
import time
from collections.abc import Callable

BURST = 10_000
TRIES = 20


def lets_others_run(call: Callable[[Callable[[], None]], object], part: int = 0) -> bool:
    """Whether another thread counts during `call`, or during a part of it.

    `call` is given a function that divides it. A busy machine may not give that thread its turn in
    time, so one try of several is enough: with the GIL kept, none succeeds.
    """
    return any(counts_between(call)[part] for _ in range(TRIES))


def counts_between(call: Callable[[Callable[[], None]], object]) -> list[int]:
    """How far another thread counts in each part of `call`: multiples of BURST."""
    count = 0
    seen: list[int] = []

    def mark() -> None:
        seen.append(count)

    def watch() -> None:
        mark()
        call(mark)
        mark()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(30)
    try:
        thread = threading.Thread(target=watch)
        thread.start()
        while thread.is_alive():
            for _ in range(BURST):
                count += 1
            time.sleep(0.0001)  # gives the GIL back, so that `call` can go on
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    return [after - before for before, after in itertools.pairwise(seen)]
