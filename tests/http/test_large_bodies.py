"""Bodies whose rest is received past the parser: whole, in order, and no more memory than came."""

import asyncio
import hashlib
import random
import threading
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.support.bare_server import BareServer
from tests.support.client import LIMIT_S, Client, RawConnection, raw_request, with_length
from tests.support.process import Process, child_pids, wait_until

KIB, MIB = 1 << 10, 1 << 20
LIMIT_BYTES = 16 * MIB
RANDOM = random.Random(5).randbytes(LIMIT_BYTES + 1)
HEALTHCHECK = raw_request(method="GET", target="/healthcheck")


class Digests(BareServer):
    """Its response is the hash of the body."""

    max_body_bytes = LIMIT_BYTES

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        more, body = True, b""
        while more:
            event = await receive()
            more, body = event.get("more_body", False), body + event.get("body", b"")
        response = digest_of(body)
        head = [(b"content-length", b"%d" % len(response))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": response})


def digest_of(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()


async def digests(pieces: list[bytes], count: int) -> list[bytes]:
    """Send pieces to a server, which refuses nothing; return the ends of so many responses."""
    bare = Digests()
    server = await asyncio.get_running_loop().create_server(bare.protocol(), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        responses = []
        for _ in range(count):
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), LIMIT_S)
            responses.append(await asyncio.wait_for(reader.readexactly(64), LIMIT_S))
        assert bare.refused == []
        return responses
    finally:
        writer.close()
        server.close()


def post(body: bytes, *headers: str, zeros: int = 0) -> bytes:
    return raw_request(body, f"Content-Length: {'0' * zeros}{len(body)}", *headers)


@pytest.mark.parametrize(
    "size",
    [64 * KIB - 1, 64 * KIB, 256 * KIB, 4 * MIB, 4 * MIB + 64 * KIB, 9 * MIB, LIMIT_BYTES],
)
def test_bodies_arrive_as_they_were_sent(size: int):
    first, second = RANDOM[:size], RANDOM[-size:]
    whole = post(first) + post(second)
    expected = [digest_of(first), digest_of(second)]
    end = len(post(first))
    for cuts in ([], [end - size], [end - size + 1], [end - size, end - 1], [end - 1, end + 7]):
        edges = [0, *cuts, len(whole)]
        pieces = [whole[start:stop] for start, stop in pairwise(edges)]
        assert uvloop.run(digests(pieces, 2)) == expected


@pytest.mark.parametrize("size", [0, 300, 300 * KIB, 2 * MIB])
def test_a_length_may_begin_with_zeros(size: int):
    request = post(RANDOM[:size], zeros=5000)
    assert uvloop.run(digests([request[:5200], request[5200:]], 1)) == [digest_of(RANDOM[:size])]


@pytest.mark.parametrize("size", [300, 2 * MIB])
def test_nothing_is_read_behind_a_last_request(size: int):
    request = post(RANDOM[:size], "Connection: close") + b"no http\r\n\r\n"
    assert uvloop.run(digests([request], 1)) == [digest_of(RANDOM[:size])]


@pytest.fixture(scope="module")
def url(uvicorn_server: Process) -> str:
    return uvicorn_server.url


@pytest.fixture(scope="module")
def large_request() -> bytes:
    count = 200_000
    body = b'[{"type":"tensor","value":[' + b"1.5," * (count - 1) + b"1.5]}]"
    return with_length(body, "/serve?servable_identifier=sum.pt")


def test_a_client_that_waits_for_100_continue(url: str, large_request: bytes):
    head, _, body = large_request.partition(b"\r\n\r\n")
    with RawConnection(url) as connection:
        for _ in range(2):
            connection.send(head + b"\r\nExpect: 100-continue\r\n\r\n")
            assert connection.line() == b"HTTP/1.1 100 Continue\r\n"
            assert connection.line() == b"\r\n"
            connection.send(body)
            assert connection.response().result["value"] == [300_000]


@pytest.mark.parametrize(("target", "status"), [("/nowhere", 404), ("/serve", 400)])
def test_the_rest_of_a_body_that_nobody_needs(url: str, target: str, status: int):
    request = with_length(RANDOM[: 2 * MIB], target)
    with RawConnection(url) as connection:
        for sent in (300, 300 * KIB):
            connection.send(request[:sent])
            assert connection.response().status == status
            connection.send(request[sent:] + HEALTHCHECK)
            assert connection.response().document["description"] == "OK"


def test_a_large_body_behind_a_request_that_takes_its_time(
    url: str, large_request: bytes, brief_body: bytes
):
    slow = with_length(brief_body, "/serve?servable_identifier=slow.pt")
    with RawConnection(url) as connection:
        sender = threading.Thread(
            target=connection.send, args=(slow + large_request + HEALTHCHECK,)
        )
        sender.start()
        assert connection.response().status == 200
        assert connection.response().result["value"] == [300_000]
        assert connection.response().status == 200
        sender.join()


def test_a_body_that_stops(model_root: Path, start: Callable[..., Process]):
    flags = ["--body-timeout", "3", "--body-rate", "0"]
    url = start(model_root, "--port", "0", *flags).url
    request = with_length(RANDOM[: 2 * MIB])
    for sent in (200 * KIB, 2 * MIB):
        with RawConnection(url) as connection, Client(url) as client:
            connection.send(request[:sent])
            responses = connection.responses()
            client.check()
        assert [response.status for response in responses] == [408]


def test_what_is_announced_is_not_reserved(model_root: Path, start: Callable[..., Process]):
    process = start(model_root, "--port", "0")
    url = process.url
    [pid] = child_pids(process)
    count, length = 64, 60 * MIB
    target = "/serve?servable_identifier=echo.pt"
    head = raw_request(b"", f"Content-Length: {length}", "Expect: 100-continue", target=target)

    def reserved() -> int:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.partition("VmSize:")[2].split()[0]) * KIB

    with Client(url) as client, ExitStack() as stack:
        client.check()
        before = reserved()
        connections = [stack.enter_context(RawConnection(url)) for _ in range(count)]
        for connection in connections:
            connection.send(head)
            assert b" 100 " in connection.line()
            connection.send(b"[")
        # not at all without a path past the parser
        wait_until(lambda: reserved() - before > count * 3 * MIB)
        client.check()
        assert reserved() - before < count * length / 4
    with Client(url) as client:
        client.check()
