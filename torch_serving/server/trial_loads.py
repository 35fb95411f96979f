"""Trials: what may crash is done with a model in a process of its own, which costs no worker.

The parent forks that process, since it has torch and no threads. An unknown model is loaded there
first, and examples of requests are looked for there. A file has one trial load, however many
workers ask for it; the result is kept until the file, or one beside it, changes.
"""

import errno
import json
import logging
import math
import os
import signal
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple

from torch_serving.models.trials import EXAMPLES_LIMIT_S
from torch_serving.server.parent_channel import (
    ACCEPTED,
    LOADED,
    NOT_STARTED,
    REFUSED,
    Request,
    reply,
)
from torch_serving.server.process import end_with_parent, exit_text, fork, send_signal

logger = logging.getLogger(__name__)

MAX_OUTCOMES = 10_000

TryLoad = Callable[[Request, int], None]
FindExamples = Callable[[Request, int], Iterable[bytes]]  # returns lines for the worker


class Task(NamedTuple):
    """What is done for the server itself with models that it has not loaded.

    `run` is called in a process of its own; `on_failure` in the parent, if that process crashes or
    takes too long.
    """

    run: Callable[[], None]
    on_failure: Callable[[], None]


class Trial(NamedTuple):
    """A trial that runs, and the key under which its result is kept."""

    purpose: str
    key: str  # of the file: its stat, and those of the files beside it; "": it is not kept
    joined: list[int]  # pipes to workers that asked for the same while it ran
    task: Task | None = None


class TrialLoads:
    """Calls `try_load` or `find_examples` with a request and a model's descriptor.

    Each call has a process of its own. `close_inherited` is called there first, to close what the
    process must not keep open.
    """

    def __init__(
        self,
        try_load: TryLoad,
        close_inherited: Callable[[], None],
        find_examples: FindExamples = lambda *_: (),
        load_timeout_s: float = math.inf,
    ) -> None:
        """A process that loads longer than `load_timeout_s` is ended, and the file refused."""
        self._try_load = try_load
        self._find_examples = find_examples
        self._close_inherited = close_inherited
        self._load_timeout_s = load_timeout_s
        self._running: dict[int, Trial] = {}
        self._is_loadable: OrderedDict[str, bool] = OrderedDict()  # by key, the oldest first

    def start(self, request: bytes, descriptors: list[int]) -> None:
        """Start a trial load, or reply with the known result. The descriptors are closed here."""
        try:
            if len(descriptors) == 2:
                self._start(json.loads(request), *descriptors)
            else:  # this process has no descriptors left: the worker reads that it closed the pipe
                logger.error("a model can't be tried: %s", os.strerror(errno.EMFILE))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _start(self, request: Request, model: int, replies: int) -> None:
        if not reply(replies, ACCEPTED):
            return
        if "examples_of" in request:
            trial = Trial(f"looking for a request to {request['name']}", "", [])
            self._fork(trial, lambda: self._write_examples(request, model, replies), replies)
            return
        self.reap()  # the trial before may have ended just now
        trial = Trial(f"loading {request['name']}", json.dumps(request["key"]), [])
        is_loadable = self._is_loadable.get(trial.key)
        if is_loadable is not None:
            reply(replies, LOADED if is_loadable else REFUSED)
        elif not self._join(trial.key, replies):
            self._fork(trial, lambda: self._load(request, model, replies), replies)

    def run(self, task: Task) -> None:
        """Start a task, which ends as a search for examples does."""

        def run_in_time() -> None:
            signal.alarm(EXAMPLES_LIMIT_S)
            logging.disable(logging.ERROR)  # nobody asked for it
            task.run()

        self._fork(Trial("a task", "", [], task), run_in_time)

    def _join(self, key: str, replies: int) -> bool:
        """Have a worker wait for the trial of the same file, if one runs.

        A process that is ending closes its pipe before the parent can reap it: the worker that it
        refused may be back by then.
        """
        trial = next((each for each in self._running.values() if each.key == key), None)
        if trial is None:
            return False
        try:
            trial.joined.append(os.dup(replies))
        except OSError as error:
            logger.error("nothing can wait for %s: %s", trial.purpose, error.strerror)
            reply(replies, NOT_STARTED)
        return True

    def _fork(self, trial: Trial, run: Callable[[], None], replies: int | None = None) -> None:
        parent = os.getpid()

        def run_apart() -> int:
            end_with_parent(parent)
            self._close_inherited()
            os.environ["CUDA_VISIBLE_DEVICES"] = ""  # of no use here, and slow to open
            run()
            return 0

        try:
            self._running[fork(run_apart)] = trial
        except OSError as error:  # no process is left: that says nothing about the model
            logger.error("no process for %s: %s", trial.purpose, error.strerror)
            if trial.task:
                trial.task.on_failure()
            if replies is not None:
                reply(replies, NOT_STARTED)

    def _load(self, request: Request, model: int, replies: int) -> None:
        with suppress(BaseException):  # the worker meets the same error, and reports it
            if self._load_timeout_s < math.inf:
                signal.setitimer(signal.ITIMER_REAL, self._load_timeout_s)
            self._try_load(request, model)
        reply(replies, LOADED)

    def _write_examples(self, request: Request, model: int, replies: int) -> None:
        with suppress(BaseException):  # whatever it is, there are no more examples
            signal.alarm(EXAMPLES_LIMIT_S)
            for line in self._find_examples(request, model):
                if not reply(replies, line):
                    break

    def reap(self) -> None:
        """Record the outcomes of processes that have ended."""
        for pid in list(self._running):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._record(self._running.pop(pid), os.waitstatus_to_exitcode(status))

    def _record(self, trial: Trial, code: int) -> None:
        if trial.task:
            if code:
                trial.task.on_failure()
            return
        if code:
            reason = "it took too long" if code == -signal.SIGALRM else exit_text(code)
            logger.error("%s ended its process (%s)", trial.purpose, reason)
        for pipe in trial.joined:
            reply(pipe, REFUSED if code else LOADED)
            os.close(pipe)
        if code in (-signal.SIGKILL, -signal.SIGTERM) or not trial.key:
            return  # ended from outside, or for lack of memory: that says nothing about the file
        self._is_loadable[trial.key] = code == 0
        if len(self._is_loadable) > MAX_OUTCOMES:
            self._is_loadable.popitem(last=False)

    def end(self) -> None:
        """End all processes that still run."""
        for pid in self._running:
            send_signal(pid, signal.SIGKILL)
