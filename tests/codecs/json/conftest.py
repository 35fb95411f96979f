"""What tests of JSON share."""

import pytest

from tests.support.loaded import method_of
from tests.support.servables import SOURCES, scripted
from torch_serving.models.servable import Method


@pytest.fixture(scope="module")
def echo() -> Method:
    return method_of(scripted(*SOURCES["echo.pt"]))
