"""The HTTP servers that tests start; meinheld need not be installed."""

import importlib.util

import pytest

needs_meinheld = pytest.mark.skipif(
    importlib.util.find_spec("meinheld") is None, reason="meinheld is not installed"
)
SERVERS = ["uvicorn", pytest.param("meinheld", marks=needs_meinheld)]
