"""Servers as processes of their own, for tests that ask them over a socket."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from tests.support.client import LIMIT_S

ROOT = Path(__file__).parents[2]


class Process:
    """`python -m torch_serving` with its output in files, as a pipe might fill.

    A `module` of the tests is found from any folder.
    """

    def __init__(
        self,
        folder: Path,
        arguments: list[str],
        environment: dict[str, str],
        module: str = "torch_serving",
    ) -> None:
        self._out = folder / "stdout"
        self._err = folder / "stderr"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("TORCH_SERVING_")}
        if module.startswith("tests."):
            inherited["PYTHONPATH"] = str(ROOT)
        with self.open_stdout() as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=folder,
                env={**inherited, **environment},
            )

    def open_stdout(self) -> BinaryIO:
        return self._out.open("wb")

    @property
    def stdout(self) -> str:
        return self._read(self._out)

    @property
    def stderr(self) -> str:
        return self._read(self._err)

    def _read(self, path: Path) -> str:
        """All that was written; of a process that runs, whole lines."""
        is_running = self.is_running()
        data = path.read_bytes()
        return (data[: data.rfind(b"\n") + 1] if is_running else data).decode()

    @property
    def problems(self) -> str:
        """What it has logged but for information, and for files that are no models."""
        lines = [line for line in self.stderr.splitlines() if " is not listed: " not in line]
        harmless = re.compile(r"\S+ INFO |    ")
        return "\n".join(line for line in lines if not harmless.match(line))

    @property
    def url(self) -> str:
        """Wait for the start-up line, which has the address."""
        wait_until(lambda: "\n" in self.stdout or self._process.poll() is not None)
        line = self.stdout.partition("\n")[0]
        assert " on http://" in line or " on unix:/" in line, self.stderr
        return line.split(" on ")[1].split()[0]

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: int = signal.SIGTERM) -> None:
        self._process.send_signal(number)

    def is_running(self) -> bool:
        return self._process.poll() is None

    def exit_code(self) -> int:
        return self._process.wait(LIMIT_S)

    def end(self) -> None:
        self._process.kill()
        self._process.wait(LIMIT_S)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether a process has not ended, though it may wait for its parent."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False


def child_pids(process: Process) -> list[int]:
    """The workers of a server, and the processes that try a model."""
    folder = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(pid) for pid in folder.read_text().split()]


def exit_code_of_child(run: Callable[[], int]) -> int:
    """Run in a forked process: a supervisor replaces the signal handlers of its process."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(run())
        finally:
            os._exit(99)
    deadline_s = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline_s:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    raise TimeoutError


def check_one_line(process: Process, words: str) -> None:
    """A process that did not start says why in one line."""
    assert process.stdout == ""
    assert process.stderr.startswith("torch-serving: ")
    assert words in process.stderr
    assert process.stderr.count("\n") == 1
    assert process.stderr.endswith("\n")
