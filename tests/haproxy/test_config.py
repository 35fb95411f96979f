"""The configuration: what HAProxy says of it, and what can't get into it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from torch_serving.haproxy import (
    Address,
    DnsName,
    Fleet,
    binary,
    key_of,
    problems_in,
    read_address,
    read_dns_name,
    render,
)

HAPROXY = binary()
NODES = (Address("10.0.0.1", 8888), Address("10.0.0.2", 8888))

needs_haproxy = pytest.mark.skipif(HAPROXY is None, reason="haproxy is not installed")


def servers_in(text: str) -> list[str]:
    lines = map(str.strip, text.splitlines())
    return [line for line in lines if line.startswith(("server ", "server-template "))]


@needs_haproxy
@pytest.mark.parametrize(
    "fleet",
    [
        lambda folder: Fleet(NODES),
        lambda folder: Fleet((Address("::1", 8888),), bind=Address("::1", 8000)),
        lambda folder: Fleet(dns=DnsName("nodes.default.svc.cluster.local"), slots=8),
        lambda folder: Fleet(dns=read_dns_name("_http._tcp.nodes.default.svc")),
        lambda folder: Fleet((Address("localhost", 8888),), balance_factor=0, threads=2),
        lambda folder: Fleet(NODES, copies={"hot.pt": 3, "a folder/été & co.pt": 2}),
        lambda folder: Fleet(NODES, stats=Address("127.0.0.1", 8404), header_timeout_s=0.5),
        lambda folder: Fleet((NODES[0], None), slots=4, copies_file=folder / "copies.map"),
        lambda folder: Fleet(slots=2, stats_socket=folder / "the socket"),
        lambda folder: Fleet(NODES, user="daemon"),
        lambda folder: Fleet(NODES, tls_cert=folder / "both.pem", bind=Address("", 8443)),
        lambda folder: Fleet((Address("localhost", 8888), *NODES), node_ca=folder / "cert.pem"),
        lambda folder: Fleet(dns=DnsName("nodes"), node_ca=folder / "cert.pem"),
    ],
)
def test_haproxy_takes_it_without_a_warning(
    fleet: Callable[[Path], Fleet], tmp_path: Path, certificate: tuple[Path, Path]
):
    cert, key = (path.read_text() for path in certificate)
    (tmp_path / "cert.pem").write_text(cert)
    (tmp_path / "both.pem").write_text(cert + key)
    (tmp_path / "copies.map").write_text("hot 3\n")
    assert HAPROXY
    assert problems_in(render(fleet(tmp_path)), HAPROXY) == ""


@needs_haproxy
def test_what_haproxy_does_not_take():
    assert HAPROXY
    wrong = render(Fleet(NODES)).replace("mode http", "mode hypertext")
    assert "hypertext" in problems_in(wrong, HAPROXY)


def test_a_slot_is_a_place_on_the_ring():
    text = render(Fleet((NODES[0], None, NODES[1]), slots=4))
    assert servers_in(text) == [
        "server n1 10.0.0.1:8888 id 1",
        "server n2 127.0.0.1:1 id 2 disabled",
        "server n3 10.0.0.2:8888 id 3",
        "server n4 127.0.0.1:1 id 4 disabled",
    ]


def test_timeouts_leave_nodes_the_time_they_take():
    text = render(Fleet(NODES, request_timeout_s=20, header_timeout_s=0.5))
    assert "timeout server 30s\n" in text
    assert "timeout http-request 20500ms\n" in text


def test_nothing_is_left_to_fill_in():
    assert "$" not in render(Fleet(NODES)).replace('$",""', "").replace('$"', "")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.0.7:8888", Address("10.0.0.7", 8888)),
        ("node-a.example.org:1", Address("node-a.example.org", 1)),
        ("[::1]:65535", Address("::1", 65535)),
        ("node-a", Address("node-a", 8000)),
        ("[fe80::2]", Address("fe80::2", 8000)),
    ],
)
def test_addresses(text: str, address: Address):
    assert read_address(text, 8000) == address
    assert read_address(str(address)) == address


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("node-a", "no port"),
        ("::1:8888", "several colons"),
        ("node-a:0", "1 to 65535"),
        ("node-a:65536", "1 to 65535"),
        ("node-a:٣", "1 to 65535"),
        ("node-a:8888 backup", "1 to 65535"),
        ("node a:8888", "neither an IP address nor a name"),
        ("a\n    server evil 6.6.6.6:1:8888", "several colons"),
        ("evil\nbind:80", "neither"),
        ("'a':80", "neither"),
        ("$HOME:80", "neither"),
        ("#:80", "neither"),
        ("-a:80", "neither"),
        ("fe80::1%eth0:80", "several colons"),
        (f"{'a' * 64}:80", "neither"),
        (":80", "neither"),
    ],
)
def test_what_is_no_address(text: str, words: str):
    with pytest.raises(ValueError, match=words):
        read_address(text)


@pytest.mark.parametrize("text", ["", "a b", "a\nb", "a:b", "a:0", "a:1:2", "a'", "a..b", "a#"])
def test_what_is_no_name(text: str):
    with pytest.raises(ValueError, match="expected a"):
        read_dns_name(text)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "has nodes, or a name"),
        ({"nodes": NODES, "dns": DnsName("a")}, "either nodes or a name"),
        ({"nodes": (NODES[0], NODES[0])}, "given twice"),
        ({"nodes": (Address("a\nb", 1),)}, "neither an IP address"),
        ({"nodes": NODES, "bind": Address("*", 1)}, "neither an IP address"),
        ({"dns": DnsName("a\nb")}, "no name of DNS"),
        ({"nodes": NODES, "slots": 5000}, "4096"),
        ({"nodes": NODES, "balance_factor": 100}, "from 101"),
        ({"nodes": NODES, "copies": {"hot.pt": 0}}, "can't be used"),
        ({"nodes": NODES, "copies": {"it's hot.pt": 2}}, "can't be used"),
        ({"nodes": NODES, "copies": {"hot' }\nbind :1": 2}}, "can't be used"),
        ({"nodes": NODES, "copies_file": Path("a,1).map")}, "HAProxy can't read"),
        ({"nodes": NODES, "tls_cert": Path("it's.pem")}, "HAProxy can't read"),
        ({"nodes": NODES, "stats_socket": Path("a\nb")}, "HAProxy can't read"),
        ({"nodes": NODES, "user": "a b"}, "no name of a user"),
        ({"nodes": NODES, "user": "a\nchroot /"}, "no name of a user"),
    ],
)
def test_what_can_not_be_said(settings: dict[str, Any], words: str):
    with pytest.raises(ValueError, match=words):
        Fleet(**settings)


@pytest.mark.parametrize(
    ("identifier", "key"),
    [
        ("hot.pt", "hot"),
        ("hot.pt2", "hot"),
        ("hot", "hot"),
        ("text/hot.compiled.pt2", "text/hot.compiled"),
        ("hot.pt.onnx", "hot.pt.onnx"),
        ("hotXpt", "hotXpt"),
        (".//hot.pt", "hot"),
        ("text/.//./hot.pt2", "text/hot"),
        (".hidden/a..b/c.", ".hidden/a..b/c."),
    ],
)
def test_keys(identifier: str, key: str):
    assert key_of(identifier) == key
