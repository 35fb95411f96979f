"""What tests of workers that end have in common."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.broken_device import save_models
from tests.support.cuda_driver import Driver
from torch_serving.engine.devices import device_of
from torch_serving.server.ipc.shared_state import SharedState


@pytest.fixture
def breaking_root(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    save_models(folder)
    return folder


@pytest.fixture
def shared() -> Iterator[SharedState]:
    shared = SharedState(1, quarantine_s=300)
    yield shared
    for mailbox in (*shared.peers._inboxes, *shared.peers._outboxes):
        mailbox.close()


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    device_of.cache_clear()
    yield Driver(monkeypatch)
    device_of.cache_clear()
