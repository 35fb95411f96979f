"""Loading a model that was never seen, in a process of its own: one that crashes costs no worker.

The parent forks it, for the parent has torch and no threads. What a file did is remembered for as
long as neither it nor what stands beside it changes.
"""

import json
import logging
import os
import signal
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from torch_serving.server.process import SURVIVED, TAKEN, UNTRIED, cause_of, fork

logger = logging.getLogger(__name__)

LIMIT_S = 300  # after it, the process is ended: what loads for longer is refused
MAX_VERDICTS = 10_000

Question = dict[str, Any]
Try = Callable[[Question, int], None]


class Trial(NamedTuple):
    name: str
    key: str


class Trials:
    """Runs `try_load` with a question and a model's descriptor, in one process for each.

    `let_go` is called there first, for what it inherits and must not hold.
    """

    def __init__(self, try_load: Try) -> None:
        self._try_load = try_load
        self.let_go: Callable[[], None] = lambda: None
        self._running: dict[int, Trial] = {}
        self._survived: OrderedDict[str, bool] = OrderedDict()  # by key, the oldest first

    def start(self, question: Question, model: int, answer: int) -> None:
        """Try a model, or say what is known of it. Both descriptors are closed here."""
        tell(answer, TAKEN)
        trial = Trial(question["name"], json.dumps(question["key"]))
        survived = self._survived.get(trial.key)
        if survived:
            tell(answer, SURVIVED)
        elif survived is None:
            try:
                self._fork(trial, question, model, answer)
            except OSError as error:  # no process is left: that says nothing of the model
                logger.error("%s can't be tried: %s", trial.name, error.strerror)
                tell(answer, UNTRIED)
        os.close(model)
        os.close(answer)

    def _fork(self, trial: Trial, question: Question, model: int, answer: int) -> None:
        def run() -> int:
            self.let_go()
            with suppress(BaseException):  # the worker will meet it too, and tell it
                signal.alarm(LIMIT_S)
                self._try_load(question, model)
            tell(answer, SURVIVED)
            return 0

        self._running[fork(run)] = trial

    def reap(self) -> None:
        """Take note of trials that have ended."""
        for pid in list(self._running):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._take_note(self._running.pop(pid), os.waitstatus_to_exitcode(status))

    def _take_note(self, trial: Trial, code: int) -> None:
        if code:
            logger.error("loading %s ended its process (%s)", trial.name, cause_of(code))
        if code in (-signal.SIGKILL, -signal.SIGTERM):
            return  # somebody ended it, or memory did: that says nothing of the file
        self._survived[trial.key] = code == 0
        if len(self._survived) > MAX_VERDICTS:
            self._survived.popitem(last=False)

    def end(self) -> None:
        """End what still runs."""
        for pid in self._running:
            os.kill(pid, signal.SIGKILL)


def tell(answer: int, word: bytes) -> None:
    """Answer a worker, unless it died after it had asked."""
    with suppress(BrokenPipeError):
        os.write(answer, word)
