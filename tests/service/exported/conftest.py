"""The exported programs of these tests, ready to run."""

from pathlib import Path

import pytest

from tests.support.exported_programs import save_programs
from torch_serving.config import Config
from torch_serving.service.runtime import Runtime


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    folder: Path = tmp_path_factory.mktemp("exported")
    save_programs(folder)
    return Runtime.build(Config(model_root=folder, device="cpu"))
