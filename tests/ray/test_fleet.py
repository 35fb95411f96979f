"""A fleet on a simulated cluster, and what requests notice of its troubles. `make test-fleet`."""

import json
import os
import re
import subprocess
import sys
import urllib.request
import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

from tests.support.simulated_cluster import (
    Clients,
    SimulatedCluster,
    ask,
    kill,
    parent_of,
    pids,
    wait_for,
)
from torch_serving.ray.arguments import BalancerArguments, NodesArguments

with warnings.catch_warnings():  # Serve is not in line with the newest pydantic
    warnings.simplefilter("ignore")
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    pytest.importorskip("ray.serve", reason="Ray Serve is not installed")

pytestmark = pytest.mark.filterwarnings("ignore")
PORT = 18804
MODELS = [f"m{number:02d}.pt" for number in range(40)]
BODY = json.dumps({"input": [[0.1] * 16]}).encode()
ENOUGH = 1000  # requests around each trouble
FLAGS = ("--log-level", "warning", "--threads", "1", "--no-trial-load", "-c", "40")
BALANCER = BalancerArguments(port=PORT, balancers=2, resources={"front": 0.1})


class Fleet:
    """Two nodes and two balancers on three machines."""

    def __init__(self, root: Path) -> None:
        from torch_serving.ray import deployment

        self.deployment: ModuleType = deployment
        self.root = root
        self.cluster = SimulatedCluster(2)
        deployment.connect(self.cluster.address)
        self.urls = self.up()

    def up(self) -> list[str]:
        nodes = NodesArguments(str(self.root), "2", FLAGS, resources={"machine": 1})
        urls: list[str] = self.deployment.up(nodes, BALANCER, print)
        return urls

    def clients(self, event: str) -> Clients:
        return Clients(event, self.urls, MODELS, BODY)

    def endpoints(self) -> dict[int, tuple[str, int]]:
        """Host and port by slot."""
        known = self.deployment.table().endpoints or ()
        return {each.slot: (each.host, each.port) for each in known if each.state == "ready"}

    def server(self, host: str) -> list[int]:
        return pids("torch_serving", str(self.root), f"--host {host}")

    def parent(self, host: str) -> int:
        """The process of a server that watches the others."""
        found = self.server(host)
        return next(pid for pid in found if parent_of(pid) not in found)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    root = tmp_path_factory.mktemp("fleet")
    for name in MODELS:
        torch.jit.script(torch.nn.Linear(16, 4).eval()).save(str(root / name))
    made = Fleet(root)
    yield made
    ray.shutdown()
    made.cluster.end()
    assert pids(str(root)) == []
    assert pids("torch-serving-balancer-") == []


def homes_of(fleet: Fleet) -> dict[str, set[int]]:
    """The slots of the nodes that had requests of each model."""
    homes = defaultdict(set)
    for slot, (host, port) in fleet.endpoints().items():
        with urllib.request.urlopen(f"http://{host}:{port}/metrics") as answer:
            page = answer.read().decode()
        for model in re.findall(r'torch_serving_requests_total\{.*model="([^"]+)"', page):
            homes[model].add(slot)
    return homes


def test_a_model_has_one_node(fleet: Fleet):
    assert [each.rpartition(":")[2] for each in fleet.urls] == [str(PORT)] * 2
    for url in fleet.urls * 2:
        assert {ask([url], model, BODY) for model in MODELS} == {200}
    homes = homes_of(fleet)
    assert sorted(homes) == MODELS
    assert {len(slots) for slots in homes.values()} == {1}
    assert set.union(*homes.values()) == {1, 2}  # each node has some


def test_status_tells_what_each_node_holds(fleet: Fleet):
    command = [sys.executable, "-W", "ignore", "-m", "torch_serving", "ray", "status", "--json"]
    environment = {**os.environ, "RAY_ADDRESS": fleet.cluster.address}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    found = json.loads(done.stdout)
    assert [each["slot"] for each in found["nodes"]] == [1, 2]
    assert sorted(model for node in found["nodes"] for model in node["models"]) == MODELS
    assert all(node["hits"] > 0.5 and node["load"]["queue"] == 0 for node in found["nodes"])
    assert found["balancers"] == fleet.urls


