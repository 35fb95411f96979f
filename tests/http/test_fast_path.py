"""The fast path: the same responses as the application's, and only for what it may take."""

import asyncio
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.client import LIMIT_S, RawConnection, raw_request, scalar, tensor
from tests.support.process import Process
from torch_serving.config import Config
from torch_serving.http.auth import ApiKeys
from torch_serving.http.fast_path import FastPath
from torch_serving.service.inference import Inference
from torch_serving.service.runtime import Runtime


def npy_of(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


RESULT = tensor([2], [1, 2])
BODY = json.dumps([RESULT]).encode()
NPY_BODY = npy_of(np.array([1, 2], "float32"))
V2_BODY = json.dumps(
    {"inputs": [{"name": "x", "datatype": "FP32", "shape": [2], "data": [1.5, 2]}]}
).encode()
SERVE, INFER = "/serve", "/v2/models/echo.pt/infer"
NPY = "application/x-npy"
OCTETS = "Content-Type: application/octet-stream"
ECHO = "servable_identifier=echo.pt"
SLOW = "servable_identifier=slow.pt"
KEY = "0123456789abcdef"


def exchange(connection: RawConnection, target: str, body: bytes, *headers: str) -> list[object]:
    """Status, headers but the request's name and the date, and body of a response."""
    length = f"Content-Length: {len(body)}"
    connection.send(raw_request(body, length, *headers, target=target))
    lines = [connection.line()]
    while (line := connection.line()) != b"\r\n":
        lines.append(line)
    status, *rest = lines
    named = {name: value for name, _, value in (line.partition(b": ") for line in rest)}
    del named[b"x-request-id"], named[b"date"]
    return [status, named, connection.read(int(named[b"content-length"]))]


SERVE_REQUESTS = [
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
    (ECHO, BODY, [f"Accept: {NPY}"]),
    (ECHO, NPY_BODY, [f"Content-Type: {NPY}"]),
    (ECHO, NPY_BODY, [f"Content-Type: {NPY}", f"Accept: {NPY}"]),
    (ECHO, BODY, [f"Content-Type: {NPY}"]),
    (f"{ECHO}&plain=1", BODY, []),
    (f"{ECHO}&plain=1", NPY_BODY, [f"Content-Type: {NPY}"]),
    (f"{ECHO}&plain=1", BODY, [f"Accept: {NPY}"]),
    (f"{ECHO}&plain=2", BODY, []),
    (f"{ECHO}&plain=1", b"[1]", []),
    (ECHO, BODY, ["Accept: application/json; profile=plain"]),
]
V2_REQUESTS = [
    (INFER, V2_BODY, []),
    ("/v2/models/echo.pt/versions/1/infer", V2_BODY, []),
    ("/v2/models/echo.pt/versions/2/infer", V2_BODY, []),
    ("/v2/models/echo%2ept/infer?servable_identifier=two.pt", V2_BODY, []),
    ("/v2/models/nowhere.pt/infer", V2_BODY, []),
    ("/v2/models/raising.pt/infer", V2_BODY, []),
    ("/v2/models/echo.pt", V2_BODY, []),
    ("/v2/models/echo.pt/config", V2_BODY, []),
    ("/v2/models/stats", V2_BODY, []),
    ("/v2/models//infer", V2_BODY, []),
    (INFER, V2_BODY, ["Accept-Encoding: gzip"]),
    (INFER, V2_BODY, ["Accept-Encoding: identity"]),
    (INFER, V2_BODY[:-1], []),
    (INFER, b"", []),
    (
        INFER,
        V2_BODY.replace(b'"inputs"', b'"parameters": {"binary_data_output": true}, "inputs"'),
        [],
    ),
    (INFER, b"\0\0\x80\x3f", [OCTETS, "Inference-Header-Content-Length: 0"]),
    (INFER, b"\0\0\x80", [OCTETS, "Inference-Header-Content-Length: 0"]),
    (INFER, V2_BODY, [OCTETS, "Inference-Header-Content-Length: -1"]),
    ("/models", BODY, []),
    ("/healthcheck", BODY, []),
]


@pytest.mark.parametrize(
    ("target", "body", "headers"),
    [
        *((f"/serve?{query}", body, headers) for query, body, headers in SERVE_REQUESTS),
        *V2_REQUESTS,
    ],
)
def test_responses_are_the_applications(
    uvicorn_server: Process, target: str, body: bytes, headers: list[str]
):
    with RawConnection(uvicorn_server.url) as connection:
        exchange(connection, target, body, *headers)  # so that the model is loaded
        response = exchange(connection, target, body, *headers)
        # a deadline is for the application
        assert response == exchange(
            connection, target, body, *headers, "X-Request-Timeout-Ms: 60000"
        )


@pytest.fixture
def models(model_root: Path) -> Iterator[Inference]:
    with Runtime.build(Config(model_root=model_root, threads=1)) as runtime:
        for name in ("echo.pt", "slow.pt"):
            runtime.models.load(name, torch.device("cpu")).result()
        yield runtime.inference


JSON = (b"content-type", b"application/json")


@pytest.mark.parametrize(
    ("path", "query", "headers", "body"),
    [
        (SERVE, ECHO, [JSON, (b"x-request-timeout-ms", b"100")], BODY),
        (SERVE, ECHO, [JSON, (b"content-encoding", b"gzip")], BODY),
        (SERVE, ECHO, [JSON, (b"origin", b"https://example.org")], BODY),
        (SERVE, ECHO, [JSON, JSON], BODY),
        (SERVE, ECHO, [JSON], b""),
        (SERVE, "servable_identifier=never-loaded.pt", [JSON], BODY),
        (SERVE, "servable_identifier=two.pt", [JSON], BODY),
        (SERVE, f"{ECHO}&unknown={'a' * 1024}", [JSON], BODY),
        (SERVE, f"{ECHO}&device=tpu", [JSON], BODY),
        (SERVE, f"{ECHO}&method=none", [JSON], BODY),
        (INFER, "", [(b"accept-encoding", b"gzip")], V2_BODY),
        (INFER, "", [(b"inference-header-content-length", b"x")], V2_BODY),
        ("/v2/models/two.pt/infer", "", [], V2_BODY),
        ("/v2/models/echo.pt/ready", "", [], V2_BODY),
        ("/v2/models/echo.pt/versions/2/infer", "", [], V2_BODY),
        ("/models", ECHO, [], BODY),
    ],
)
def test_what_is_left_to_the_application(
    models: Inference,
    path: str,
    query: str,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
):
    async def begin() -> None:
        future = asyncio.get_running_loop().create_future()
        fast_path = FastPath(models, None)
        assert fast_path.begin(path, query.encode(), headers, bytearray(body), future) is None
        await asyncio.sleep(0)
        assert not future.done()

    asyncio.run(begin())


def test_what_is_taken(models: Inference):
    async def begin() -> bytes:
        future = asyncio.get_running_loop().create_future()
        path = FastPath(models, None)
        assert path.begin(SERVE, ECHO.encode(), [JSON], bytearray(BODY), future) is not None
        return await future

    for _ in range(8):  # the first in a thread, the later ones on the loop
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
    models: Inference, tmp_path: Path, header: tuple[bytes, bytes], taken: bool
):
    keys = tmp_path / "keys"
    keys.write_text(KEY)

    async def begin() -> None:
        future = asyncio.get_running_loop().create_future()
        path = FastPath(models, ApiKeys(keys))
        task = path.begin(SERVE, ECHO.encode(), [JSON, header], bytearray(BODY), future)
        assert (task is not None) is taken
        if taken:
            await future

    asyncio.run(begin())


