"""Keeps a server as long as a test lives: `python -m torch_serving.testing.keeper PID ARGUMENTS`.

PID is that of the test, whose child this process is: it gets another parent however the test ends.
The server has a process group of its own; it is asked to stop, and killed with all that it has
started if it does not.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

from torch_serving.lifeline import lifeline

LOOK_S = 0.05
STOP_S = 10.0


def main() -> int:
    """Run a server until it or the test ends; return its exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: it is for the test
    asked: list[int] = []  # noted only: the signal may come while the server is being started
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    parent, arguments = int(sys.argv[1]), sys.argv[2:]
    with lifeline(arguments) as (flags, inherited):
        server = subprocess.Popen(
            [sys.executable, "-m", "torch_serving", *arguments, *flags],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=inherited,
        )
        while server.poll() is None and os.getppid() == parent and not asked:
            time.sleep(LOOK_S)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return end(server)


def end(server: "subprocess.Popen[bytes]") -> int:
    """End the server, and whatever it has started."""
    server.terminate()
    with suppress(subprocess.TimeoutExpired):
        server.wait(STOP_S)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(server.pid, signal.SIGKILL)
    return server.wait()


if __name__ == "__main__":
    sys.exit(main())
