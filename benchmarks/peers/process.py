"""A server as a process: started, found to be right, weighed, and stopped with all its children."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

STOP_TIMEOUT_S = 10


@contextlib.contextmanager
def running(
    command: Sequence[str], folder: Path, variables: dict[str, str], log: Path
) -> Iterator[psutil.Popen]:
    """The server for the time of the block; its output goes to `log`."""
    with log.open("wb") as output:
        server = psutil.Popen(
            command,
            cwd=folder,
            env=os.environ | variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield server
    finally:
        stop(server)


def stop(server: psutil.Popen) -> None:
    """Ask the server to end, and end whatever it leaves behind."""
    family = family_of(server)
    for process in family:  # all of them: TorchServe's launcher doesn't pass it on
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    psutil.wait_procs(family, timeout=STOP_TIMEOUT_S)
    for process in family:  # some are in sessions of their own
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    with contextlib.suppress(ProcessLookupError):  # those that the server forgot
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def family_of(server: psutil.Popen) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return [server, *server.children(recursive=True)]
    return [server]


def memory_mb(server: psutil.Popen) -> float:
    """PSS of the whole tree: shared pages count once."""
    total = 0
    for process in family_of(server):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss
    return total / 1e6
