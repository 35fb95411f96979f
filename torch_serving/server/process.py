"""A worker, from the fork on: its connection to the parent, and its end."""

import errno
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
READY = b"!"
TAKEN, SURVIVED, UNTRIED = b".", b"+", b"?"

logger = logging.getLogger(__name__)


class Lifeline:
    """A worker's end of its connection to the parent: tells when the worker serves, asks for
    trials, and tells the worker when the parent is gone."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def tell_ready(self) -> None:
        self.connection.send(READY)

    def fileno(self) -> int:
        """Becomes readable when the parent is gone."""
        return self.connection.fileno()

    def survives(self, question: dict[str, Any], model: int) -> bool:
        """Ask the parent to load the model of this descriptor in a process of its own; return
        whether that process lived to tell. Safe to use from any thread.

        Raises OSError if it could not be tried.
        """
        answer, theirs = os.pipe()
        try:
            socket.send_fds(self.connection, [json.dumps(question).encode()], [model, theirs])
        finally:
            os.close(theirs)
        try:
            # no select: a busy worker has descriptors beyond 1024
            if os.read(answer, 1) != TAKEN:  # what was sent it had no descriptors for
                raise OSError(errno.EAGAIN, "the parent could not take it")
            verdict = os.read(answer, 1)
        finally:
            os.close(answer)
        if verdict == UNTRIED:
            raise OSError(errno.EAGAIN, "no process could be started to try it in")
        return verdict == SURVIVED


Serve = Callable[[Lifeline], int]


def fork(run: Callable[[], int]) -> int:
    """Run in a new process, which ends with the code that is returned; return its id.

    Raises OSError if there can't be one.
    """
    # a signal to the new process waits until it has no handlers of its parent any more
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                reset_signals()
                code = run()
            finally:
                os._exit(code)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def run_worker(serve: Serve, connection: socket.socket) -> int:
    """What a new process does; return its exit code."""
    code = 1
    try:
        code = serve(Lifeline(connection))
    except BaseException:
        logger.exception("the worker ends")
    # then no more than os._exit: a lane may be inside a run that never ends, and torch must not be
    # torn down under it
    with suppress(OSError):  # a full disk must not keep this process from its end
        sys.stdout.flush()
    logging.shutdown()
    return code


def reset_signals() -> None:
    """Take back what the parent set up, in a child that it forked with signals blocked."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    # a terminal sends it to all processes; the parent passes on what it means
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*STOP_SIGNALS, signal.SIGHUP))


def cause_of(code: int) -> str:
    """The exit code of a process as text."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
