"""One server on one workload: start, check, warm, load, weigh."""

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.load import free_port, load, write_script
from benchmarks.peers.environments import run
from benchmarks.peers.process import memory_mb, running
from benchmarks.peers.questions import Questions
from benchmarks.peers.table import Peer
from benchmarks.peers.workloads import Workload

APPS = Path(__file__).with_name("apps")
WARM_SECONDS = 1


@dataclass(frozen=True)
class Effort:
    seconds: int
    rounds: int


def measure(
    peer: Peer, workload: Workload, programs: Path, log: Path, effort: Effort
) -> dict[str, Any]:
    """The figures, ready for JSON. Raises whatever goes wrong, when the server is stopped."""
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
        with running(command, folder, variables(folder, model, programs), log) as server:
            questions.wait_until_right(server)
            start_s = time.perf_counter() - started
            questions.check_different()
            runs = rounds(questions.url, workload.connections, script, effort)
            questions.check_different()
            return {"start_s": start_s, "memory_mb": memory_mb(server), "runs": runs}


def rounds(
    url: str, connections: tuple[int, ...], script: Path, effort: Effort
) -> dict[int, list[tuple[float, float, float]]]:
    """Warm the server, then all rounds, in turn, so that a noisy moment hurts each only once."""
    load(url, max(connections), script, WARM_SECONDS)
    runs: dict[int, list[tuple[float, float, float]]] = {count: [] for count in connections}
    for _ in range(effort.rounds):
        for count in connections:
            runs[count].append(load(url, count, script, effort.seconds))
    return runs


def variables(folder: Path, model: Path, programs: Path) -> dict[str, str]:
    """What the server finds in its environment; temporary files go where they are removed."""
    return {
        "MODEL": str(model),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "TMPDIR": str(folder),
        "TEMP": str(folder),
    }
