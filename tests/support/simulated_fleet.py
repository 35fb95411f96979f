"""A fleet on a simulated cluster, and the requests of its clients."""

import json
import re
import urllib.request
from collections import defaultdict
from pathlib import Path
from types import ModuleType

import torch

from tests.support.simulated_cluster import Clients, SimulatedCluster, parent_of, pids
from tests.support.sleeping import Sleeping
from torch_serving.ray.arguments import BalancerArguments, NodesArguments

PORT = 18804
MODELS = [f"m{number:02d}.pt" for number in range(40)]
SLOW, SLOW_S = "slow.pt", 0.05
BODY = json.dumps({"input": [[0.1] * 16]}).encode()
FEWER_AFTER_S = 2.0  # as nobody wants to wait longer in a test
FLAGS = ("--log-level", "warning", "--threads", "1", "--no-trial-load", "-c", "50")
BALANCER = BalancerArguments(port=PORT, balancers=2, resources={"front": 0.1})


def save_models(root: Path) -> None:
    """Save small models, and one that keeps its thread for a while."""
    for name in MODELS:
        torch.jit.script(torch.nn.Linear(16, 4).eval()).save(str(root / name))
    torch.jit.script(Sleeping(SLOW_S).eval()).save(str(root / SLOW))


class Fleet:
    """Two nodes and two balancers on three machines, and a third node where load wants it."""

    def __init__(self, root: Path) -> None:
        from torch_serving.ray import applications, deployment

        applications.FEWER_AFTER_S = FEWER_AFTER_S
        self.deployment: ModuleType = deployment
        self.root = root
        self.cluster = SimulatedCluster(2)
        deployment.connect(self.cluster.address)
        self.urls = self.up()
        self.load = Clients(self.urls, [SLOW], BODY, threads=16)

    def up(self) -> list[str]:
        """Deploy it, or update all of its nodes; return the URLs of balancers."""
        flags = (*FLAGS, "--import", "tests.support.sleeping")
        nodes = NodesArguments(str(self.root), "2-3", flags, resources={"machine": 1})
        urls: list[str] = self.deployment.up(nodes, BALANCER, lambda text: None)
        return urls

    def end(self) -> None:
        import ray

        self.load.end()
        ray.shutdown()
        self.cluster.end()

    def clients(self) -> Clients:
        return Clients(self.urls, MODELS, BODY)

    def endpoints(self) -> dict[int, tuple[str, int]]:
        """Host and port by slot."""
        known = self.deployment.table().endpoints or ()
        return {each.slot: (each.host, each.port) for each in known if each.state == "ready"}

    def homes(self) -> dict[str, set[int]]:
        """The slots of the nodes that had requests of each model."""
        homes = defaultdict(set)
        for slot, (host, port) in self.endpoints().items():
            with urllib.request.urlopen(f"http://{host}:{port}/metrics") as answer:
                page = answer.read().decode()
            for model in re.findall(r'torch_serving_requests_total\{.*model="([^"]+)"', page):
                homes[model].add(slot)
        return homes

    def server(self, host: str) -> list[int]:
        """The processes of a node's server."""
        return pids("torch_serving", str(self.root), f"--host {host}")

    def servers(self) -> list[int]:
        """The parents of all servers, of nodes that drain as well."""
        found = pids("torch_serving", str(self.root), "--host 127.0.1.")
        return [pid for pid in found if parent_of(pid) not in found]

    def is_well(self) -> bool:
        """Whether Serve says that all is as it should be."""
        return all(each.status == "RUNNING" for each in self.deployment.statuses().values())

    def parent(self, host: str) -> int:
        """The one that watches the others; its own parent is the actor."""
        found = self.server(host)
        return next(pid for pid in found if parent_of(pid) not in found)

    def workers(self, host: str) -> list[int]:
        return [pid for pid in self.server(host) if parent_of(pid) == self.parent(host)]
