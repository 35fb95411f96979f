"""The Open Inference Protocol, asked by tritonclient over a socket: all that its HTTP client has
for what this server does."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import ml_dtypes
import numpy as np
import pytest
import torch
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

from tests.support.process import Process
from tests.support.servables import SOURCES, mlp, scripted

FLOATS = np.array([[1.5, -2.0, 0.25], [4.0, 5.0, 6.0]], "float32")
DEEP = "deep/er/a b,é&+.pt"
NUMPY = {
    "BOOL": "bool",
    **{f"INT{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": f"float{bits}" for bits in (16, 32, 64)},
}


def given(name: str, array: np.ndarray, datatype: str = "FP32", binary: bool = True) -> Any:
    tensor = triton.InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array, binary_data=binary)
    return tensor


def wanted(*names: str, binary: bool = True) -> list[Any]:
    return [triton.InferRequestedOutput(name, binary_data=binary) for name in names]


@pytest.fixture(scope="module")
def own_server(
    tmp_path_factory: pytest.TempPathFactory, start_for_module: Callable[..., Process]
) -> Process:
    """Models that nobody else loads or unloads."""
    root = tmp_path_factory.mktemp("repository")
    (root / "team").mkdir()
    for name in ("echo.pt", "two.pt"):
        scripted(*SOURCES[name]).save(root / name)
    mlp().save(root / "team" / "mlp.pt")
    (root / "broken.pt").write_bytes(b"no model")
    return start_for_module(root, "--port", "0", "--batch", "team/*")


def connect(process: Process) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(urlsplit(process.url).netloc) as client:
        yield client


@pytest.fixture
def asked(uvicorn_server: Process) -> Iterator[triton.InferenceServerClient]:
    yield from connect(uvicorn_server)


@pytest.fixture
def owned(own_server: Process) -> Iterator[triton.InferenceServerClient]:
    yield from connect(own_server)


def test_the_server_and_its_health(asked: triton.InferenceServerClient):
    assert asked.is_server_live()
    assert asked.is_server_ready()
    metadata = asked.get_server_metadata()
    assert metadata["name"] == "torch-serving"
    assert set(metadata["extensions"]) == {
        "binary_tensor_data",
        "model_repository",
        "model_configuration",
        "statistics",
        "parameters",
    }


@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("shape", [(2, 3), (6,), (), (0,), (2, 0, 3), (1, 1, 1, 6)])
def test_binary_data_and_json_both_ways(
    asked: triton.InferenceServerClient, sent: bool, answered: bool, shape: tuple
):
    array = np.resize(FLOATS, shape)
    result = asked.infer(
        "echo.pt", [given("x", array, binary=sent)], outputs=wanted("output_0", binary=answered)
    )
    assert np.array_equal(result.as_numpy("output_0"), array)
    assert result.as_numpy("output_0").shape == array.shape
    assert ("data" in result.get_output("output_0")) is not answered


@pytest.mark.parametrize("datatype", NUMPY)
@pytest.mark.parametrize("binary", [True, False])
def test_every_datatype(asked: triton.InferenceServerClient, datatype: str, binary: bool):
    low, high = 0, 2
    if "INT" in datatype:
        low, high = np.iinfo(NUMPY[datatype]).min, np.iinfo(NUMPY[datatype]).max
    array = np.array([[low, 1, high]], NUMPY[datatype])
    result = asked.infer(
        "echo.pt",
        [given("x", array, datatype, binary)],
        outputs=wanted("output_0", binary=binary),
    )
    assert result.get_output("output_0")["datatype"] == datatype
    assert np.array_equal(result.as_numpy("output_0"), array)
    assert result.as_numpy("output_0").dtype == array.dtype


def test_bfloat16(asked: triton.InferenceServerClient):
    array = np.array([1.5, -3.25, 0.0], ml_dtypes.bfloat16)
    result = asked.infer("echo.pt", [given("x", array, "BF16")])
    assert result.get_output("output_0")["datatype"] == "BF16"
    assert np.array_equal(result.as_numpy("output_0"), array)
    result = asked.infer(
        "echo.pt", [given("x", array, "BF16")], outputs=wanted("output_0", binary=False)
    )
    assert np.array_equal(result.as_numpy("output_0").astype("float32"), array.astype("float32"))


@pytest.mark.parametrize("binary", [True, False])
def test_what_json_has_no_numbers_for(asked: triton.InferenceServerClient, binary: bool):
    array = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45], "float32")
    result = asked.infer(
        "echo.pt",
        [given("x", array, binary=binary)],
        outputs=wanted("output_0", binary=binary),
    )
    response = result.as_numpy("output_0")
    assert np.array_equal(response, array, equal_nan=True)
    assert np.array_equal(np.signbit(response), np.signbit(array))


@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize("answered", [True, False])
def test_strings(asked: triton.InferenceServerClient, sent: bool, answered: bool):
    array = np.array(["é", "", '\U0001f600 \\"\n'], object)
    inputs = [
        given("n", np.array([1, 2**62], "int64"), "INT64"),
        given("f", np.array([0.5], "float64"), "FP64"),
        given("b", np.array([True, False]), "BOOL"),
        given("s", array, "BYTES", sent),
    ]
    names = ["output_3", "output_0"]
    result = asked.infer("lists_of_all.pt", inputs, outputs=wanted(*names, binary=answered))
    texts = [t.decode() if isinstance(t, bytes) else t for t in result.as_numpy("output_3")]
    assert texts == array.tolist()
    assert result.as_numpy("output_0").tolist() == [1, 2**62]


@pytest.mark.parametrize("shape", [(), (1,)])
def test_numbers_and_strings_of_their_own(asked: triton.InferenceServerClient, shape: tuple):
    inputs = [
        given("n", np.full(shape, -3, "int64"), "INT64"),
        given("f", np.full(shape, 0.1, "float64"), "FP64"),
        given("b", np.full(shape, True), "BOOL"),
        given("s", np.full(shape, b"text", object), "BYTES"),
    ]
    result = asked.infer("scalars.pt", inputs)
    values = [result.as_numpy(f"output_{index}") for index in range(4)]
    assert [value.shape for value in values] == [()] * 4
    assert [value.item() for value in values] == [-3, 0.1, True, b"text"]


def test_arguments_with_parts_and_results_with_keys(asked: triton.InferenceServerClient):
    one, two = np.ones(2, "float32"), np.arange(2, dtype="float32")
    inputs = [
        given("d.0", one),
        given("o", two),
        given("td.t", two),
        given("n", np.array(1), "INT64"),
        given("s", np.array(["key"], object), "BYTES"),
    ]
    result = asked.infer("mixed.pt", inputs)
    answered = {output["name"] for output in result.get_response()["outputs"]}
    assert answered == {
        "output_0.key.0.0",
        "output_0.key.0.1",
        "output_0.key.1",
        "output_0.key.2",
        "output_1",
    }
    assert result.as_numpy("output_0.key.0.0").tolist() == [1.0, 2.0]
    assert result.as_numpy("output_0.key.2").item() == 2
    assert result.as_numpy("output_1").item() == b"key"


def test_outputs_in_the_order_in_which_they_are_asked_for(asked: triton.InferenceServerClient):
    inputs = [given("d.b", FLOATS), given("d.a", FLOATS[0]), given("d.c", FLOATS[1])]
    result = asked.infer("tensors.pt", inputs, outputs=wanted("c", "b"))
    assert [output["name"] for output in result.get_response()["outputs"]] == ["c", "b"]
    assert np.array_equal(result.as_numpy("c"), FLOATS[1])
    assert np.array_equal(result.as_numpy("b"), FLOATS)
    assert result.as_numpy("a") is None


def test_an_output_may_differ_from_the_others(asked: triton.InferenceServerClient):
    inputs = [given("d.0", FLOATS), given("d.1", FLOATS)]
    outputs = [*wanted("output_0"), *wanted("output_1", binary=False)]
    result = asked.infer("list.pt", inputs, outputs=outputs)
    assert "data" in result.get_output("output_1")
    assert "data" not in result.get_output("output_0")
    for name in ("output_0", "output_1"):
        assert np.array_equal(result.as_numpy(name), FLOATS)


def test_arguments_that_are_left_out_take_their_defaults(asked: triton.InferenceServerClient):
    result = asked.infer("default.pt", [given("x", FLOATS)])
    assert np.array_equal(result.as_numpy("output_0"), 2 * FLOATS)
    result = asked.infer("optional.pt", [given("x", FLOATS)])
    assert np.array_equal(result.as_numpy("output_0"), FLOATS)
    result = asked.infer("optional.pt", [given("y", FLOATS), given("x", FLOATS)])
    assert np.array_equal(result.as_numpy("output_0"), 2 * FLOATS)


@pytest.mark.parametrize("request_coding", [None, "gzip", "deflate"])
@pytest.mark.parametrize("response_coding", [None, "gzip", "deflate"])
@pytest.mark.parametrize("binary", [True, False])
def test_compression(
    asked: triton.InferenceServerClient,
    request_coding: str | None,
    response_coding: str | None,
    binary: bool,
):
    array = np.resize(FLOATS, (100, 100))
    result = asked.infer(
        "echo.pt",
        [given("x", array, binary=binary)],
        outputs=wanted("output_0", binary=binary),
        request_compression_algorithm=request_coding,
        response_compression_algorithm=response_coding,
    )
    assert np.array_equal(result.as_numpy("output_0"), array)


def test_a_model_that_writes_into_its_input(asked: triton.InferenceServerClient):
    for _ in range(3):
        result = asked.infer("writing.pt", [given("x", FLOATS)])
        assert np.array_equal(result.as_numpy("output_0"), FLOATS + 1)


def test_ids_versions_and_names_with_folders(asked: triton.InferenceServerClient):
    for name, version in [("echo.pt", "1"), (DEEP, ""), (DEEP, "1")]:
        result = asked.infer(name, [given("x", FLOATS)], model_version=version, request_id="ä 1")
        response = result.get_response()
        assert (response["id"], response["model_name"], response["model_version"]) == (
            "ä 1",
            name,
            "1",
        )
    assert "id" not in asked.infer("echo.pt", [given("x", FLOATS)]).get_response()


def test_parameters_that_mean_nothing_here(asked: triton.InferenceServerClient):
    result = asked.infer(
        "echo.pt",
        [given("x", FLOATS)],
        sequence_id=5,
        sequence_start=True,
        priority=2,
        timeout=1000,
        parameters={"mine": "yes", "number": 1.5},
        headers={"X-Request-Timeout-Ms": "10000"},
        query_params={"a": "b"},
    )
    assert np.array_equal(result.as_numpy("output_0"), FLOATS)


def test_requests_of_several_greenlets(uvicorn_server: Process):
    address = urlsplit(uvicorn_server.url).netloc
    with triton.InferenceServerClient(address, concurrency=4) as client:
        pending = [
            client.async_infer("echo.pt", [given("x", FLOATS + index)]) for index in range(16)
        ]
        for index, each in enumerate(pending):
            assert np.array_equal(each.get_result().as_numpy("output_0"), FLOATS + index)


def test_bodies_that_the_client_makes_and_reads_apart(asked: triton.InferenceServerClient):
    body, json_bytes = triton.InferenceServerClient.generate_request_body([given("x", FLOATS)])
    headers = {"Inference-Header-Content-Length": json_bytes}
    response = asked._post("v2/models/echo.pt/infer", body, headers, None)
    assert response.status_code == 200
    result = triton.InferenceServerClient.parse_response_body(
        response.read(), header_length=int(response.get("inference-header-content-length"))
    )
    assert np.array_equal(result.as_numpy("output_0"), FLOATS)


def test_what_is_told_of_a_model(asked: triton.InferenceServerClient):
    for name in ("two.pt", DEEP):
        metadata = asked.get_model_metadata(name)
        assert (metadata["name"], metadata["versions"]) == (name, ["1"])
        assert metadata == asked.get_model_metadata(name, model_version="1")
    metadata = asked.get_model_metadata("two.pt")
    assert [each["name"] for each in metadata["inputs"]] == ["x", "y"]
    assert [each["name"] for each in metadata["outputs"]] == ["output_0"]
    config = asked.get_model_config("two.pt", model_version="1")
    assert [each["data_type"] for each in config["input"]] == ["TYPE_FP32"] * 2


@pytest.mark.parametrize(
    ("name", "inputs", "options", "problem"),
    [
        ("none.pt", ["x"], {}, "there is no such file"),
        ("../none.pt", ["x"], {}, "there is no such file"),
        ("void.pt", ["x"], {}, "not a TorchScript archive"),
        ("echo.pt", ["y"], {}, "input `x`: Tensor is missing"),
        ("echo.pt", ["x", "y"], {}, "input `y` is unknown; expected x"),
        ("two.pt", ["x"], {}, "input `y`: Tensor is missing"),
        ("int.pt", ["n"], {}, "input `n`: expected int, got float32"),
        ("echo.pt", ["x"], {"outputs": wanted("y")}, "output `y` is unknown; .* output_0"),
        ("tensors.pt", ["d.a"], {"outputs": wanted("b")}, "output `b` is unknown; .* gives a"),
        ("echo.pt", ["x"], {"model_version": "2"}, "models have version 1"),
        ("anything.pt", ["x"], {}, "argument `a`: Any has no form as tensors"),
        ("raising.pt", ["x"], {}, "input `n`: int is missing"),
        ("complex.pt", ["x"], {}, "the protocol has no complex64"),
        (
            "echo.pt",
            ["x"],
            {"outputs": [triton.InferRequestedOutput("output_0", class_count=2)]},
            "no extension for `classification`",
        ),
        ("echo.pt", ["x"], {"headers": {"X-Request-Timeout-Ms": "-1"}}, "X-Request-Timeout-Ms"),
    ],
)
def test_errors_tell_what_is_wrong(
    asked: triton.InferenceServerClient,
    name: str,
    inputs: list[str],
    options: dict[str, Any],
    problem: str,
):
    with pytest.raises(InferenceServerException, match=problem) as raised:
        asked.infer(name, [given(each, FLOATS) for each in inputs], **options)
    assert raised.value.status() in ("400", "404", "500")
    assert np.array_equal(asked.infer("echo.pt", [given("x", FLOATS)]).as_numpy("output_0"), FLOATS)


def test_errors_are_not_compressed(asked: triton.InferenceServerClient):
    for coding in ("gzip", "deflate"):
        with pytest.raises(InferenceServerException, match="there is no such file"):
            asked.infer("none.pt", [given("x", FLOATS)], response_compression_algorithm=coding)


def test_shared_memory_is_refused(asked: triton.InferenceServerClient):
    tensor = triton.InferInput("x", [3], "FP32")
    tensor.set_shared_memory("region", 12)
    with pytest.raises(InferenceServerException, match="no extension for `shared_memory_region`"):
        asked.infer("echo.pt", [tensor])
    with pytest.raises(InferenceServerException, match="Not found"):
        asked.get_system_shared_memory_status()


def test_loading_and_unloading(owned: triton.InferenceServerClient):
    for name in ("two.pt", "team/mlp.pt"):
        assert not owned.is_model_ready(name)
        owned.load_model(name)
        assert owned.is_model_ready(name)
        assert owned.is_model_ready(name, model_version="1")
        assert states(owned)[name] == "READY"
        owned.unload_model(name)
        assert not owned.is_model_ready(name)
        assert states(owned)[name] == "UNAVAILABLE"
    assert not owned.is_model_ready("none.pt")


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
        texts = given("s", np.array(["é"], object), "BYTES")
        assert (await client.infer("str.pt", [texts])).as_numpy("output_0").item().decode() == "é"
        with pytest.raises(InferenceServerException, match="there is no such file"):
            await client.infer("none.pt", [given("x", FLOATS)])
    async with triton_aio.InferenceServerClient(own_address) as client:
        await client.load_model("two.pt")
        assert await client.is_model_ready("two.pt")
        assert len(await client.get_model_repository_index()) == 4
        await client.unload_model("two.pt")
        assert not await client.is_model_ready("two.pt")
        assert "model_stats" in await client.get_inference_statistics()


def test_requests_of_both_contracts_run_in_one_batch(tmp_path: Path, start: Callable[..., Process]):
    """The engine's own tests tell how batches form; here both kinds of requests must prove and
    fill them without an error, and each gets its own rows."""
    torch.manual_seed(0)
    mlp().save(tmp_path / "mlp.pt")
    process = start(tmp_path, "--port", "0", "--batch", "*", "--threads", "1")
    rows = np.random.default_rng(0).standard_normal((64, 1, 16)).astype("float32")
    expected = mlp()(torch.from_numpy(rows)).detach().numpy()
    address = urlsplit(process.url).netloc
    with triton.InferenceServerClient(address, concurrency=16) as client:
        pending = [client.async_infer("mlp.pt", [given("x", row)]) for row in rows]
        for each, row in zip(pending, expected, strict=True):
            response = each.get_result().as_numpy("output_0")
            assert np.allclose(response, row, 1e-4, 1e-5)
