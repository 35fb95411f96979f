"""A model root whose models only pretend to load."""

from pathlib import Path

import pytest

from tests.support.model_folder import ModelFolder


@pytest.fixture
def folder(tmp_path: Path):
    (tmp_path / "root").mkdir()
    folder = ModelFolder(tmp_path / "root")
    yield folder
    folder.models.close()
