"""`end_with_starter.py FD SIGNAL PROGRAM…`: run a program, and signal it once its starter is gone.

Other processes would leave it behind, and go on serving what it was last told. A script, and no
part of the package for whoever runs it: it starts in milliseconds, without Ray.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1


def main(descriptor: int, number: int, command: list[str]) -> int:
    """Return the exit code of the program."""
    parent = os.getpid()
    child = subprocess.Popen(command, preexec_fn=lambda: end_with(parent, number))
    signal.signal(signal.SIGTERM, lambda *_: child.send_signal(number))
    waiter = select.poll()
    waiter.register(descriptor, select.POLLIN)
    waiter.register(os.pidfd_open(child.pid), select.POLLIN)
    ready = {which for which, _ in waiter.poll()}
    if descriptor in ready and child.poll() is None:
        child.send_signal(number)
    code = child.wait()
    return 128 - code if code < 0 else code


def end_with(parent: int, number: int) -> None:
    """Let the system send the signal should this script be killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
