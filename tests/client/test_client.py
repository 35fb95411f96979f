"""Clients of a real server: models, errors, keys, sockets, threads and tasks."""

import asyncio
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.client.scripted_server import ScriptedServer, error
from tests.support.client import in_threads
from tests.support.process import Process
from torch_serving import client as package
from torch_serving.client import AsyncClient, Client, ServingError
from torch_serving.testing import server

X = np.ones((2, 3), np.float32)


def test_it_needs_no_torch():
    """Nor does what it imports: torch is not found at all here."""
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import torch_serving.client as package\n"
        "package.Client('http://127.0.0.1:1').close()\n"
        "from torch_serving.client.bodies import arguments_of\n"
        "arguments_of(([1, 'a', None, {'b': (2.5,)}],), {}).body(True)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_without_httpx_it_says_what_to_install():
    code = "import sys; sys.modules['httpx'] = None; import torch_serving.client"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        "ImportError: torch_serving.client needs httpx; pip install 'torch-serving[client]'"
    )


def test_methods_and_devices(models: Client):
    model = models["no_forward.pt"]
    for encode in (model.encode, model.method("encode"), model.on("cpu").encode):
        assert encode(X).tolist() == (X + 1).tolist()
    assert repr(model.encode).endswith("['no_forward.pt'].encode")
    assert models["deep/x.pt"].on("cuda:7")._target.path == (
        "/serve?servable_identifier=deep%2Fx.pt&device=cuda%3A7"
    )
    assert not hasattr(model, "__array__")


def test_management(models: Client):
    assert "echo.pt" in {each["identifier"] for each in models.models()}
    assert models.load("echo.pt")["state"] == "loaded"
    assert models.load("echo.pt", "cpu")["state"] == "loaded"
    described = models.describe("echo.pt")
    assert described["methods"]["forward"]["arguments"][0]["name"] == "x"
    assert models.unload("echo.pt")["state"] == "available"
    models.wait_until_ready()


@pytest.mark.parametrize(
    ("call", "kind", "status", "description", "pointer", "argument"),
    [
        (lambda m: m["no"](X), "UnknownModel", 400, "Invalid servable identifier", "", ""),
        (
            lambda m: m.describe("no"),
            *("UnknownModel", 400, "Invalid servable identifier", "", ""),
        ),
        (lambda m: m["two.pt"](X), "InvalidRequest", 400, "Invalid Input JSON", "", ""),
        (lambda m: m["two.pt"](x=X), "InvalidRequest", 400, "Invalid Input JSON", "", "y"),
        (
            lambda m: m["tuple.pt"]((X, "a")),
            *("InvalidRequest", 400, "Invalid Input JSON", "/0/1/type", "t"),
        ),
        (
            lambda m: m["scalars.pt"](n=1.5, f=1, b=True, s=""),
            *("InvalidRequest", 400, "Invalid Input JSON", "/n/data_type", "n"),
        ),
        (lambda m: m["echo.pt"].on("nowhere")(X), "InvalidRequest", 400, "Invalid device", "", ""),
        (lambda m: m["echo.pt"].backward(X), "InvalidRequest", 400, "Invalid parameter", "", ""),
        (lambda m: m["raising.pt"](X, 3), "ModelFailed", 500, "Inference failed", "", ""),
        (lambda m: m["sparse.pt"](X), "ModelFailed", 500, "Unsupported result", "", ""),
    ],
)
def test_errors(
    models: Client,
    call: Callable[[Client], Any],
    kind: str,
    status: int,
    description: str,
    pointer: str,
    argument: str,
):
    with pytest.raises(ServingError) as caught:
        call(models)
    error = caught.value
    assert type(error) is getattr(package, kind)
    assert (error.status, error.description) == (status, description)
    assert (error.pointer, error.argument) == (pointer, argument)
    assert str(error) == f"{description}: {error.detail}"
    assert len(error.request_id) > 4
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.__dict__) == (str(error), error.__dict__)


@pytest.mark.parametrize(
    "url",
    [
        *("127.0.0.1:8888", "", "ftp://x", "unix:x.sock", "unix://x/y", "http://", "http://u:p@x"),
        *("http://x?a=1", "http://x:abc", "http://x:99999", "http://[::1", "http://a\nb:c"),
        *(f"http://{'a' * 70}.x", None, 8888),
    ],
)
def test_addresses_that_are_none(url: Any):
    with pytest.raises(ValueError, match=r"expected http://host:port|address has no"):
        Client(url)


