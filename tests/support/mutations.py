"""Requests with bytes changed at random, and what must hold of the responses."""

import asyncio
import json
import random
import re
from urllib.parse import urlsplit

from tests.support.client import chunked, raw_request, tensor, with_length

SIDE_BY_SIDE = 32
BODY = json.dumps([tensor([2], [1, 2])]).encode()
SEEDS = [
    with_length(BODY),
    chunked(BODY[:20], BODY[20:]),
    raw_request(method="GET", target="/healthcheck") * 2,
    raw_request(BODY, "Expect: 100-continue", f"Content-Length: {len(BODY)}"),
    raw_request(BODY, "Connection: Upgrade", "Upgrade: h2c", f"Content-Length: {len(BODY)}"),
    with_length(BODY) + chunked(BODY),
    with_length(b'{"x": {"type": "tensor", "shape": [1, 2], "value": [[1.5, -2e-3]]}}'),
]
PIECES = [b"\r\n", b"\n", b"\0", b" ", b"\t", b":", b"0", b"9" * 20, b"-1", b"chunked", b"HTTP/1.0"]
LAST = raw_request(b"", "Connection: close", method="GET", target="/healthcheck")
STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) [A-Z][A-Za-z0-9 ]*\r\n")


def mutated(choose: random.Random) -> bytes:
    data = bytearray(choose.choice(SEEDS))
    for _ in range(choose.randint(1, 4)):
        at = choose.randrange(len(data) + 1)
        kind = choose.randrange(4)
        if kind == 0:
            data[at : at + 1] = bytes([choose.randrange(256)])
        elif kind == 1:
            data[at:at] = choose.choice(PIECES)
        elif kind == 2:
            del data[at : at + choose.randint(1, 8)]
        else:
            data[at:at] = data[at : at + choose.randint(1, 40)]
    return bytes(data)


async def exchange(host: str, port: int, data: bytes) -> bytes:
    """Send in one piece, and return all that comes until the server closes or waits for more."""
    reader, writer = await asyncio.open_connection(host, port)
    received = b""
    try:
        writer.write(data + LAST)
        while part := await asyncio.wait_for(reader.read(1 << 16), 0.3):
            received += part
    except (TimeoutError, asyncio.TimeoutError, ConnectionError):
        pass
    finally:
        writer.transport.abort()
    return received


async def send_mutations(host: str, port: int, start: int, count: int) -> None:
    choose = random.Random(start)
    for _ in range(start, count, SIDE_BY_SIDE):
        data = mutated(choose)
        received = await exchange(host, port, data)
        statuses = [int(status) for status in STATUS.findall(received)]
        assert all(status < 500 for status in statuses), (data, received)
        assert len(statuses) <= data.count(b"HTTP") + 2, (data, received)
        assert not received or STATUS.match(received), (data, received)


def send_all_mutations(url: str, count: int) -> None:
    address = urlsplit(url)

    async def run() -> None:
        await asyncio.gather(
            *(
                send_mutations(str(address.hostname), int(address.port or 0), start, count)
                for start in range(SIDE_BY_SIDE)
            )
        )

    asyncio.run(run())
