"""HAProxy as a child: it follows changes, comes back, and does not outlive its parent."""

import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.process import wait_until
from torch_serving.haproxy import binary
from torch_serving.ray.arguments import BalancerArguments
from torch_serving.ray.haproxy_process import HaproxyProcess
from torch_serving.ray.table import DRAIN, READY, Endpoint, Table

pytestmark = pytest.mark.skipif(binary() is None, reason="haproxy is not installed")
HOST = "127.0.0.1"
MODELS = [f"m{number}.pt" for number in range(20)]
ORPHAN = """
import os, pathlib, sys
from torch_serving.ray.arguments import BalancerArguments
from torch_serving.ray.haproxy_process import HaproxyProcess
from torch_serving.ray.table import Endpoint, Table
arguments = BalancerArguments(port={port}, slots=2)
haproxy = HaproxyProcess(arguments, "127.0.0.1", pathlib.Path({folder!r}))
haproxy.start(Table(1, (Endpoint(1, "127.0.0.1", {node}),), None))
print("started", flush=True)
sys.stdin.read()
"""


class Node(BaseHTTPRequestHandler):
    """Says its port, whatever it is asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = str(self.server.server_address[1]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def nodes() -> Iterator[list[Endpoint]]:
    """Two nodes in the slots 1 and 2."""
    with ExitStack() as stack:
        endpoints = []
        for slot in (1, 2):
            server = stack.enter_context(ThreadingHTTPServer((HOST, 0), Node))
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            stack.callback(server.shutdown)
            endpoints.append(Endpoint(slot, HOST, server.server_address[1], READY))
        yield endpoints


@pytest.fixture
def balancer(tmp_path: Path) -> Iterator[Callable[[Table], HaproxyProcess]]:
    with ExitStack() as stack:

        def start(table: Table) -> HaproxyProcess:
            made = HaproxyProcess(BalancerArguments(port=free_port(), slots=4), HOST, tmp_path)
            made.start(table)
            stack.callback(made.stop)
            assert answers(made.port)
            return made

        yield start


def ask(port: int, model: str) -> int:
    """Return the port of the node that has a model."""
    url = f"http://{HOST}:{port}/serve?servable_identifier={model}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return int(answer.read())


def answers(port: int) -> bool:
    try:
        return bool(ask(port, "m0.pt"))
    except OSError:
        return False


def homes(port: int) -> dict[str, int]:
    return {model: ask(port, model) for model in MODELS}


def table(endpoints: list[Endpoint] | None, copies: dict[str, int] | None = None) -> Table:
    return Table(1, None if endpoints is None else tuple(endpoints), copies)


def test_it_follows_changes_of_nodes(
    nodes: list[Endpoint], balancer: Callable[[Table], HaproxyProcess]
):
    made = balancer(table(nodes))
    before = homes(made.port)
    assert set(before.values()) == {each.port for each in nodes}
    made.follow(table([nodes[0], nodes[1]._replace(state=DRAIN)]))
    assert set(homes(made.port).values()) == {nodes[0].port}
    made.follow(table([nodes[0]]))
    made.follow(table(None))  # a registry that has just started
    assert set(homes(made.port).values()) == {nodes[0].port}
    made.follow(table(nodes))
    assert homes(made.port) == before


def test_a_successor_in_the_same_slot_has_the_same_models(
    nodes: list[Endpoint], balancer: Callable[[Table], HaproxyProcess]
):
    made = balancer(table(nodes))
    before = homes(made.port)
    made.follow(table([nodes[1]._replace(slot=1), nodes[0]._replace(slot=2)]))
    other = {nodes[0].port: nodes[1].port, nodes[1].port: nodes[0].port}
    assert homes(made.port) == {model: other[port] for model, port in before.items()}


def test_a_hot_model_has_several_nodes(
    nodes: list[Endpoint], balancer: Callable[[Table], HaproxyProcess]
):
    made = balancer(table(nodes))
    before = homes(made.port)
    made.follow(table(nodes, {"m5.pt": 8, "m4.pt": 1, "no;word": 8}))
    assert {ask(made.port, "m5.pt") for _ in range(60)} == {each.port for each in nodes}
    made.follow(table(nodes, {}))
    assert homes(made.port) == before


def test_it_comes_back_with_what_it_was_told_last(
    nodes: list[Endpoint], balancer: Callable[[Table], HaproxyProcess]
):
    made = balancer(table(nodes[:1]))
    made.follow(table(nodes, {"m5.pt": 8}))
    before = made.pid
    subprocess.run(["kill", "-9", *children_of(before)], check=True)
    wait_until(lambda: made.pid != before and answers(made.port))
    assert set(homes(made.port).values()) == {each.port for each in nodes}
    assert len({ask(made.port, "m5.pt") for _ in range(60)}) == 2


@pytest.mark.parametrize(
    ("host", "why"),
    [(HOST, "Address already in use"), ("192.0.2.1", "Cannot assign requested address")],
)
def test_it_says_why_it_can_not_listen(host: str, why: str, nodes: list[Endpoint], tmp_path: Path):
    """Else it would be started again and again, and `up` would tell the URL of something else."""
    with socket.create_server((HOST, 0)) as other:
        port = int(other.getsockname()[1])
        made = HaproxyProcess(BalancerArguments(port=port, slots=4), host, tmp_path)
        with pytest.raises(RuntimeError, match=f"can't listen on {host}:{port}: {why}"):
            made.start(table(nodes))
        made.stop()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_does_not_outlive_its_parent(
    number: signal.Signals, nodes: list[Endpoint], tmp_path: Path
):
    """It would go on with what it was told last, and share the port with its successor."""
    port = free_port()
    code = ORPHAN.format(port=port, folder=str(tmp_path), node=nodes[0].port)
    command = [sys.executable, "-c", code]
    parent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdin
    assert parent.stdout
    with parent, parent.stdin, parent.stdout:
        parent.stdout.readline()
        wait_until(lambda: answers(port))
        parent.send_signal(number)
        parent.wait()
        wait_until(lambda: not answers(port))


def test_it_does_not_outlive_a_lifeline_that_is_killed(
    nodes: list[Endpoint], balancer: Callable[[Table], HaproxyProcess]
):
    made = balancer(table(nodes))
    (haproxy,) = children_of(made.pid)
    os.kill(made.pid, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{haproxy}").exists())


def children_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
