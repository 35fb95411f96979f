"""What `GET /models` says of devices."""

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.support.client import LIMIT_S, Client, tensor
from tests.support.process import Process
from tests.support.servables import mlp
from torch_serving.service.device_status import device_statuses
from torch_serving.telemetry._counters import Statistics


def test_all_workers_and_models_of_a_device_are_together():
    statistics = Statistics(3)
    for worker in range(3):
        statistics.attach(worker)
        statistics.device(b"cuda:0").set_memory(10 + worker, 20, 30 + worker, 100)
    statistics.device(b"cuda:1").count_batch(1)  # it was never looked at
    for name, is_up in ((b"cuda:0", True), (b"cuda:2", False)):
        statistics.device(name).set_up(is_up)
    statistics.detach(1)
    entries = [
        {"device": device, "bytes": size}
        for device, size in [("cuda:0", 4), ("cpu", 5), ("cuda:0", 6)]
    ]
    unknown = {"total_bytes": None, "free_bytes": None, "workers": []}
    failed = {"device": "cuda:2", "up": False, "weights_bytes": 0, **unknown}
    assert device_statuses(entries, statistics.by_device()) == [
        {"device": "cpu", "up": True, "weights_bytes": 5, **unknown},
        {
            "device": "cuda:0",
            "up": True,
            "weights_bytes": 10,
            "total_bytes": 100,
            "free_bytes": 32,
            "workers": [
                {"worker": 0, "allocated_bytes": 10, "reserved_bytes": 20},
                {"worker": 2, "allocated_bytes": 12, "reserved_bytes": 20},
            ],
        },
        failed,
    ]
    assert device_statuses([], {}) == []


def test_the_list_of_models_has_the_devices(tmp_path: Path, start: Callable[..., Process]):
    module = mlp()
    module.save(tmp_path / "mlp.pt")
    url = start(tmp_path, "--port", "0").url

    def devices() -> object:
        with urllib.request.urlopen(f"{url}/models", timeout=LIMIT_S) as response:
            return json.load(response)["devices"]

    assert devices() == []
    with Client(url) as client:
        assert client.post("mlp.pt", [tensor([1, 16], [0.0] * 16)]).status == 200
    size = sum(each.nbytes for each in [*module.parameters(), *module.buffers()])
    unknown = {"total_bytes": None, "free_bytes": None, "workers": []}
    assert devices() == [{"device": "cpu", "up": True, "weights_bytes": size, **unknown}]
