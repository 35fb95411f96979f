"""One connection of the protocol, with an application that is nothing but quick, slow or large."""

import asyncio
import gc
import socket
import ssl
import time
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.support.bare_server import LARGE, BareServer, Connection
from tests.support.client import LIMIT_S
from torch_serving.http._connection import HttpProtocol

FIELD = b"X-Name: value\r\n"
SHORT_S = 0.2


def get(path: bytes, *headers: bytes, version: bytes = b"1.1") -> bytes:
    head = b"".join(header + b"\r\n" for header in headers)
    return b"GET " + path + b" HTTP/" + version + b"\r\nHost: x\r\n" + head + b"\r\n"


CHUNKED = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"


@pytest.fixture
def bare() -> BareServer:
    return BareServer()


def run(bare: BareServer, use: Callable[[Connection], Awaitable[None]]) -> None:
    uvloop.run(bare.serve(use))


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "requests",
    [
        get(b"/large"),
        get(b"/large", b"Connection: close"),
        get(b"/large", version=b"1.0"),
        get(b"/large") + get(b"/a"),
        get(b"/large") + b"no http\r\n\r\n",
        get(b"/large") + get(b"/a") + b"no http\r\n\r\n",
        get(b"/large") + get(b"/a") + CHUNKED + b"z\r\n",
    ],
)
def test_a_client_that_does_not_read_is_disconnected(bare: BareServer, requests: bytes):
    bare.keep_alive_s = SHORT_S

    async def use(connection: Connection) -> None:
        await connection.send(requests)
        await until(lambda: "/large" in bare.asked)
        await until(lambda: not bare.state.connections)

    run(bare, use)


def test_a_client_that_reads_too_slowly_is_disconnected(bare: BareServer):
    bare.keep_alive_s, bare.body_rate = SHORT_S, float(1 << 30)

    async def use(connection: Connection) -> None:
        await connection.send(get(b"/large"))
        await until(lambda: "/large" in bare.asked)
        while bare.state.connections:
            await connection.read_some()
            await asyncio.sleep(0.01)

    run(bare, use)


def test_a_request_behind_a_large_response_has_its_time(bare: BareServer):
    bare.keep_alive_s, bare.slow_s = 2, 3  # nothing else of this test may take so long

    async def use(connection: Connection) -> None:
        await connection.send(get(b"/large") + get(b"/slow", b"Connection: close"))
        responses = await connection.responses()
        assert responses.count(b"HTTP/1.1 200") == 2
        assert responses.endswith(b"/slow")

    run(bare, use)


class OneModel:
    """A fast path to a model that responds in the next turn of the loop."""

    def __init__(self) -> None:
        self.models: list[weakref.ref[Any]] = []

    def begin(self, path: str, query: bytes, headers: Any, body: bytes, completion: Any) -> Any:
        model = Model()
        self.models.append(weakref.ref(model))
        completion.get_loop().call_soon(completion.set_result, b"result")
        return model


class Model:
    headers = (("content-type", "text/plain"),)
    counters = None


