"""Servers under test, their models, and figures of their processes from /proc."""

import functools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from tests.chaos.table import Effort
from tests.support.broken_device import save_breaking
from tests.support.client import LIMIT_S, Client, tensor, warm_up
from tests.support.process import Process, wait_until
from tests.support.servables import SOURCES, Raising, mlp, scripted
from tests.support.slow_model import body_of, turns_in

MEBIBYTE = 1 << 20
FEATURES = [tensor([1, 16], [number / 8 for number in range(16)])]
ZEROS = ("n: int", "Tensor", "return torch.zeros([n])")
STAMPED = (
    "x: Tensor",
    "Tensor",
    "assert bool((x >= 0).all()), 'negative'\n    return x.clone()",
)


class Server(Process):
    """A running server, seen from outside."""

    healthy_within_s = 1.0

    @functools.cached_property
    def url(self) -> str:
        return super().url  # read once, as the log becomes long

    def pids(self) -> list[int]:
        """The serving workers: they have executor threads, which trial processes do not."""
        text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in text.split() if has_threads(int(pid))]

    def status(self, name: str) -> int:
        """A number of /proc/PID/status, summed over the workers."""
        return sum(status_of(pid, name) for pid in self.pids())

    def resident_bytes(self) -> int:
        return self.status("VmRSS") * 1024

    def open_files(self) -> int:
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.pids())

    def forget_peak(self) -> None:
        for pid in self.pids():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def check(self, pids: list[int] | None = None) -> str:
        """Return "" if no worker died, health is reported in time and a known request gives its
        known result; else the problem."""
        if pids is not None and self.pids() != pids:
            return "a worker died"
        started_s = time.monotonic()
        with Client(self.url) as client:
            if client.get("/healthcheck").status != 200:
                return "not healthy"
            if time.monotonic() - started_s > self.healthy_within_s:
                return "slow to be healthy"
            value = client.post("mlp.pt", FEATURES).result["value"]
            if not torch.equal(torch.tensor([value]), known_result()):
                return "a wrong response"
        return ""


class Stage:
    """A folder of models, and the servers started on it."""

    def __init__(self, folder: Path, effort: Effort) -> None:
        self.root = folder / "models"
        self.effort = effort
        self._folder = folder
        self._servers = 0
        self.root.mkdir()
        for name in ("echo.pt", "sum.pt", "slow.pt", "crashing.pt"):
            scripted(*SOURCES[name]).save(self.root / name)
        scripted(*ZEROS).save(self.root / "zeros.pt")
        scripted(*STAMPED).save(self.root / "stamped.pt")
        mlp().save(self.root / "mlp.pt")
        save_breaking(self.root)
        torch.jit.script(Raising()).save(self.root / "raising.pt")

    @contextmanager
    def server(
        self,
        *flags: str,
        module: str = "torch_serving",
        kind: type[Server] = Server,
        **environment: str,
    ) -> Iterator[Server]:
        """Start one; it is killed at the end."""
        self._servers += 1
        folder = self._folder / f"server-{self._servers}"
        folder.mkdir()
        server = kind(folder, [str(self.root), "--port", "0", *flags], environment, module)
        if self.effort != Effort():  # short runs are tests, which do not judge times
            server.healthy_within_s = LIMIT_S
        try:
            with Client(server.url) as client:
                for _ in range(30):  # TorchScript specialises in the first runs
                    client.post("mlp.pt", FEATURES)
            yield server
        finally:
            server.end()

    def slow_body(self, seconds: float) -> bytes:
        """A body for slow.pt that runs for about `seconds`."""
        return body_of(turns_in(seconds, self.root))


def warmed(server: Server) -> str:
    warm_up(server.url)
    return server.url


@functools.cache
def known_result() -> torch.Tensor:
    """The result of mlp.pt for FEATURES, bit for bit."""
    # TorchScript shares what it compiled, perhaps for gradients, which inference mode refuses
    with torch.inference_mode(False), torch.no_grad():
        result: torch.Tensor = mlp()(torch.tensor([FEATURES[0]["value"]]))
        return result.clone()


def has_threads(pid: int) -> bool:
    try:
        return status_of(pid, "Threads") > 1
    except (OSError, LookupError):  # it is gone
        return False


def status_of(pid: int | str, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise LookupError(name)


def wait_for_workers(server: Server, count: int) -> None:
    wait_until(lambda: len(server.pids()) == count)
