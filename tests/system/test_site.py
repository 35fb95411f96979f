"""Links of the repository on the site of the documentation."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("mkdocs")
HOOKS = Path(__file__).parents[2] / "docs" / "mkdocs_hooks.py"


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mkdocs_hooks", HOOKS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("source", "page", "link", "expected"),
    [
        ("README.md", "index.md", "[a](docs/performance.md)", "[a](performance.md)"),
        ("README.md", "index.md", "![a](docs/openapi.png)", "![a](openapi.png)"),
        ("README.md", "index.md", "[a](docs/decisions/)", "[a](decisions/README.md)"),
        ("README.md", "index.md", "[a](SECURITY.md)", "[a](security.md)"),
        ("docs/x.md", "x.md", "[a](../README.md#limits)", "[a](index.md#limits)"),
        ("docs/x/y.md", "x/y.md", "[a](../../benchmarks/README.md)", "[a](../benchmarks.md)"),
        ("docs/x/y.md", "x/y.md", "[a](../reliability.md)", "[a](../reliability.md)"),
        ("README.md", "index.md", "[`a[0]`](setup.py)", "`a[0]`"),  # a file that is no page
        ("README.md", "index.md", "[a](nowhere.py)", "[a](nowhere.py)"),  # mkdocs refuses it
        ("README.md", "index.md", "[a](https://a.example/b)", "[a](https://a.example/b)"),
        ("README.md", "index.md", "[a](#limits)", "[a](#limits)"),
    ],
)
def test_links(hooks: ModuleType, source: str, page: str, link: str, expected: str):
    assert hooks.LINK.sub(lambda found: hooks.site_link(source, page, found), link) == expected
