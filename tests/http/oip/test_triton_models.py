"""Metadata, statistics, loading and unloading of models; and the asyncio client."""

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

from tests.support.fetch import fetch
from tests.support.process import Process, wait_until
from tests.support.triton import FLOATS, given

DEEP = "deep/er/a b,é&+.pt"


def test_metadata_and_configuration(asked: triton.InferenceServerClient):
    for name in ("two.pt", DEEP):
        metadata = asked.get_model_metadata(name)
        assert (metadata["name"], metadata["versions"]) == (name, ["1"])
        assert metadata == asked.get_model_metadata(name, model_version="1")
    metadata = asked.get_model_metadata("two.pt")
    assert [each["name"] for each in metadata["inputs"]] == ["x", "y"]
    assert [each["name"] for each in metadata["outputs"]] == ["output_0"]
    config = asked.get_model_config("two.pt", model_version="1")
    assert [each["data_type"] for each in config["input"]] == ["TYPE_FP32"] * 2


def test_what_the_metadata_says_works(tmp_path: Path, start: Callable[..., Process]):
    """Indices into a table are no floats, though its weights are."""
    module = torch.nn.Sequential(torch.nn.Embedding(10, 4), torch.nn.Linear(4, 2))
    torch.jit.script(module.eval()).save(tmp_path / "m.pt")
    process = start(tmp_path, "--port", "0")
    with triton.InferenceServerClient(urlsplit(process.url).netloc) as client:
        (wanted,) = client.get_model_metadata("m.pt")["inputs"]
        assert (wanted["datatype"], wanted["shape"]) == ("INT64", [-1, -1])
        indices = given(wanted["name"], np.zeros((2, 3), np.int64), wanted["datatype"])
        assert client.infer("m.pt", [indices]).as_numpy("output_0").shape == (2, 3, 2)


def test_loading_and_unloading(owned: triton.InferenceServerClient):
    for name in ("two.pt", "team/mlp.pt"):
        owned.load_model(name)
        assert owned.is_model_ready(name)
        assert owned.is_model_ready(name, model_version="1")
        assert states(owned)[name] == "READY"
        owned.unload_model(name)
        assert states(owned)[name] == "UNAVAILABLE"
    assert not owned.is_model_ready("none.pt")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("version", ["", "/versions/1"])
def test_asking_whether_a_model_is_ready_loads_it(own_server: Process, method: str, version: str):
    with triton.InferenceServerClient(urlsplit(own_server.url).netloc) as client:
        client.unload_model("two.pt")
        path = f"/v2/models/two.pt{version}/ready"
        wait_until(lambda: fetch(own_server.url, path, method=method)[0] == 200)
        assert states(client)["two.pt"] == "READY"


def test_a_model_that_can_not_be_loaded_is_not_ready(own_server: Process):
    def error() -> str:
        status, _, document = fetch(own_server.url, "/v2/models/broken.pt/ready")
        assert status in (400, 503)
        return document["error"]

    wait_until(lambda: "not a TorchScript archive" in error())


def states(client: triton.InferenceServerClient) -> dict[str, str]:
    index = client.get_model_repository_index()
    assert all(set(entry) == {"name", "version", "state", "reason"} for entry in index)
    return {entry["name"]: entry["state"] for entry in index}


def test_what_can_not_be_loaded(owned: triton.InferenceServerClient):
    with pytest.raises(InferenceServerException, match=r"`broken\.pt`: not a TorchScript archive"):
        owned.load_model("broken.pt")
    for name in ("none.pt", "../echo.pt"):
        with pytest.raises(InferenceServerException, match="there is no such file"):
            owned.load_model(name)
        with pytest.raises(InferenceServerException, match="there is no such file"):
            owned.unload_model(name)
    for options in ({"config": "{}"}, {"files": {"file:1/model.pt": b"x"}}):
        with pytest.raises(InferenceServerException, match="files of the server"):
            owned.load_model("echo.pt", **options)
    assert set(states(owned)) == {"broken.pt", "echo.pt", "team/mlp.pt", "two.pt"}


def test_statistics(owned: triton.InferenceServerClient):
    before = counts(owned, "echo.pt")
    for _ in range(3):
        owned.infer("echo.pt", [given("x", FLOATS)])
    with pytest.raises(InferenceServerException):
        owned.infer("echo.pt", [given("y", FLOATS)])
    after = counts(owned, "echo.pt")
    assert (after[0] - before[0], after[1] - before[1]) == (3, 1)
    names = [each["name"] for each in owned.get_inference_statistics()["model_stats"]]
    assert "echo.pt" in names
    with pytest.raises(InferenceServerException, match="there is no such file"):
        owned.get_inference_statistics("none.pt")


def counts(client: triton.InferenceServerClient, name: str) -> tuple[int, int]:
    (statistics,) = client.get_inference_statistics(name, "1")["model_stats"]
    inference = statistics["inference_stats"]
    assert statistics["inference_count"] == inference["success"]["count"]
    return inference["success"]["count"], inference["fail"]["count"]


def test_the_largest_batch_is_in_the_configuration(owned: triton.InferenceServerClient):
    assert owned.get_model_config("team/mlp.pt")["max_batch_size"] == 32
    assert owned.get_model_config("echo.pt")["max_batch_size"] == 0


def test_the_asyncio_client(uvicorn_server: Process, own_server: Process):
    asyncio.run(ask_all(urlsplit(uvicorn_server.url).netloc, urlsplit(own_server.url).netloc))


async def ask_all(address: str, own_address: str) -> None:
    async with triton_aio.InferenceServerClient(address) as client:
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert (await client.get_server_metadata())["name"] == "torch-serving"
        assert (await client.get_model_metadata("two.pt"))["name"] == "two.pt"
        assert (await client.get_model_config("two.pt"))["name"] == "two.pt"
        for request_coding, response_coding in itertools.product(
            [None, "gzip", "deflate"], repeat=2
        ):
            result = await client.infer(
                DEEP,
                [given("x", FLOATS)],
                request_compression_algorithm=request_coding,
                response_compression_algorithm=response_coding,
            )
            assert np.array_equal(result.as_numpy("output_0"), FLOATS)
        strings = given("s", np.array(["é"], object), "BYTES")
        assert (await client.infer("str.pt", [strings])).as_numpy("output_0").item().decode() == "é"
        with pytest.raises(InferenceServerException, match="there is no such file"):
            await client.infer("none.pt", [given("x", FLOATS)])
    async with triton_aio.InferenceServerClient(own_address) as client:
        await client.load_model("two.pt")
        assert await client.is_model_ready("two.pt")
        assert len(await client.get_model_repository_index()) == 4
        await client.unload_model("two.pt")
        assert "model_stats" in await client.get_inference_statistics()
