"""Devices: names, the least busy of several, and what only a GPU can show."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.support.client import Client, in_threads, tensor
from tests.support.process import Process
from tests.support.servables import mlp, scripted
from torch_serving.engine.devices import DevicePool, device_of
from torch_serving.engine.engine import Engine
from torch_serving.errors import InvalidDevice, OutOfMemory
from torch_serving.models.loader import load

CPU = torch.device("cpu")
# for a machine with a GPU: pytest -m cuda
cuda = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
]


@pytest.mark.parametrize(
    "name", ["", "gpu", "cpu:1", "meta", "cuda:99", "cuda:-1", "cuda:x", "a" * 100, "cpu,cpu:7"]
)
def test_devices_that_are_not_there(name: str):
    with pytest.raises(InvalidDevice, match="is not a device of this machine; it has cpu"):
        DevicePool(name).choose()


def test_the_device_with_the_fewest_requests_is_next(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torch_serving.engine.devices.device_of", torch.device)
    devices = DevicePool("cuda:0, cuda:1,cpu")
    first, second, third = torch.device("cuda:0"), torch.device("cuda:1"), CPU
    for expected in (first, second, third, first):
        assert devices.choose() == expected
        devices.acquire(expected)
    devices.release(second)
    assert devices.choose() == second
    devices.acquire(torch.device("cuda:7"))  # one that a request names
    devices.release(torch.device("cuda:7"))
    assert devices.choose() == second


@pytest.fixture
def gpu_root(tmp_path: Path) -> Path:
    mlp().save(tmp_path / "mlp.pt")
    scripted("x: Tensor", "Tensor", "return x.expand(1 << 36).clone()").save(tmp_path / "huge.pt")
    scripted("x: Tensor", "Tensor", "return x[x.long()]").save(tmp_path / "index.pt")
    return tmp_path


class TestCuda:
    pytestmark = cuda

    @pytest.mark.parametrize("data_type", ["float32", "bfloat16", "float16", "int64", "complex64"])
    def test_results_come_back(self, tmp_path: Path, data_type: str):
        scripted("x: Tensor", "Tensor", "return x.t()").save(tmp_path / "m.pt")
        count = 2 if data_type.startswith("complex") else 1
        body = json.dumps([tensor([2, 3], list(range(6 * count)), data_type)]).encode()
        responses = [
            Engine(1).run(load(tmp_path / "m.pt", torch.device(name)).method("forward"), body)
            for name in ("cpu", "cuda:0")
        ]
        assert responses[0] == responses[1]

    def test_large_inputs_are_copied_through_pinned_memory(self, tmp_path: Path):
        scripted("x: Tensor", "Tensor", "return x.sum()").save(tmp_path / "m.pt")
        method = load(tmp_path / "m.pt", torch.device("cuda:0")).method("forward")
        body = json.dumps([tensor([100_000], [1.0] * 100_000)]).encode()
        assert b"[100000.0]" in Engine(1).run(method, body)

    def test_a_request_that_is_too_large_fails_alone(self, gpu_root: Path):
        method = load(gpu_root / "huge.pt", torch.device("cuda:0")).method("forward")
        with pytest.raises(OutOfMemory):
            Engine(1).run(method, b'[{"type":"tensor","value":[1]}]')
        device = device_of("cuda:0")
        mlp_method = load(gpu_root / "mlp.pt", device).method("forward")
        Engine(1).run(mlp_method, json.dumps([tensor([1, 16], [0.0] * 16)]).encode())

    def test_threads_share_a_gpu(self, gpu_root: Path, start: Callable[..., Process]):
        url = start(gpu_root, "--port", "0", "--device", "cuda", "--threads", "2").url

        def ask(client: int) -> list[object]:
            body = [tensor([1, 16], [float(client)] * 16)]
            with Client(url) as connection:
                return [connection.post("mlp.pt", body).result["value"] for _ in range(50)]

        for responses in in_threads(8, ask):
            assert all(response == responses[0] for response in responses)

    @pytest.mark.parametrize("flags", [(), ("--spare", "--preload", "mlp.pt")])
    def test_a_device_in_error_restarts_the_worker(
        self, gpu_root: Path, start: Callable[..., Process], flags: tuple[str, ...]
    ):
        process = start(gpu_root, "--port", "0", "--device", "cuda", *flags)
        for _ in range(2):
            with Client(process.url) as client:
                response = client.post("index.pt", [tensor([1], [9.0])])
                found = (response.status, response.document["description"])
                assert found == (503, "Device failed")
            with Client(process.url) as client:
                assert client.post("mlp.pt", [tensor([1, 16], [0.0] * 16)]).status == 200
        assert process.stderr.count("by index.pt; another one takes its place") == 2
        with Client(process.url) as client:
            response = client.post("index.pt", [tensor([1], [0.0])])
            assert response.document["description"] == "Model quarantined"
