"""A server as a child, which ends with this process."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

READY_S = 0.1  # between looks at a server that starts
ASK_S = 3.0
EXPLAIN_S = 60.0
COUNTED_BY_RAY = "OMP_NUM_THREADS"  # Ray sets it in its workers, to the CPUs that it counts


class Pipe(NamedTuple):
    read: int
    write: int


class ServerProcess:
    """`torch-serving MODEL_ROOT flags…` on a free port of an address."""

    def __init__(self, model_root: str, flags: Sequence[str], host: str, key: str | None) -> None:
        """Start it, and wait until it is ready. Raises RuntimeError if it ends before."""
        self._key = key
        self._command = [sys.executable, "-m", "torch_serving", "serve", model_root, *flags]
        ready, lifeline = Pipe(*os.pipe()), Pipe(*os.pipe())
        try:
            self._child = self._start(host, ready.write, lifeline.read)
        finally:
            os.close(ready.write)
            os.close(lifeline.read)
        self._lifeline = lifeline.write
        self.host, self.port = self._wait(ready.read)

    def _start(self, host: str, ready: int, lifeline: int) -> "subprocess.Popen[bytes]":
        """Its health needs no key, so that balancers can ask; it is told that they stand before."""
        own = ["--host", host, "--port", "0", "--open-health", "--behind-proxy"]
        descriptors = ["--ready-fd", str(ready), "--lifeline-fd", str(lifeline)]
        return subprocess.Popen(
            [*self._command, *own, *descriptors],
            pass_fds=(ready, lifeline),
            stdin=subprocess.DEVNULL,
            env=environment_of_server(os.environ),
        )

    def _wait(self, descriptor: int) -> tuple[str, int]:
        os.set_blocking(descriptor, False)
        with os.fdopen(descriptor, "rb") as line:
            while not (text := line.read()):
                if not self.is_running():
                    raise RuntimeError(self._explain())
                time.sleep(READY_S)
        facts = json.loads(text)
        return facts["host"], facts["port"]

    def _explain(self) -> str:
        """Say why it did not start, as `--check` tells it; the log has it as well."""
        command = [*self._command, "--check"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=EXPLAIN_S)
        why = done.stderr.strip() if done.returncode else "its log says why"
        return f"the server ended with exit code {self._child.returncode}: {why}"

    def is_running(self) -> bool:
        return self._child.poll() is None

    def kill(self) -> None:
        self._child.kill()

    def check(self) -> None:
        """Raise RuntimeError if it has ended, and OSError if it does not answer."""
        if not self.is_running():
            raise RuntimeError(f"the server ended with exit code {self._child.returncode}")
        self.get("/healthcheck")

    def get(self, path: str) -> bytes:
        """Return what is at a path. Raises OSError."""
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        request = urllib.request.Request(f"http://{self.host}:{self.port}{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=ASK_S) as answer:
            return bytes(answer.read())

    def load(self) -> dict[str, Any]:
        """Return what runs and waits. Raises OSError."""
        found: dict[str, Any] = json.loads(self.get("/load"))
        return found

    def stop(self, limit_s: float) -> None:
        """Let it end accepted requests, and wait for that; kill it after a time."""
        os.close(self._lifeline)
        try:
            self._child.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            self._child.wait()


def environment_of_server(environment: Mapping[str, str]) -> dict[str, str]:
    """Without what Ray decided for the actor: the server chooses its threads itself."""
    return {name: value for name, value in environment.items() if name != COUNTED_BY_RAY}