@pytest.mark.parametrize(
    "options",
    [
        *({"results": "jax"}, {"timeout_s": 0}, {"retries": -1}, {"connections": 0}),
        *({"api_key": "a\r\nb"}, {"api_key": ""}, {"api_key": "a "}, {"verify": "/nowhere.pem"}),
    ],
)
def test_options_that_are_none(options: dict[str, Any]):
    expected = r"is one of|is more than|is at least|a key is|nowhere.pem holds no certificates"
    with pytest.raises(ValueError, match=expected):
        Client("https://x", **options)


@pytest.mark.parametrize("timeout_s", [None, 1e7, 1e12, float("inf")])
def test_calls_that_may_take_for_ever(models: Client, timeout_s: float | None):
    assert models["echo.pt"].with_options(timeout_s=timeout_s)(X) is not None


def test_a_prefix_and_a_key_are_sent(scripted: ScriptedServer):
    with Client(f"{scripted.url}/below/", api_key="secret") as client:
        client["m.pt"](1)
        assert "secret" not in repr(client) + repr(client["m.pt"])
    assert scripted.requests[0].startswith(b"POST /below/serve?servable_identifier=m.pt HTTP/1.1")
    assert scripted.header("Authorization") == "Bearer secret"


def test_keys(model_root: Path, tmp_path: Path, start: Callable[..., Process]):
    keys = tmp_path / "keys"
    keys.write_text("right-and-long-enough-key\n")
    keys.chmod(0o600)
    url = start(model_root, "--port", "0", "--api-key-file", keys).url
    with Client(url, api_key="right-and-long-enough-key") as client:
        assert client["echo.pt"](X).shape == (2, 3)
    for key in (None, "wrong"):
        with Client(url, api_key=key) as client, pytest.raises(package.Unauthorized):
            client["echo.pt"](X)


def test_a_socket(model_root: Path, tmp_path: Path, start: Callable[..., Process]):
    path = tmp_path / "x.sock"
    with Client(start(model_root, "--uds", path).url) as client:
        assert client["echo.pt"](X).shape == (2, 3)


def test_tls(model_root: Path, certificate: tuple[Path, Path]):
    cert, key = certificate
    with server(model_root, tls_cert=cert, tls_key=key) as served:
        assert served.url.startswith("https://")
        with Client(served.url, verify=str(cert)) as client:
            assert client["echo.pt"](X).shape == (2, 3)
        with Client(served.url, retries=0) as client, pytest.raises(package.Unreachable):
            client["echo.pt"](X)


def test_threads_share_a_client(models: Client):
    def call(number: int) -> float:
        total: float = models["echo.pt"](np.full(3, number, np.float32)).sum()
        return total

    assert in_threads(32, call) == [3.0 * number for number in range(32)]


def test_forked_processes_use_connections_of_their_own(models: Client):
    echo = models["echo.pt"]
    echo(X)  # there is a connection now

    def own_answers(number: int) -> bool:
        values = np.full(3, number, np.float32)
        return all((echo(values) == values).all() for _ in range(50))

    children = []
    for number in range(1, 5):
        if (child := os.fork()) == 0:
            try:
                right = own_answers(number)
            finally:
                os._exit(0 if right else 1)
        children.append(child)
    assert own_answers(0)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0, 0]


def test_a_hundred_tasks(url: str):
    async def calls() -> list[float]:
        async with AsyncClient(url) as client:
            await client.wait_until_ready()
            echo = client["echo.pt"]
            results = await asyncio.gather(*[echo(np.full(3, n)) for n in range(100)])
        return [float(result.sum()) for result in results]

    assert asyncio.run(calls()) == [3.0 * number for number in range(100)]


def test_all_of_the_client_for_tasks(url: str):
    async def calls() -> None:
        async with AsyncClient(url, retries=0) as client:
            assert len(await client.models()) > 10
            assert (await client.load("two.pt"))["state"] == "loaded"
            assert "methods" in await client.describe("two.pt")
            assert (await client["two.pt"](X, y=X)).sum() == 0
            assert (await client.unload("two.pt"))["state"] == "available"
            with pytest.raises(package.InvalidRequest, match="2 arguments"):
                await client["two.pt"](X)

    asyncio.run(calls())


def test_tasks_try_again(scripted: ScriptedServer):
    async def calls() -> None:
        async with AsyncClient(scripted.url) as client:
            await client["m.pt"](X)
        async with AsyncClient("http://127.0.0.1:1", retries=0) as client:
            with pytest.raises(package.Unreachable):
                await client["m.pt"](X)

    scripted.script = [error(503, "Server overloaded", Retry_After="0")]
    asyncio.run(calls())
    assert len(scripted.requests) == 2
