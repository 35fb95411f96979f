"""X-Forwarded-For and X-Forwarded-Proto count if they come from a trusted proxy."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client import Client, tensor
from tests.support.process import Process, wait_until
from torch_serving.http.forwarded import TrustedProxies, scheme_of

PROXY = ("127.0.0.1", 5000)
CLIENT = "203.0.113.7"


@pytest.mark.parametrize(
    ("trusted", "peer", "expected"),
    [
        ("127.0.0.1", PROXY, True),
        ("127.0.0.1", ("::ffff:127.0.0.1", 1), True),
        ("127.0.0.1", ("127.0.0.2", 1), False),
        ("10.0.0.0/8, ::1", ("10.1.2.3", 1), True),
        ("10.0.0.0/8, ::1", ("::1", 1), True),
        ("10.0.0.0/8, ::1", PROXY, False),
        ("", PROXY, False),
        ("127.0.0.1", None, False),
        ("unix:", None, True),
        ("unix:", PROXY, False),
        ("*", PROXY, True),
        ("*", None, True),
    ],
)
def test_who_is_trusted(trusted: str, peer: tuple[str, int] | None, expected: bool):
    assert TrustedProxies(trusted).trust(peer) is expected


@pytest.mark.parametrize(
    ("trusted", "values", "expected"),
    [
        ("127.0.0.1", [b"203.0.113.7"], CLIENT),
        ("127.0.0.1", [b"6.6.6.6, 203.0.113.7"], CLIENT),
        ("127.0.0.1", [b"6.6.6.6", b"203.0.113.7"], CLIENT),
        ("127.0.0.1,10.0.0.0/8", [b"6.6.6.6, 203.0.113.7 , 10.0.0.9"], CLIENT),
        ("127.0.0.1,10.0.0.0/8", [b"10.0.0.8,10.0.0.9"], "10.0.0.8"),
        ("*", [b"203.0.113.7, 6.6.6.6"], CLIENT),
        ("127.0.0.1", [b"203.0.113.7:1234"], CLIENT),
        ("127.0.0.1", [b"[2001:db8::1]:80"], "2001:db8::1"),
        ("127.0.0.1", [b"2001:db8::1"], "2001:db8::1"),
        ("127.0.0.1", [b"::ffff:203.0.113.7"], CLIENT),
        ("127.0.0.1", [b"unknown"], "127.0.0.1"),
        ("127.0.0.1", [b""], "127.0.0.1"),
        ("*", [b"\xff\n x, 203.0.113.7"], CLIENT),
        ("127.0.0.1", [b"203.0.113.7,"], "127.0.0.1"),
    ],
)
def test_whose_request_it_is(trusted: str, values: list[bytes], expected: str):
    client = TrustedProxies(trusted).client_of(values, PROXY)
    assert client is not None
    assert client[0] == expected


@pytest.mark.parametrize("text", ["proxy.example", "127.0.0.1/33", "10.0.0.1/8", "1.2.3"])
def test_what_is_no_address(text: str):
    with pytest.raises(ValueError, match=r"address|network|host bits"):
        TrustedProxies(text)


@pytest.mark.parametrize(
    ("value", "expected"), [(b"https", "https"), (b" HTTP ", "http"), (b"ftp", "x"), (b"", "x")]
)
def test_schemes(value: bytes, expected: str):
    assert scheme_of(value, "x") == expected


@pytest.mark.parametrize(("flags", "is_logged"), [([], True), (["10.0.0.0/8"], False)])
def test_the_log_has_the_client(
    model_root: Path, start: Callable[..., Process], flags: list[str], is_logged: bool
):
    flags = [f"--forwarded-allow-ips={each}" for each in flags]
    process = start(model_root, "--port", "0", *flags)
    with Client(process.url) as client:
        headers = {"X-Forwarded-For": CLIENT, "X-Forwarded-Proto": "https"}
        client.request("GET", "/healthcheck", None, headers)
        client.post("echo.pt", [tensor([1], [1.0])], headers)
        client.get("/healthcheck")
        with_pieces = {"X-Request-Id": "last", **headers}
        client.post("echo.pt", iter([b"[", b"]"]), with_pieces)
    wait_until(lambda: process.stdout.count("\n") == 5)
    found = [line.split()[3] for line in process.stdout.splitlines()[1:]]
    named = CLIENT if is_logged else "127.0.0.1"
    assert found == [named, named, "127.0.0.1", named]
