"""Identifiers as long as paths may be: a long one has a shorter name in shared memory."""

from pathlib import Path

import pytest

from tests.support.model_folder import CPU
from tests.support.servables import scripted
from torch_serving.engine.devices import DevicePool
from torch_serving.errors import InvalidServable, Quarantined
from torch_serving.models._cache import Cache
from torch_serving.models.identifiers import normalize, shared_name, utf8
from torch_serving.models.lifecycle import ModelLifecycle
from torch_serving.models.repository import ModelRepository
from torch_serving.server.ipc.shared_state import SharedState
from torch_serving.service.management import Management

FOLDERS = "/".join(["d" * 99] * 5)  # a single name of a file has at most 255 bytes
LONGEST = f"{FOLDERS}/{'n' * 9}.pt"
LONGER = f"{FOLDERS}/{'n' * 107}.pt"
ALIKE = f"{FOLDERS}/{'n' * 108}.pt"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / FOLDERS).mkdir(parents=True)
    for name in (LONGEST, LONGER, ALIKE):
        scripted("x: Tensor", "Tensor", "return x").save(tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("name", [LONGEST, LONGER])
def test_a_long_identifier_is_counted_and_can_be_quarantined(root: Path, name: str):
    shared = SharedState(quarantine_s=300)
    models = ModelLifecycle(ModelRepository(root), Cache(1), shared)
    management = Management(models, DevicePool("cpu"), shared)
    assert (len(LONGEST), len(LONGER)) == (512, 610)
    method = models.load(name, CPU).result().method("forward")
    method.counters.observe_response(200, 0.1)
    assert management.status(name)["requests"] == 1
    assert management.statistics(name)[0][1] is not None
    for _ in range(2):
        shared.set_running(name)
        shared.quarantine.record_crash(shared.scoreboard.running_in(0))
    assert management.status(name)["state"] == "quarantined"
    with pytest.raises(Quarantined):
        models.get(name, CPU)
    assert management.status(ALIKE)["state"] == "available"
    assert management.status(ALIKE)["requests"] == 0
    models.close()


def test_a_failed_device_is_blamed_on_a_long_identifier(root: Path):
    shared = SharedState(quarantine_s=300)
    shared.request_restart("a device is in error", (LONGER,))
    failure = shared.failures.read(shared.parent_slot)
    assert failure is not None
    for _ in range(2):
        shared.quarantine.record_crash(failure.guilty)
    models = ModelLifecycle(ModelRepository(root), Cache(1), shared)
    with pytest.raises(Quarantined):
        models.load(LONGER, CPU)
    models.close()


def test_an_identifier_that_no_system_opens_is_no_model(root: Path):
    models = ModelLifecycle(ModelRepository(root), Cache(1))
    for ask in (models.get, models.load):
        with pytest.raises(InvalidServable, match="there is no such file below the model root"):
            ask("n/" * 2048 + "n.pt", CPU)
    assert models.repository.names() == [LONGEST, LONGER, ALIKE]
    models.close()


def test_the_limit_counts_bytes_of_utf_8():
    assert normalize("é" * 2048) == "é" * 2048
    with pytest.raises(InvalidServable):
        normalize("é" * 2048 + "n")


@pytest.mark.parametrize("name", ["a.pt", "é" * 256, "é" * 257, "\ud800" * 600, "n" * 4096])
def test_a_shared_name_fits_and_is_its_own(name: str):
    shared = shared_name(name)
    assert len(utf8(shared)) <= 512
    assert (shared == name) is (len(utf8(name)) <= 512)
    assert shared_name(shared) == shared
    assert shared_name(name + "n") != shared
