"""Trial loads: an unknown model is loaded in a process of its own first; a crash costs no worker.

The parent forks that process, since it has torch and no threads. The result for a file is kept for
as long as neither the file nor the files beside it change.
"""

import errno
import json
import logging
import os
import signal
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from torch_serving.server.parent_channel import ACCEPTED, LOADED, NOT_STARTED, Request, reply
from torch_serving.server.process import exit_text, fork, send_signal

logger = logging.getLogger(__name__)

LIMIT_S = 300  # then the process is ended: a model that takes longer is refused
MAX_OUTCOMES = 10_000

TryLoad = Callable[[Request, int], None]


class Trial(NamedTuple):
    """A trial load that runs, and the key under which its result is kept."""

    name: str
    key: str  # of the file: its stat, and those of the files beside it


class TrialLoads:
    """Calls `try_load` with a request and a model's descriptor, in one process for each.

    `close_inherited` is called there first, to close what the process must not keep open.
    """

    def __init__(self, try_load: TryLoad, close_inherited: Callable[[], None]) -> None:
        self._try_load = try_load
        self._close_inherited = close_inherited
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
        reply(replies, ACCEPTED)
        trial = Trial(request["name"], json.dumps(request["key"]))
        is_loadable = self._is_loadable.get(trial.key)
        if is_loadable:
            reply(replies, LOADED)
        elif is_loadable is None:
            try:
                self._running[self._fork(request, model, replies)] = trial
            except OSError as error:  # no process is left: that says nothing about the model
                logger.error("%s can't be tried: %s", trial.name, error.strerror)
                reply(replies, NOT_STARTED)

    def _fork(self, request: Request, model: int, replies: int) -> int:
        def run() -> int:
            self._close_inherited()
            os.environ["CUDA_VISIBLE_DEVICES"] = ""  # of no use here, and slow to open
            with suppress(BaseException):  # the worker meets the same error, and reports it
                signal.alarm(LIMIT_S)
                self._try_load(request, model)
            reply(replies, LOADED)
            return 0

        return fork(run)

    def reap(self) -> None:
        """Record the outcomes of processes that have ended."""
        for pid in list(self._running):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._record(self._running.pop(pid), os.waitstatus_to_exitcode(status))

    def _record(self, trial: Trial, code: int) -> None:
        if code:
            logger.error("loading %s ended its process (%s)", trial.name, exit_text(code))
        if code in (-signal.SIGKILL, -signal.SIGTERM):
            return  # ended from outside, or for lack of memory: that says nothing about the file
        self._is_loadable[trial.key] = code == 0
        if len(self._is_loadable) > MAX_OUTCOMES:
            self._is_loadable.popitem(last=False)

    def end(self) -> None:
        """End all processes that still run."""
        for pid in self._running:
            send_signal(pid, signal.SIGKILL)
