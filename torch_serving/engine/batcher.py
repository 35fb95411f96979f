"""Several requests as one run, for models that take the first dimension of tensors for a batch.

A model's configuration claims that the model does. Its first request validates the claim: two
different requests must give the same results together as alone. If they don't, requests to the
model run one by one, and the log says so.
"""

import enum
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from torch_serving.engine.batch_tensors import (
    NotRowWise,
    changed,
    concatenate,
    is_close,
    rows_of,
    split,
)
from torch_serving.engine.device_errors import explain

logger = logging.getLogger(__name__)

Run = Callable[[list[Any]], Any]


class BatchState(enum.Enum):
    """Whether requests may run together. The values are those that a model's description has."""

    UNVALIDATED = "unproven"
    ON = "on"
    OFF = "off"


UNVALIDATED, ON, OFF = BatchState  # members of an Enum are slow to look up


class Batcher:
    """Whether and how the requests for one method run together. Safe to use from any thread."""

    def __init__(
        self, name: str, max_rows: int, tf32: bool = False, limit: int | None = None
    ) -> None:
        """`limit`: how many rows the program takes, which also tells that no result but tensors
        depends on them."""
        self.max_rows = max_rows if limit is None else min(max_rows, limit)
        self.limit = limit
        self.state = UNVALIDATED
        self.waiting: deque[Any] = deque()  # jobs, for whichever executor thread is free first
        self._name = name
        self.tf32 = tf32
        self._lock = threading.Lock()  # of the transition from UNVALIDATED

    @property
    def max_batch(self) -> int:
        """Rows of the largest batch; 0 while batches are off."""
        return 0 if self.state is OFF else self.max_rows

    def sizes(self, rows: int) -> list[int]:
        """How many requests of so many rows run as one: 2, 4, 8, …, and as many as may."""
        most = self.max_rows // rows
        powers = [1 << power for power in range(1, most.bit_length())]
        return [*(each for each in powers if each < most), most] if most > 1 else []

    def validate(self, run: Run, inputs: list[Any], outputs: Any) -> None:
        """Turn batches on or off, by the inputs of one request and its outputs."""
        rows = rows_of(inputs)
        if rows is None or (self.limit is not None and 2 * rows > self.limit):
            return  # it has no rows, or too many to run twice as one: the next one decides
        with self._lock:
            if self.state is not UNVALIDATED:
                return
            self.state = OFF  # for other threads, as long as this takes
        try:
            problem = problem_together(run, inputs, outputs, self)
        except Exception as error:
            problem = explain(error).partition("\n")[0]
        if problem:
            self.turn_off(problem)
        else:
            self.state = ON

    def turn_off(self, problem: str) -> None:
        self.state = OFF
        logger.warning("%s: served one by one, not in batches: %s", self._name, problem)

    def split(self, outputs: Any, sizes: list[int]) -> list[Any]:
        """The results of requests that ran as one; `sizes` are their rows. Raises NotRowWise."""
        return split(outputs, sizes, constants=self.limit is not None)

    def take_waiting(self) -> list[Any]:
        """Remove jobs that wait, the oldest first: as many as may fit into one run."""
        jobs: list[Any] = []
        try:
            while len(jobs) < self.max_rows:
                jobs.append(self.waiting.popleft())
        except IndexError:
            pass
        return jobs


def problem_together(run: Run, inputs: list[Any], outputs: Any, batcher: Batcher) -> str:
    """Why two requests can't run as one, in either order; empty if they can."""
    others = changed(inputs)
    try:
        alone = [outputs, run(others)]
    except Exception:  # the model refuses some values
        others, alone = inputs, [outputs, outputs]
    rows = rows_of(inputs) or 0
    try:
        # what depends on the order of values, as sorting does, shows in one order only
        for requests, expected in (([inputs, others], alone), ([others, inputs], alone[::-1])):
            parts = batcher.split(run(concatenate(requests)), [rows, rows])
            if not all(is_close(*pair, batcher.tf32) for pair in zip(parts, expected, strict=True)):
                return "two requests give other results together than alone"
    except NotRowWise as error:
        return str(error)
    return ""
