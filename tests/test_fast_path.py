"""The fast path: the same answers as the application's, and only for what it may take."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from client import RawConnection, raw_request, scalar, tensor
from conftest import Process

from torch_serving import start
from torch_serving.api_keys import ApiKeys
from torch_serving.config import Config
from torch_serving.devices import Devices
from torch_serving.engine import Engine
from torch_serving.fast_path import FastPath
from torch_serving.inference import Inference
from torch_serving.shared import Shared

RESULT = tensor([2], [1, 2])
BODY = json.dumps([RESULT]).encode()
ECHO = "servable_identifier=echo.pt"
KEY = "0123456789abcdef"


def told(connection: RawConnection, target: str, body: bytes, *headers: str) -> list[object]:
    """Status, headers but the request's name, and body of an answer."""
    length = f"Content-Length: {len(body)}"
    connection.send(raw_request(body, length, *headers, target=target))
    lines = [connection.line()]
    while (line := connection.line()) != b"\r\n":
        lines.append(line)
    status, *rest = lines
    named = {name: value for name, _, value in (line.partition(b": ") for line in rest)}
    del named[b"x-request-id"]
    return [status, named, connection.read(int(named[b"content-length"]))]


@pytest.mark.parametrize(
    ("query", "body", "headers"),
    [
        (ECHO, BODY, []),
        (ECHO, BODY, ["Content-Type: application/json", "Accept: */*"]),
        (ECHO, BODY, ["Content-Type: application/x-www-form-urlencoded"]),
        ("servable_identifier=%65cho.pt", BODY, []),
        ("servable_identifier=./echo.pt", BODY, []),
        (f"{ECHO}&method=forward&device=cpu&invalidation_probability=0", BODY, []),
        (f"{ECHO}&method=backward", BODY, []),
        (f"{ECHO}&device=tpu", BODY, []),
        (f"{ECHO}&{ECHO}", BODY, []),
        (f"{ECHO}&other=1", BODY, []),
        ("", BODY, []),
        ("servable_identifier=", BODY, []),
        ("servable_identifier=%FF", BODY, []),
        ("servable_identifier=../echo.pt", BODY, []),
        ("servable_identifier=nowhere.pt", BODY, []),
        (ECHO, b"", []),
        (ECHO, b"[", []),
        (ECHO, b"[1] ", []),
        (ECHO, b"[{}]", []),
        (ECHO, b'[{"type":"tensor","value":["\xc3\xa4"]}]', []),
        (ECHO, b'[{"type":"tensor","value":[1],"shape":[2]}]', []),
        (ECHO, BODY, ["Accept: text/html", "Accept: */*"]),
        ("servable_identifier=raising.pt", BODY, []),
    ],
)
def test_answers_are_the_applications(
    uvicorn_server: Process, query: str, body: bytes, headers: list[str]
):
    target = f"/serve?{query}"
    with RawConnection(uvicorn_server.url) as connection:
        told(connection, target, body, *headers)  # so that the model is loaded
        answer = told(connection, target, body, *headers)
        # a deadline is for the application
        assert answer == told(connection, target, body, *headers, "X-Request-Timeout-Ms: 60000")


@pytest.fixture
def models(model_root: Path) -> Iterator[tuple[Inference, Engine]]:
    config = Config(model_root=model_root)
    models = start.models_of(config, Shared())
    engine = Engine(1)
    engine.start()
    for name in ("echo.pt", "slow.pt"):
        models.load(name, torch.device("cpu")).result()
    yield Inference(models, engine, Devices("cpu")), engine
    engine.close()
    models.close()


JSON = (b"content-type", b"application/json")


@pytest.mark.parametrize(
    ("query", "headers", "body"),
    [
        (ECHO, [JSON, (b"x-request-timeout-ms", b"100")], BODY),
        (ECHO, [JSON, (b"content-encoding", b"gzip")], BODY),
        (ECHO, [JSON, (b"origin", b"https://example.org")], BODY),
        (ECHO, [JSON, JSON], BODY),
        (ECHO, [(b"content-type", b"application/x-npy")], BODY),
        (ECHO, [(b"accept", b"application/x-npy")], BODY),
        (ECHO, [JSON], b""),
        ("servable_identifier=never-loaded.pt", [JSON], BODY),
        ("servable_identifier=two.pt", [JSON], BODY),
        (f"{ECHO}&device=tpu", [JSON], BODY),
        (f"{ECHO}&method=none", [JSON], BODY),
    ],
)
def test_what_is_left_to_the_application(
    models: tuple[Inference, Engine], query: str, headers: list[tuple[bytes, bytes]], body: bytes
):
    async def begin() -> None:
        future = asyncio.get_running_loop().create_future()
        path = FastPath(*models, None)
        assert path.begin(query.encode(), headers, bytearray(body), future) is None
        await asyncio.sleep(0)
        assert not future.done()

    asyncio.run(begin())


def test_what_is_taken(models: tuple[Inference, Engine]):
    async def begin() -> bytes:
        future = asyncio.get_running_loop().create_future()
        path = FastPath(*models, None)
        assert path.begin(ECHO.encode(), [JSON], bytearray(BODY), future) is not None
        return await future

    for _ in range(8):  # the first in a lane, the later ones on the loop
        assert json.loads(asyncio.run(begin()))["result"] == RESULT


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ((b"authorization", f"Bearer {KEY}".encode()), True),
        ((b"x-api-key", KEY.encode()), True),
        ((b"x-api-key", b"another key, as long"), False),
        ((b"authorization", b"Bearer \xff"), False),
        ((b"accept", b"*/*"), False),
    ],
)
def test_keys_are_asked_for(
    models: tuple[Inference, Engine], tmp_path: Path, header: tuple[bytes, bytes], taken: bool
):
    keys = tmp_path / "keys"
    keys.write_text(KEY)

    async def begin() -> None:
        future = asyncio.get_running_loop().create_future()
        path = FastPath(*models, ApiKeys(keys))
        counts = path.begin(ECHO.encode(), [JSON, header], bytearray(BODY), future)
        assert (counts is not None) is taken
        if taken:
            await future

    asyncio.run(begin())


def test_requests_in_lanes_keep_their_order(uvicorn_server: Process, brief_body: bytes):
    slow = "/serve?servable_identifier=slow.pt"
    length = f"Content-Length: {len(brief_body)}"
    with RawConnection(uvicorn_server.url) as connection:
        told(connection, slow, json.dumps([tensor([1], [1]), scalar(1, "int")]).encode())
        one = raw_request(brief_body, length, target=slow)
        other = raw_request(BODY, f"Content-Length: {len(BODY)}")
        connection.send(one + other + one + other)
        results = [connection.answer().result for _ in range(4)]
    assert results == [tensor([1], [2.5]), RESULT, tensor([1], [2.5]), RESULT]