def test_requests_in_threads_keep_their_order(uvicorn_server: Process, brief_body: bytes):
    slow = "/serve?servable_identifier=slow.pt"
    length = f"Content-Length: {len(brief_body)}"
    with RawConnection(uvicorn_server.url) as connection:
        exchange(connection, slow, json.dumps([tensor([1], [1]), scalar(1, "int")]).encode())
        one = raw_request(brief_body, length, target=slow)
        other = raw_request(BODY, f"Content-Length: {len(BODY)}")
        connection.send(one + other + one + other)
        results = [connection.response().result for _ in range(4)]
    assert results == [tensor([1], [2.5]), RESULT, tensor([1], [2.5]), RESULT]


@pytest.fixture
def two_devices(model_root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """Two devices by name, both of which are the processor."""
    monkeypatch.setattr("torch_serving.engine.devices.device_of", torch.device)
    monkeypatch.setattr("torch_serving.models.placement.device_of", torch.device)
    config = Config(model_root=model_root, threads=1, device="cpu,cpu:1")
    with Runtime.build(config) as runtime:
        for device in ("cpu", "cpu:1"):
            for name in ("echo.pt", "slow.pt"):
                runtime.models.load(name, torch.device(device)).result()
        yield runtime


def test_the_fast_path_takes_the_device_with_the_fewest_requests(
    two_devices: Runtime, brief_body: bytes
):
    path = FastPath(two_devices.inference, None)

    async def begin() -> list[str]:
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in range(4)]
        queries = [SLOW, ECHO, ECHO, SLOW]
        bodies = [brief_body, BODY, BODY, brief_body]
        invocations = [
            path.begin(SERVE, query.encode(), [JSON], bytearray(body), future)
            for query, body, future in zip(queries, bodies, futures, strict=True)
        ]
        futures[-1].cancel()  # its client is gone
        await asyncio.gather(*futures[:-1])
        while set(two_devices.devices._running.values()) != {0}:
            await asyncio.sleep(0.01)
        return [str(invocation.device) for invocation in invocations if invocation]

    found = asyncio.run(asyncio.wait_for(begin(), LIMIT_S))
    assert found == ["cpu", "cpu:1", "cpu", "cpu:1"]
