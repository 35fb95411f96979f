"""Processes: fork, signals across the fork, and exit codes as text."""

import ctypes
import logging
import os
import signal
from collections.abc import Callable
from contextlib import suppress

from torch_serving.telemetry.output import drain_output

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

# To a worker, SIGHUP means "stop without delay": its successor serves already, so load balancers
# need no time to notice. To the parent, it means "reload".
RETIRE_SIGNAL = signal.SIGHUP
FORWARDED_SIGNALS = (*STOP_SIGNALS, RETIRE_SIGNAL)

PR_SET_PDEATHSIG = 1  # linux/prctl.h

logger = logging.getLogger(__name__)


def fork(run: Callable[[], int]) -> int:
    """Call `run` in a new process, which ends with the code that `run` returns; return its id.

    Raises OSError if no process can be started.
    """
    # a signal to the new process waits until it has no handlers of its parent any more
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED_SIGNALS)
    try:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                reset_signals()
                code = run()
            finally:
                drain_output()
                os._exit(code)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED_SIGNALS)


def run_logged(run: Callable[[], int]) -> int:
    """Call `run` in a new process; log its error, and return the exit code.

    Nothing is torn down afterwards but by `os._exit`: an executor thread may be inside a run that
    never ends, and needs torch until the process is gone.
    """
    code = 1
    try:
        code = run()
    except BaseException:
        logger.exception("the worker ends")
    logging.shutdown()
    return code


def reset_signals() -> None:
    """Undo the signal handling of the parent, in a child that it forked with signals blocked."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    # a terminal sends SIGINT to all processes; the parent forwards it as SIGTERM
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED_SIGNALS)


def end_with_parent(parent: int) -> None:
    """Have the kernel end this process when `parent`, which forked it, has ended, on Linux."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended already, and the kernel says nothing of that
        os._exit(1)


def send_signal(pid: int, number: int) -> None:
    """Send a signal to a process, unless it has just ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def exit_text(code: int) -> str:
    """The exit code of a process as text."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
