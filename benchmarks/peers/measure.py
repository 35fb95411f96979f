"""One round of a server on a workload: start, check, warm up, load, measure memory."""

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.environments import run
from benchmarks.peers.questions import Questions
from benchmarks.peers.table import Peer
from benchmarks.peers.workloads import Workload
from benchmarks.support.load import free_port, load, write_script
from benchmarks.support.process import pss_mb, start_program

APPS = Path(__file__).with_name("apps")


Round = tuple[float, float, float]  # requests/s, p50 ms, p99 ms


@dataclass(frozen=True)
class Figures:
    start_s: float
    memory_mb: float
    rounds: dict[int, Round]  # by number of connections


def measure(peer: Peer, workload: Workload, programs: Path, log: Path, seconds: int) -> Figures:
    """Run one round. Errors are raised once the server has been stopped."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = folder / "model.pt"
        workload.model.save(model)
        ports = {key: free_port() for key in ("port", "port2", "port3", "port4")}
        words = {"bin": programs, "apps": APPS, "folder": folder, "model": model, **ports}
        if peer.prepare:
            run([part.format_map(words) for part in peer.prepare])
        command = [part.format_map(words) for part in peer.command]
        questions = Questions(peer, workload, ports["port"])
        script = write_script(folder / "post.lua", questions.body(workload.numbers))
        started = time.perf_counter()
        with start_program(command, folder, variables(folder, model, programs), log) as server:
            questions.wait_until_right(server)
            start_s = time.perf_counter() - started
            questions.check_different()
            load(questions.url, max(workload.connections), script, peer.warm_seconds)
            rounds = {
                count: load(questions.url, count, script, seconds) for count in workload.connections
            }
            questions.check_different()
            return Figures(start_s, pss_mb(server), rounds)


def variables(folder: Path, model: Path, programs: Path) -> dict[str, str]:
    """The server's environment; its temporary files go to the folder, which is removed."""
    return {
        "MODEL": str(model),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "TMPDIR": str(folder),
        "TEMP": str(folder),
    }