def test_a_killed_worker_costs_no_request(fleet: Fleet):
    host, _ = fleet.endpoints()[1]
    with fleet.clients("a worker is killed") as clients:
        wait_for(lambda: clients.count > ENOUGH / 4)
        parent = fleet.parent(host)
        kill([pid for pid in fleet.server(host) if parent_of(pid) == parent][:1])
        wait_for(lambda: clients.count > ENOUGH)
    assert clients.lost == 0, clients.outcomes


def test_a_killed_server_costs_no_request_and_its_successor_has_its_slot(fleet: Fleet):
    before = fleet.endpoints()
    host, _ = before[1]
    with fleet.clients("a server is killed") as clients:
        wait_for(lambda: clients.count > ENOUGH / 4)
        kill(fleet.server(host))
        wait_for(lambda: fleet.endpoints().get(1, before[1]) != before[1])
        wait_for(lambda: clients.count > ENOUGH)
    assert clients.lost == 0, clients.outcomes
    assert fleet.endpoints()[2] == before[2]


def test_without_the_controller_and_the_registry_requests_go_on(fleet: Fleet):
    before = fleet.endpoints()
    with fleet.clients("Serve's controller and the registry are killed") as clients:
        wait_for(lambda: clients.count > ENOUGH / 4)
        kill(pids("ray::ServeController"))
        kill(pids("ray::Registry"))
        wait_for(lambda: fleet.endpoints() == before)  # in the slots that they had
        wait_for(lambda: clients.count > ENOUGH)
    assert clients.lost == 0, clients.outcomes


def test_a_killed_balancer_costs_a_few_requests_and_is_back(fleet: Fleet):
    balancers = pids("haproxy -db", "torch-serving-balancer-")
    with fleet.clients("HAProxy is killed beside another") as clients:
        wait_for(lambda: clients.count > ENOUGH / 4)
        kill([pid for pid in balancers if "lifeline" not in cmdline(pid)][:1])
        wait_for(lambda: clients.count > ENOUGH)
    assert clients.lost <= 5, clients.outcomes
    for url in fleet.urls:
        wait_for(lambda url=url: ask([url], MODELS[0], BODY) == 200)


def test_haproxy_does_not_outlive_its_actor(fleet: Fleet):
    """It would go on with what it was told last, and share the port with its successor."""
    running = pids("haproxy -db", "torch-serving-balancer-")
    actor = parent_of(next(pid for pid in running if "lifeline" in cmdline(pid)))
    orphans = [pid for pid in running if actor in (parent_of(pid), parent_of(parent_of(pid)))]
    with fleet.clients("the actor of a balancer is killed") as clients:
        kill([actor])
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans))
    assert clients.lost <= 5, clients.outcomes
    for url in fleet.urls:
        wait_for(lambda url=url: ask([url], MODELS[0], BODY) == 200)


def test_an_update_costs_no_request(fleet: Fleet):
    before = fleet.endpoints()
    with fleet.clients("all nodes are updated") as clients:
        fleet.up()
        wait_for(lambda: clients.count > ENOUGH)
    assert clients.lost == 0, clients.outcomes
    assert fleet.endpoints().keys() == before.keys()
    assert not set(fleet.endpoints().values()) & set(before.values())


def test_a_lost_machine_costs_no_request(fleet: Fleet):
    with fleet.clients("a machine is lost") as clients:
        wait_for(lambda: clients.count > ENOUGH / 4)
        fleet.cluster.lose(3, fleet.root)
        wait_for(lambda: len(fleet.endpoints()) == 1)
        wait_for(lambda: clients.count > ENOUGH)
    assert clients.lost == 0, clients.outcomes


def test_down_leaves_nothing(fleet: Fleet):
    fleet.deployment.down()
    wait_for(lambda: not pids(str(fleet.root)))
    wait_for(lambda: not pids("haproxy -db", "torch-serving-balancer-"))


def cmdline(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()