def test_a_connection_that_waits_keeps_no_model_in_memory(bare: BareServer):
    bare.fast_path = OneModel()

    async def use(connection: Connection) -> None:
        for turn in range(2):
            await connection.send(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
            await connection.receive(b"result")
            assert bare.fast_path.models[turn]() is None

    run(bare, use)


@pytest.mark.parametrize("header", [b"Connection: close", b"Accept: */*"])
def test_a_client_that_reads_slowly_gets_its_response_while_the_server_stops(
    bare: BareServer, header: bytes
):
    async def use(connection: Connection) -> None:
        await connection.send(get(b"/large", header))
        await until(lambda: bool(bare.headers))
        for protocol in bare.state.connections:
            protocol.shutdown()
        await asyncio.sleep(1)
        head, _, body = (await connection.responses()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert body == LARGE

    run(bare, use)


@pytest.mark.parametrize("sent", [0, 5, 20])
def test_a_request_that_is_on_its_way_while_the_server_stops_gets_its_response(
    bare: BareServer, sent: int
):
    request = get(b"/a")

    async def use(connection: Connection) -> None:
        await until(lambda: bool(bare.state.connections))
        await connection.send(request[:sent])
        await asyncio.sleep(0.05)
        for protocol in bare.state.connections:
            protocol.shutdown()
        await connection.send(request[sent:])
        responses = await connection.responses()
        assert responses.startswith(b"HTTP/1.1 200")
        assert b"connection: close" in responses

    run(bare, use)


def test_a_loop_that_was_held_up_reads_what_has_come_in_time(bare: BareServer):
    """What is sent while it does something else for longer than it waits for a last request."""
    ours, theirs = socket.socketpair()

    async def use(connection: Connection) -> None:
        loop = asyncio.get_running_loop()

        def hold_up() -> None:
            loop.remove_reader(ours)
            for protocol in bare.state.connections:
                protocol.shutdown()
            connection.send_now(get(b"/a"))
            time.sleep(0.7)

        await until(lambda: bool(bare.state.connections))
        loop.add_reader(ours, hold_up)
        theirs.send(b".")
        assert (await connection.responses()).startswith(b"HTTP/1.1 200")

    with ours, theirs:
        run(bare, use)


@pytest.mark.parametrize("count", [1, 2, 3, 10])
@pytest.mark.parametrize(
    "bad", [b"no http\r\n\r\n", get(b"http://x:99999/"), get(b"/a").replace(b"1.1", b"2.0")]
)
def test_all_requests_before_a_broken_one_get_responses(bare: BareServer, count: int, bad: bytes):
    bare.keep_alive_s = SHORT_S  # less than the first one takes

    async def use(connection: Connection) -> None:
        await connection.send(get(b"/slow") + get(b"/a") * (count - 1) + bad)
        responses = await connection.responses()
        assert responses.count(b"HTTP/1.1 200 OK") == count
        assert responses.count(b"connection: close") == 1
        assert responses.endswith(b"/a" if count > 1 else b"/slow")

    run(bare, use)
    assert len(bare.asked) == count
    assert bare.refused == [400]


def test_a_broken_request_after_a_response_is_reported(bare: BareServer):
    async def use(connection: Connection) -> None:
        await connection.send(get(b"/a"))
        await until(lambda: bool(bare.headers))
        await connection.send(get(b"http://x:99999/"))
        responses = await connection.responses()
        assert (responses.count(b"HTTP/1.1 200"), responses.count(b"HTTP/1.1 400")) == (1, 1)

    run(bare, use)
    assert bare.refused == [400]


def test_a_target_without_a_path_means_the_root(bare: BareServer):
    async def use(connection: Connection) -> None:
        await connection.send(get(b"http://x", b"Connection: close"))
        assert (await connection.responses()).endswith(b"\r\n\r\n/")

    run(bare, use)


def test_trailers_are_no_headers(bare: BareServer):
    trailers = b"0\r\nAuthorization: Bearer x\r\nX-Request-Id: mine\r\n\r\n"

    async def use(connection: Connection) -> None:
        await connection.send(CHUNKED + trailers + get(b"/b", b"Connection: close"))
        responses = await connection.responses()
        assert responses.count(b"HTTP/1.1 200") == 2
        assert b"mine" not in responses

    run(bare, use)
    assert [name for name, _ in bare.headers[0]] == [b"host", b"transfer-encoding"]


@pytest.mark.parametrize(
    ("first", "more"),
    [(b"0\r\n", FIELD * 1000), (b"0\r\nX-Name: ", b"a" * 10_000), (b"3;a=", b"b" * 10_000)],
)
def test_what_is_no_body_has_a_limit_too(bare: BareServer, first: bytes, more: bytes):
    """Trailers, one of them, and an extension of a chunk that never end."""

    async def use(connection: Connection) -> None:
        await connection.send(CHUNKED + first)
        assert await connection.flood(more)

    run(bare, use)
    assert bare.refused == [431]


def alive() -> int:
    return sum(type(each) is HttpProtocol for each in gc.get_objects())


@pytest.mark.parametrize("is_secure", [False, True])
def test_a_closed_connection_is_gone_at_once(
    bare: BareServer, certificate: tuple[Path, Path], is_secure: bool
):
    """It is not left to the garbage collector, which can't see how large its buffers are."""
    here = ssl.create_default_context(cafile=certificate[0]) if is_secure else None
    there = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if is_secure else None
    if there:
        there.load_cert_chain(*certificate)

    async def use() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(bare.protocol(), "127.0.0.1", 0, ssl=there)
        address = server.sockets[0].getsockname()
        try:
            for _ in range(4):
                reader, writer = await asyncio.open_connection(*address, ssl=here)
                writer.write(get(b"/a", b"Connection: close"))
                assert (await reader.read()).endswith(b"/a")
                writer.close()
            assert len(bare.asked) == 4
            await asyncio.wait_for(until(lambda: alive() == before), LIMIT_S)
        finally:
            server.close()

    gc.collect()
    before = alive()
    gc.disable()
    try:
        uvloop.run(use())
    finally:
        gc.enable()
