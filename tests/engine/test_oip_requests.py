"""Requests of the Open Inference Protocol among all others: batches, deadlines, keys, workers."""

import http.client
import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from tests.support.client import LIMIT_S, Client, in_a_thread, tensor
from tests.support.loaded import method_of
from tests.support.oip import binary, body_of, entry
from tests.support.process import Process
from tests.support.servables import SOURCES, scripted
from torch_serving.codecs.interfaces import Response
from torch_serving.codecs.invocation import CodecInvocation
from torch_serving.codecs.npy import NPY
from torch_serving.codecs.oip.invocation import MAX_QUICK_JSON, OipInvocation
from torch_serving.codecs.safetensors import SAFETENSORS
from torch_serving.engine.batcher import ON
from torch_serving.engine.engine import Engine
from torch_serving.engine.inline_policy import WARM_UP_RUNS
from torch_serving.engine.job import Job
from torch_serving.engine.steps import run_all
from torch_serving.model_config import ModelConfig
from torch_serving.models.servable import Method

KEY = "0123456789abcdef"
ROW = np.array([[1.0, 2.0]], "float32")


def method(batch: bool = True) -> Method:
    module = scripted("x: Tensor", "Tensor", "return x * 2")
    return method_of(module, ModelConfig(batch=batch, max_batch=32))


def infer_job(double: Method, row: np.ndarray, **others: object) -> tuple[Job, OipInvocation]:
    body, headers = body_of([binary(row)], row.tobytes(), **others)
    call = OipInvocation(double, "double.pt", int(headers["Inference-Header-Content-Length"]))
    return Job(call, bytearray(body)), call


def binary_part_of(response: bytes | Response) -> bytes:
    """What stands behind the JSON of a response."""
    assert isinstance(response, Response)
    return response.body[int(dict(response.headers)["inference-header-content-length"]) :]


def json_body(row: np.ndarray) -> bytes:
    return json.dumps([tensor(list(row.shape), row.ravel().tolist())]).encode()


def test_requests_of_all_media_types_run_as_one():
    double = method()
    in_a_thread(run_all, [Job(double, json_body(ROW))])
    assert double.batcher is not None
    assert double.batcher.state is ON
    binary_job, _ = infer_job(double, ROW * 3, parameters={"binary_data_output": True})
    text_job, text_call = infer_job(double, ROW * 5)
    jobs = [
        Job(double, json_body(ROW * 2)),
        binary_job,
        Job(CodecInvocation(double, NPY, NPY), NPY.write({"x": torch.from_numpy(ROW * 4)})),
        text_job,
        Job(CodecInvocation(double, SAFETENSORS, None), SAFETENSORS.write({"x": torch.ones(1, 2)})),
    ]
    before = double.counters.numbers().batches
    in_a_thread(run_all, jobs)
    assert [job.error for job in jobs] == [None] * 5
    assert double.counters.numbers().batches[1] - before[1] == 5
    assert sum(double.counters.numbers().batches[0]) - sum(before[0]) == 1
    assert b'"value":[4.0,8.0]' in jobs[0].response
    assert binary_part_of(jobs[1].response) == (ROW * 6).tobytes()
    assert jobs[2].response.endswith((ROW * 8).tobytes())
    assert text_call.headers == (("content-type", "application/json"),)
    assert isinstance(jobs[3].response, bytes)
    assert json.loads(jobs[3].response)["outputs"][0]["data"] == [10.0, 20.0]
    assert b'"value":[2.0,2.0]' in jobs[4].response


def test_a_wrong_request_leaves_the_others_of_its_batch_alone():
    double = method()
    in_a_thread(run_all, [Job(double, json_body(ROW))])
    wrong, _ = infer_job(double, ROW, outputs=[{"name": "none"}])
    right, _ = infer_job(double, ROW)
    in_a_thread(run_all, [wrong, right, Job(double, json_body(ROW))])
    assert "output `none` is unknown" in str(wrong.error)
    assert json.loads(right.response)["outputs"][0]["data"] == [2.0, 4.0]


