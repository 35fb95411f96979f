"""A fleet on a simulated cluster, and what requests notice of its troubles. `make test-fleet`."""

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator

import pytest

from tests.support.simulated_cluster import ask, parent_of, pids, wait_for
from tests.support.simulated_fleet import BODY, MODELS, PORT, Fleet, save_models
from tests.support.troubles import ENOUGH, TROUBLES, Trouble, balancers, cmdline, meet

with warnings.catch_warnings():  # Serve is not in line with the newest pydantic
    warnings.simplefilter("ignore")
    pytest.importorskip("ray", reason="Ray is not installed")
    pytest.importorskip("ray.serve", reason="Ray Serve is not installed")

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    root = tmp_path_factory.mktemp("fleet")
    save_models(root)
    made = Fleet(root)
    yield made
    made.end()
    assert pids(str(root)) == []
    assert balancers() == []


def test_a_model_has_one_node(fleet: Fleet):
    assert [each.rpartition(":")[2] for each in fleet.urls] == [str(PORT)] * 2
    for url in fleet.urls * 2:
        assert {ask([url], model, BODY) for model in MODELS} == {200}
    homes = fleet.homes()
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


def test_a_cluster_that_is_not_there_is_seen_at_once():
    """Ray would look for it for minutes."""
    command = [sys.executable, "-W", "ignore", "-m", "torch_serving", "ray", "status"]
    done = subprocess.run(
        [*command, "--address", "127.0.1.1:1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "no cluster of Ray at 127.0.1.1:1: Connection refused" in done.stderr


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
def test_what_requests_notice(fleet: Fleet, trouble: Trouble):
    met = meet(fleet, trouble)
    print(f"\n{met}", flush=True)
    assert met.requests >= ENOUGH
    assert met.lost <= trouble.most_lost
    assert met.successors == trouble.successors
    assert len(met.after) == len(met.before) + trouble.more
    assert met.after.keys() == met.before.keys() or trouble.more


def test_the_registry_is_on_the_head(fleet: Fleet):
    """Also after it was killed: it would be lost with any other machine."""
    [registry] = pids("ray::Registry")
    assert f"--node_ip_address={fleet.cluster.head}" in cmdline(parent_of(registry))


def test_down_leaves_nothing(fleet: Fleet):
    fleet.deployment.down()
    wait_for(lambda: not pids(str(fleet.root)))
    wait_for(lambda: not balancers())
