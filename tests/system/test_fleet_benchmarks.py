"""The simulation of fleets: a small one, in which what must hold holds."""

import pytest

from benchmarks.fleet import simulate as command
from benchmarks.fleet.haproxy import otherwise
from benchmarks.fleet.policies import POLICIES, Ring
from benchmarks.fleet.simulation import Node, Scenario, simulate
from torch_serving.haproxy import Address, Fleet, binary, problems_in, render

SMALL = Scenario(nodes=10, models=500, requests=12_000)


def test_a_model_that_has_its_node_is_there():
    ring, anywhere = (simulate(SMALL, POLICIES[each]) for each in ("ring, 300", "any node"))
    assert ring.hits > 0.9
    assert anywhere.hits < 0.75
    assert ring.refused == anywhere.refused == 0
    assert anywhere.busiest < ring.busiest < 3


def test_copies_take_the_load_off_the_node_of_a_hot_model():
    hot = Scenario(nodes=10, models=500, requests=12_000, zipf=1.5, busy=0.3)
    alone, copied = (
        simulate(hot, POLICIES[each]) for each in ("ring, no bound", "ring, copies, no bound")
    )
    assert copied.busiest < alone.busiest - 1
    assert copied.p99_s < alone.p99_s


def test_a_node_more_moves_its_share_of_the_models():
    nodes = [Node(f"node-{number}", 10) for number in range(10)]
    few, many = (Ring(nodes[:count], rng=None) for count in (9, 10))  # type: ignore[arg-type]
    homes = [(few.pick(model, 0, 0), many.pick(model, 0, 0)) for model in range(1000)]
    moved = [after for before, after in homes if before is not after]
    assert {node.name for node in moved} == {"node-9"}
    assert 30 < len(moved) < 200


def test_the_command(capsys: pytest.CaptureFixture[str]):
    command.main(["--nodes", "3", "--models", "20", "--requests", "300", "--only", "300"])
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert head.count("busy") == 4
    assert len(rows) == 2
    command.main(["--nodes", "3", "--models", "20", "--requests", "300", "--busy", "0.2"])
    assert capsys.readouterr().out.count("20% busy") == 3


@pytest.mark.skipif(binary() is None, reason="haproxy is not installed")
@pytest.mark.parametrize("balance", ["leastconn", "roundrobin", "random(2)"])
def test_haproxy_takes_the_other_ways(balance: str):
    program = binary()
    assert program
    text = otherwise(render(Fleet((Address("127.0.0.1", 1),))), balance)
    assert f"    balance {balance}\n" in text
    assert "balance hash" not in text
    assert problems_in(text, program) == ""
