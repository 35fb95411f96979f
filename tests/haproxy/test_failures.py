"""What clients see of nodes that die, drain, come back, or meet a request that ends workers."""

import json
import os
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from tests.haproxy.conftest import Nodes
from tests.support.balancer import NODE_HEADER, Balancer, node_for
from tests.support.client import Client, in_threads, tensor
from tests.support.process import child_pids, wait_until
from torch_serving.haproxy import Fleet

BODY = [tensor([1], [1.0])]
TARGET = "/serve?servable_identifier=echo.pt"
CLIENTS, REQUESTS = 8, 140  # together more than a thousand


def outcomes_around(url: str, event: Callable[[], None]) -> Counter[int | str]:
    """The outcomes of small requests of several clients, with an event in their midst."""

    def ask(number: int) -> Counter[int | str]:
        outcomes: Counter[int | str] = Counter()
        with Client(url) as client:
            for turn in range(REQUESTS):
                if number == 0 and turn == REQUESTS // 3:
                    event()
                try:
                    outcomes[client.post("echo.pt", BODY).status] += 1
                except OSError as error:
                    outcomes[repr(error)] += 1
        return outcomes

    return sum(in_threads(CLIENTS, ask), Counter())


def home_of(balancer: Balancer, target: str = TARGET) -> str:
    with Client(balancer.url) as client:
        return node_for(client, target, "POST", json.dumps(BODY).encode())


def kill(nodes: Nodes, name: str) -> None:
    """End all processes of a node, as the loss of its machine does."""
    process = nodes[name]
    children = child_pids(process)
    process.end()
    for pid in children:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_a_worker_that_dies_loses_no_request(nodes: Nodes, balancer: Balancer):
    home = home_of(balancer)
    [worker] = child_pids(nodes[home])
    outcomes = outcomes_around(balancer.url, lambda: os.kill(worker, signal.SIGKILL))
    assert outcomes == {200: CLIENTS * REQUESTS}
    assert home_of(balancer) == home


def test_a_node_that_dies_loses_no_request_and_gets_its_models_back(
    nodes: Nodes, balancer: Balancer
):
    home = home_of(balancer)
    outcomes = outcomes_around(balancer.url, lambda: kill(nodes, home))
    assert outcomes == {200: CLIENTS * REQUESTS}
    assert home_of(balancer) != home
    nodes.bring_back(home)
    wait_until(lambda: len(balancer.up()) == 3)
    assert home_of(balancer) == home


def test_a_node_that_drains_loses_no_request(nodes: Nodes, balancer: Balancer):
    home = home_of(balancer)
    process = nodes[home]
    outcomes = outcomes_around(balancer.url, process.signal)
    assert outcomes == {200: CLIENTS * REQUESTS}
    assert process.exit_code() == 0
    nodes.bring_back(home)
    wait_until(lambda: len(balancer.up()) == 3)


def test_a_node_that_reloads_loses_no_request(nodes: Nodes, balancer: Balancer):
    process = nodes[home_of(balancer)]
    [worker] = child_pids(process)
    outcomes = outcomes_around(balancer.url, lambda: process.signal(signal.SIGHUP))
    assert outcomes == {200: CLIENTS * REQUESTS}
    wait_until(lambda: worker not in child_pids(process))


def test_a_request_that_ends_workers_does_so_on_one_node(nodes: Nodes, balancer: Balancer):
    """It meets the same node again, which has its model in quarantine by then."""
    home = home_of(balancer, "/v2/models/crashing.pt/stats")
    assert home_of(balancer, "/serve?servable_identifier=crashing.pt") == home
    wait_until(lambda: nodes[home].stderr.count("(signal SIGSEGV)") == 2)
    for _ in range(3):
        with Client(balancer.url) as client:
            response = client.post("crashing.pt", BODY)
        assert response.status == 503
        assert response.document["description"] == "Model quarantined"
        assert response.headers[NODE_HEADER] == home
    crashed = {name for name in ("n1", "n2", "n3") if "(signal SIGSEGV)" in nodes[name].stderr}
    assert crashed == {home}
    assert all(process.is_running() for process in nodes.processes)


def test_a_balancer_that_stops_answers_idle_connections_once_more(
    nodes: Nodes, balance: Callable[..., Balancer]
):
    """As the old one does at a reload: its client may be sending just then."""
    stopped = balance(Fleet(nodes.addresses))
    wait_until(lambda: len(stopped.up()) == 3)
    with Client(stopped.url) as client:
        assert client.post("echo.pt", BODY).status == 200
        stopped.signal(signal.SIGUSR1)
        wait_until(lambda: not stopped.listens())
        response = client.post("echo.pt", BODY)
    assert response.status == 200
    assert response.headers["connection"] == "close"
    wait_until(lambda: not stopped.is_running())


def test_no_node_is_there(nodes: Nodes, balance: Callable[..., Balancer]):
    """The error is in the form of the server's own, and in that of the other contract."""
    lonely = balance(Fleet(nodes.addresses[:1]))
    wait_until(lambda: lonely.up() == {"n1"})
    lonely.tell("set server nodes/n1 state maint")
    with Client(lonely.url) as client:
        client._connection.request("POST", TARGET, json.dumps(BODY))
        with client._connection.getresponse() as response:
            document = json.load(response)
    assert response.status == document.pop("code") == 503
    assert response.headers["retry-after"] == "1"
    assert response.headers["content-type"] == "application/json"
    assert document == {
        "message": "Server Error",
        "description": "Server overloaded",
        "detail": "no node is ready",
        "error": "no node is ready",
    }
