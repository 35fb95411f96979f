"""Identifiers are limited to what a slot of the shared memory holds, so that none is ever cut."""

from pathlib import Path

import pytest

from tests.support.model_folder import CPU
from tests.support.servables import scripted
from torch_serving.engine.devices import DevicePool
from torch_serving.errors import InvalidServable, Quarantined
from torch_serving.models._cache import Cache
from torch_serving.models.identifiers import normalize
from torch_serving.models.lifecycle import ModelLifecycle
from torch_serving.models.repository import ModelRepository
from torch_serving.server.ipc.shared_state import SharedState
from torch_serving.service.management import Management

FOLDERS = "/".join(["d" * 99] * 5)  # a single name of a file has at most 255 bytes
LONGEST = f"{FOLDERS}/{'n' * 9}.pt"
TOO_LONG = f"{FOLDERS}/{'n' * 107}.pt"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / FOLDERS).mkdir(parents=True)
    for name in (LONGEST, TOO_LONG):
        scripted("x: Tensor", "Tensor", "return x").save(tmp_path / name)
    return tmp_path


def test_the_longest_identifier_is_counted_and_can_be_quarantined(root: Path):
    shared = SharedState(quarantine_s=300)
    models = ModelLifecycle(ModelRepository(root), Cache(1), shared)
    management = Management(models, DevicePool("cpu"), shared)
    assert len(LONGEST) == 512
    method = models.load(LONGEST, CPU).result().method("forward")
    method.counters.observe_response(200, 0.1)
    assert management.status(LONGEST)["requests"] == 1
    for _ in range(2):
        shared.set_running(LONGEST)
        shared.quarantine.record_crash(shared.scoreboard.running_in(0))
    assert management.status(LONGEST)["state"] == "quarantined"
    with pytest.raises(Quarantined):
        models.get(LONGEST, CPU)
    models.close()


def test_a_longer_identifier_is_no_model(root: Path):
    models = ModelLifecycle(ModelRepository(root), Cache(1))
    assert len(TOO_LONG) == 610
    for ask in (models.get, models.load):
        with pytest.raises(InvalidServable, match="there is no such file below the model root"):
            ask(TOO_LONG, CPU)
    assert models.repository.names() == [LONGEST]
    models.close()


def test_the_limit_counts_bytes_of_utf_8():
    assert normalize("é" * 256) == "é" * 256
    with pytest.raises(InvalidServable):
        normalize("é" * 256 + "n")