@pytest.mark.usefixtures("every_run_is_short")
def test_how_large_short_bodies_are_is_known_of_each_media_type():
    """Else a large text would be decoded on the loop, as large binary data are short."""
    double = method(batch=False)
    row = np.ones((1, 200_000), "float32")
    for _ in range(2 * WARM_UP_RUNS):
        job, call = infer_job(double, row[:, :2])
        in_a_thread(run_all, [job])
    assert call.inline.may_run_inline(job.body_bytes)
    assert not double.inline.may_run_inline(1)
    assert not OipInvocation(double, "m", None).inline.may_run_inline(1)
    assert not OipInvocation(double, "m", MAX_QUICK_JSON + 1).inline.may_run_inline(1)
    assert OipInvocation(double, "m", 0).inline is call.inline


@pytest.mark.usefixtures("every_run_is_short")
def test_short_requests_run_on_the_loop_and_others_do_not():
    double = method(batch=False)
    engine = Engine(1)
    for _ in range(WARM_UP_RUNS + 1):
        job, call = infer_job(double, ROW)
        engine.run(call, bytearray(job.body))
    assert call.inline.may_run_inline(job.body_bytes)
    assert call.inline.can_run_inline([torch.from_numpy(ROW)])


def test_a_deadline_that_passes(uvicorn_server: Process, loop_count: int):
    inputs = [
        entry("x", [1], data=[1.0]),
        entry("n", [1], "INT64", data=[loop_count]),
    ]
    body, _ = body_of(inputs)
    connection = http.client.HTTPConnection(urlsplit(uvicorn_server.url).netloc, timeout=LIMIT_S)
    connection.request("POST", "/v2/models/slow.pt/infer", body, {"X-Request-Timeout-Ms": "20"})
    with connection.getresponse() as response:
        document = json.loads(response.read())
    assert response.status == 504
    assert list(document) == ["error"]
    connection.close()


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "keys"
    path.write_text(KEY)
    return path


def given(array: np.ndarray) -> list[triton.InferInput]:
    x = triton.InferInput("x", list(array.shape), "FP32")
    return [x.set_data_from_numpy(array)]


@pytest.mark.parametrize("is_open", [False, True])
def test_keys(model_root: Path, start: Callable[..., Process], key_file: Path, is_open: bool):
    flags = ["--open-health"] if is_open else []
    process = start(model_root, "--port", "0", "--api-key-file", key_file, *flags)
    with triton.InferenceServerClient(urlsplit(process.url).netloc) as client:
        assert client.is_server_live() is is_open
        assert client.is_server_ready() is is_open
        with pytest.raises(InferenceServerException, match="Unauthorized: send a key") as raised:
            client.infer("echo.pt", given(ROW))
        assert raised.value.status() == "401"
        headers = {"Authorization": f"Bearer {KEY}"}
        assert client.is_server_live(headers=headers)
        result = client.infer("echo.pt", given(ROW), headers=headers)
        assert np.array_equal(result.as_numpy("output_0"), ROW)


def test_all_workers_load_and_unload_and_are_counted(tmp_path: Path, start: Callable[..., Process]):
    for name in ("echo.pt", "two.pt"):
        scripted(*SOURCES[name]).save(tmp_path / name)
    process = start(tmp_path, "--port", "0", "--workers", "2")
    with (
        triton.InferenceServerClient(urlsplit(process.url).netloc, concurrency=4) as client,
        Client(process.url) as other,
    ):
        client.load_model("echo.pt")
        with urllib.request.urlopen(f"{process.url}/models/echo.pt", timeout=LIMIT_S) as response:
            (loaded,) = json.load(response)["loaded"]
        assert loaded["workers"] == 2
        assert client.is_model_ready("echo.pt")
        for pending in [client.async_infer("echo.pt", given(ROW)) for _ in range(8)]:
            pending.get_result()
        other.post("echo.pt", [tensor([1], [1.0])])
        (statistics,) = client.get_inference_statistics("echo.pt")["model_stats"]
        assert statistics["inference_count"] == 9  # whatever contract was spoken
        assert statistics["inference_stats"]["compute_infer"]["count"] == 9
        client.unload_model("echo.pt")
        index = {each["name"]: each["state"] for each in client.get_model_repository_index()}
        assert index == {"echo.pt": "UNAVAILABLE", "two.pt": "UNAVAILABLE"}
