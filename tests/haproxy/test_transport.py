"""What passes through a balancer: bodies of any size, streams, kept connections, TLS, names."""

import json
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPSConnection
from pathlib import Path

import pytest

from tests.haproxy.conftest import FLAGS, Nodes
from tests.support.balancer import Balancer, address_of, node_for
from tests.support.client import LIMIT_S, Client, RawConnection, raw_request, tensor
from tests.support.name_server import NameServer
from tests.support.ports import free_port
from tests.support.process import Process, wait_until
from torch_serving.haproxy import Address, DnsName, Fleet

BODY = [tensor([1], [1.0])]
LARGE = [tensor([400_000], [0.5] * 400_000)]


def test_large_bodies(balancer: Balancer):
    encoded = json.dumps(LARGE).encode()
    pieces = [encoded[at : at + 50_000] for at in range(0, len(encoded), 50_000)]
    with Client(balancer.url) as client:
        assert client.post("echo.pt", encoded).result == LARGE[0]
        assert client.post("echo.pt", iter(pieces)).result == LARGE[0]


def test_a_body_that_waits_to_be_asked_for(balancer: Balancer):
    body = json.dumps(BODY).encode()
    with RawConnection(balancer.url) as connection:
        head = ("Expect: 100-continue", f"Content-Length: {len(body)}")
        connection.send(raw_request(b"", *head))
        assert connection.line().startswith(b"HTTP/1.1 100 ")
        assert connection.line() == b"\r\n"
        connection.send(body)
        response = connection.response()
    assert response
    assert response.result == BODY[0]


def test_a_stream(balancer: Balancer):
    """The console's figures, which come until the client goes."""
    headers = {"Accept": "text/event-stream"}
    request = urllib.request.Request(f"{balancer.url}/console/stats", headers=headers)
    with urllib.request.urlopen(request, timeout=LIMIT_S) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        events = [line for line in (stream.readline() for _ in range(8)) if b"data:" in line]
    assert len(events) > 1


def test_connections_are_kept(nodes: Nodes, balance: Callable[..., Balancer]):
    fresh = balance(Fleet(nodes.addresses))
    wait_until(lambda: len(fresh.up()) == 3)
    with Client(fresh.url) as client:
        for _ in range(50):
            client.post("echo.pt", BODY)
    rows = fresh.servers().values()
    assert sum(int(row["connect"]) for row in rows) <= 3
    assert sum(int(row["reuse"]) for row in rows) >= 47


def test_a_path_that_is_not_encoded(balancer: Balancer):
    """HAProxy refuses it before there is a request, in words of its own."""
    with RawConnection(balancer.url) as connection:
        connection.send("GET /models/été.pt HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        assert connection.line().startswith(b"HTTP/1.1 400 ")


def test_metrics(nodes: Nodes, balance: Callable[..., Balancer]):
    stats = Address("127.0.0.1", free_port())
    balance(Fleet(nodes.addresses, stats=stats))
    with urllib.request.urlopen(f"http://{stats}/metrics", timeout=LIMIT_S) as response:
        assert 'haproxy_server_status{proxy="nodes",server="n3"' in response.read().decode()


def test_tls_on_both_sides(
    certificate: tuple[Path, Path],
    model_root: Path,
    start: Callable[..., Process],
    nodes: Nodes,
    balance: Callable[..., Balancer],
    tmp_path: Path,
):
    cert, key = certificate
    node = start(
        model_root,
        *FLAGS,
        "--port",
        "0",
        "--tls-cert",
        cert,
        "--tls-key",
        key,
        "--log-level",
        "info",
    )
    wait_until(lambda: "\n" in node.stdout)
    port = int(node.stdout.partition("127.0.0.1:")[2].split()[0].strip("/"))
    (tmp_path / "both.pem").write_text(cert.read_text() + key.read_text())
    secured = balance(
        Fleet((Address("127.0.0.1", port),), tls_cert=tmp_path / "both.pem", node_ca=cert)
    )
    wait_until(lambda: secured.up() == {"n1"})
    context = ssl.create_default_context(cafile=str(cert))
    connection = HTTPSConnection("127.0.0.1", secured.port, timeout=LIMIT_S, context=context)
    # clients know the balancer by a name that is none of the nodes'
    headers = {"Host": "models.example.org"}
    connection.request("POST", "/serve?servable_identifier=echo.pt", json.dumps(BODY), headers)
    with connection.getresponse() as response:
        assert json.load(response)["result"] == BODY[0]
    connection.close()
    other_ca = balance(Fleet(nodes.addresses[:1], node_ca=cert))  # which speaks no TLS at all
    assert other_ca.up() == set()


@pytest.fixture
def name_server() -> Iterator[NameServer]:
    server = NameServer(["127.0.2.1"])
    yield server
    server.end()


def test_nodes_by_a_name(
    name_server: NameServer,
    model_root: Path,
    start: Callable[..., Process],
    balance: Callable[..., Balancer],
):
    """As in Kubernetes and compose: nodes have one port, and addresses come and go."""
    first = start(model_root, *FLAGS, "--port", "0", "--host", "127.0.2.1")
    port = address_of(first).port
    second = start(model_root, *FLAGS, "--port", str(port), "--host", "127.0.2.2")
    assert second.url
    known = f"nameserver test 127.0.0.1:{name_server.port}"
    named = balance(Fleet(dns=DnsName("nodes.test", port), slots=4), **{"parse-resolv-conf": known})
    wait_until(lambda: len(named.up()) == 1)
    name_server.addresses = ["127.0.2.2", "127.0.2.1"]
    wait_until(lambda: len(named.up()) == 2)
    with Client(named.url) as client:
        homes = {node_for(client, f"/models/{number}.pt") for number in range(20)}
        assert len(homes) == 2
        name_server.addresses = ["127.0.2.2"]
        first.signal()
        wait_until(lambda: len(named.up()) == 1)
        assert client.post("echo.pt", BODY).result == BODY[0]
