"""Starts a server on a free port, waits until it is ready, and ends it."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch_serving.client import Client, DeadlineExceeded

ADDRESS = re.compile(r"torch-serving \S+ on (https?://[\w.\[\]:-]+:\d+|unix:/.+?)(?= \()")
LOOK_S = 0.02
STOP_S = 15.0  # longer than the keeper waits
SHOWN_BYTES = 8_000  # of the log, from its end

Flag = str | int | float | bool | Path | None | list[str]


class ServerFailed(RuntimeError):
    """The server did not start; the message ends with its log."""


class Served:
    """A server that runs. `url` is its address, `client` calls its models."""

    def __init__(self, url: str, client: Client, log: Path, process: "subprocess.Popen[bytes]"):
        self.url = url
        self.client = client
        self._log = log
        self._process = process

    @property
    def log(self) -> str:
        """What it has printed; of a long log, the end; nothing once it has ended."""
        return tail_of(self._log) if self._log.exists() else ""

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._process.poll() is None


@contextmanager
def server(
    folder: str | os.PathLike[str],
    *,
    start_s: float = 120.0,
    api_key: str | None = None,
    environment: dict[str, str] | None = None,
    **flags: Flag,
) -> Iterator[Served]:
    """Serve the models of a folder on a free port, while the context lasts.

    `flags` are those of the command line: `threads=2` is `--threads 2`, `watch=True` is `--watch`,
    `trial_load=False` is `--no-trial-load`. `start_s` is how long the start may take, `api_key`
    what the client sends. `TORCH_SERVING_*` of this process is left out. The log is printed to
    standard error if the context ends with an exception, and the server ends however this process
    does.
    Raises ServerFailed.
    """
    with tempfile.TemporaryDirectory(prefix="torch-serving-") as work:
        log = Path(work, "log")
        process = started([os.fspath(folder), *arguments_of(flags)], log, environment or {})
        try:
            url = address_in(log, process, time.monotonic() + start_s)
            with Client(url, api_key=api_key, verify=False) as client:
                wait_until_ready(client, log, start_s)
                yield Served(url, client, log, process)
        except ServerFailed:
            raise
        except BaseException:
            print(f"--- log of torch-serving\n{tail_of(log)}", file=sys.stderr)
            raise
        finally:
            end(process)


def arguments_of(flags: dict[str, Flag]) -> list[str]:
    """Flags as the command line has them; a free port unless one is chosen."""
    chosen: dict[str, Flag] = flags if {"port", "uds"} & flags.keys() else {"port": 0, **flags}
    return [word for name, value in chosen.items() for word in words_of(name, value)]


def words_of(name: str, value: Flag) -> list[str]:
    name = name.replace("_", "-")
    if value is None:
        return []
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    values = value if isinstance(value, list | tuple) else [value]
    return [word for each in values for word in (f"--{name}", str(each))]


def started(
    arguments: list[str], log: Path, environment: dict[str, str]
) -> "subprocess.Popen[bytes]":
    """Start a keeper, which ends the server when this process ends."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("TORCH_SERVING_")}
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "torch_serving.testing.keeper", str(os.getpid()), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**inherited, "PYTHONUNBUFFERED": "1", **environment},
        )


def address_in(log: Path, process: "subprocess.Popen[bytes]", end_s: float) -> str:
    """Wait for the address in the log."""
    while True:
        ended = process.poll() is not None
        found = ADDRESS.search(tail_of(log))
        if found:
            return found[1]
        if ended:
            raise ServerFailed(
                f"torch-serving ended with status {process.returncode}\n{tail_of(log)}"
            )
        if time.monotonic() > end_s:
            raise ServerFailed(f"torch-serving told no address in time\n{tail_of(log)}")
        time.sleep(LOOK_S)


def wait_until_ready(client: Client, log: Path, seconds: float) -> None:
    try:
        client.wait_until_ready(seconds)
    except DeadlineExceeded as error:
        raise ServerFailed(f"{error}\n{tail_of(log)}") from None


def tail_of(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - SHOWN_BYTES))
        return file.read().decode(errors="replace")


def end(process: "subprocess.Popen[bytes]") -> None:
    """Ask the keeper to end the server, and wait for both."""
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
