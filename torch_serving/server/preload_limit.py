"""The limit for a preloaded model, whose loading may never end."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from torch_serving.telemetry.output import drain_output

EXIT_CODE = 2  # as of a model that can't be preloaded


@contextmanager
def preload_limit(limit_s: float, name: str) -> Iterator[None]:
    """End the process if a model is still being loaded after so long: nothing else stops that.

    No thread is left at the end: the process may fork.
    """
    timer = threading.Timer(limit_s, end_start, (limit_s, name))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def end_start(limit_s: float, name: str) -> None:
    problem = f"--preload: loading `{name}` takes longer than --load-timeout, {limit_s:g} s"
    print(f"torch-serving: {problem}", file=sys.stderr, flush=True)
    drain_output()
    os._exit(EXIT_CODE)
