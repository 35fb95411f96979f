"""Hits: requests that found their model in memory."""

from pathlib import Path

import pytest

from tests.support.servables import scripted
from torch_serving.engine.devices import DevicePool
from torch_serving.models._cache import Cache
from torch_serving.models.lifecycle import ModelLifecycle
from torch_serving.models.placement import CPU
from torch_serving.models.repository import ModelRepository
from torch_serving.service.alone import Alone
from torch_serving.service.management import Management


@pytest.mark.parametrize(
    ("cold_starts", "responses", "hits"),
    [(0, 0, 0), (1, 1, 0), (1, 3, 2), (8, 0, 0), (2, 1, 0)],  # one that waited may still run
)
def test_hits_are_never_below_zero(tmp_path: Path, cold_starts: int, responses: int, hits: int):
    scripted("x: Tensor", "Tensor", "return x").save(tmp_path / "m.pt")
    group = Alone()
    models = ModelLifecycle(ModelRepository(tmp_path), Cache(1), group)
    counters = models.load("m.pt", CPU).result().method("forward").counters
    for _ in range(cold_starts):
        counters.count_cold_start()
    for _ in range(responses):
        counters.observe_response(200, 0.1)
    status = Management(models, DevicePool("cpu"), group).status("m.pt")
    assert (status["requests"], status["hits"]) == (responses, hits)
    models.close()
