"""The Open Inference Protocol, asked by tritonclient over a socket: all that its HTTP client has
for what this server does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from tests.support.process import Process
from tests.support.servables import mlp
from tests.support.triton import FLOATS, given, wanted

DEEP = "deep/er/a b,é&+.pt"


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
    names = {output["name"] for output in result.get_response()["outputs"]}
    assert names == {
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
    )
    assert np.array_equal(result.as_numpy("output_0"), FLOATS)


def test_query_parameters_of_serve_are_refused(asked: triton.InferenceServerClient):
    with pytest.raises(InferenceServerException, match="`method` is a query parameter of /serve"):
        asked.infer("echo.pt", [given("x", FLOATS)], query_params={"method": "predict"})


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
def test_errors_say_what_is_wrong(
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


def test_requests_of_both_contracts_run_in_one_batch(tmp_path: Path, start: Callable[..., Process]):
    """The engine's own tests say how batches form; here both kinds of requests must validate and
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
