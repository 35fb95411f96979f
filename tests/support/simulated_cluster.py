"""A fleet on one machine: each simulated machine has an address of its own, 127.0.1.N."""

import collections
import os
import re
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.process import ROOT

LIMIT_S = 90.0
SMALL = {"object_store_memory": 80_000_000, "include_dashboard": False}


class SimulatedCluster:
    """A head, where a balancer may run, and machines for nodes.

    The head is not 127.0.0.1: `ray.init` would replace that by the address of another interface.
    """

    head = "127.0.1.1"

    def __init__(self, machines: int) -> None:
        from ray.cluster_utils import Cluster

        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        os.environ["PYTHONPATH"] = str(ROOT)
        self._cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 2,
                "resources": {"front": 1},
                "node_ip_address": self.head,
                **SMALL,
            },
        )
        self.address: str = self._cluster.address
        self._machines: dict[int, Any] = {}
        for number in range(2, 2 + machines):
            self.add(number)

    def add(self, number: int) -> None:
        """Add a machine for a node; the first one may have a balancer, too."""
        resources = {"machine": 1, "front": 1} if number == 2 else {"machine": 1}
        self._machines[number] = self._cluster.add_node(
            num_cpus=1, node_ip_address=f"127.0.1.{number}", resources=resources, **SMALL
        )

    def lose(self, number: int, model_root: Path) -> None:
        """All processes of a machine end at once."""
        kill(pids("torch_serving", str(model_root), f"127.0.1.{number}"))
        self._cluster.remove_node(self._machines.pop(number), allow_graceful=False)

    def end(self) -> None:
        self._cluster.shutdown()


class Clients:
    """Requests for all models in a few threads until told to stop, and what became of them.

    A client whose connection is refused asks the next balancer.
    """

    def __init__(
        self, urls: Iterable[str], models: list[str], body: bytes, threads: int = 3
    ) -> None:
        self._urls, self._models, self._body = list(urls), models, body
        self._threads = [
            threading.Thread(target=self._run, args=(each,)) for each in range(threads)
        ]
        self._stop = threading.Event()
        self.outcomes: collections.Counter[int | str] = collections.Counter()
        self.slowest_s = 0.0

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Wait for all answers. It may not have been started."""
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def __enter__(self) -> "Clients":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def count(self) -> int:
        return sum(self.outcomes.values())

    @property
    def lost(self) -> int:
        return self.count - self.outcomes[200]

    def _run(self, number: int) -> None:
        while not self._stop.is_set():
            number += 7
            started = time.monotonic()
            model = self._models[number % len(self._models)]
            first = number % len(self._urls)
            urls = self._urls[first:] + self._urls[:first]
            self.outcomes[ask(urls, model, self._body)] += 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - started)


def ask(urls: list[str], model: str, body: bytes) -> int | str:
    """Return the status, or the error's name."""
    outcome: int | str = ""
    for url in urls:
        request = urllib.request.Request(f"{url}/serve?servable_identifier={model}", body)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError as error:
            reason = getattr(error, "reason", error)
            outcome = type(reason).__name__
            if not isinstance(reason, ConnectionRefusedError):
                break
    return outcome


def wait_for(condition: Callable[[], Any], limit_s: float = LIMIT_S) -> float:
    """Wait for something; return how long it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() < started + limit_s, "it did not come to pass"
        time.sleep(0.1)
    return time.monotonic() - started


def pids(*words: str) -> list[int]:
    """Processes whose command line has all words."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if all(word in line for word in words) and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def kill(processes: Iterable[int]) -> None:
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def parent_of(pid: int) -> int:
    found = re.search(r"^PPid:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M)
    return int(found[1]) if found else 0
