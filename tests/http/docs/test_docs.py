"""The page at /docs: from local files, or with a hint how to install them."""

import re
from collections.abc import Callable
from pathlib import Path

import falcon.asgi
import pytest
from falcon.testing import TestClient

from tests.support.fetch import fetch
from tests.support.process import Process
from torch_serving.http.docs import swagger_ui
from torch_serving.http.docs.page import DocsPage
from torch_serving.http.docs.swagger_ui import START, TYPES

KEY = "key-0123456789abcdef"


def test_the_page_loads_what_is_there(uvicorn_server: Process):
    pytest.importorskip("flask_swagger_ui")
    status, headers, page = fetch(uvicorn_server.url, "/docs")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "unsafe" not in headers["content-security-policy"]
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(loaded) == len(TYPES) + 1
    assert "<script>" not in page
    assert "style=" not in page
    for name in loaded:
        assert "//" not in name  # nothing of another origin
        assert fetch(uvicorn_server.url, f"/{name}", {"Accept": "*/*"})[0] == 200


def test_no_other_file_is_served(uvicorn_server: Process):
    for name in ("index.template.html", "VERSION", "..%2f__init__.py", "%2e%2e"):
        assert fetch(uvicorn_server.url, f"/docs/{name}")[0] == 404


def client_of(folder: Path | None) -> TestClient:
    app = falcon.asgi.App()
    app.add_route("/docs", DocsPage(folder))
    return TestClient(app)


def test_without_the_files_the_page_says_what_to_install():
    page = client_of(None).simulate_get("/docs").text
    assert 'pip install "torch-serving[docs]"' in page
    assert 'href="openapi.json"' in page


def test_files_are_missing_if_one_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(swagger_ui, "PACKAGE", "a_package_that_nobody_has")
    assert swagger_ui.find_files() is None
    (tmp_path / "some_package" / "dist").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(swagger_ui, "PACKAGE", "some_package")
    assert swagger_ui.find_files() is None


def test_the_page_needs_a_key(model_root: Path, start: Callable[..., Process], tmp_path: Path):
    keys = tmp_path / "keys"
    keys.write_text(f"{KEY}\n")
    process = start(model_root, "--port", "0", "--api-key-file", keys, "--open-health")
    for target in ("/docs", f"/docs/{START}", "/openapi.json"):
        assert fetch(process.url, target)[0] == 401
        assert fetch(process.url, target, {"X-Api-Key": KEY})[0] == 200
    found = fetch(process.url, "/openapi.json", {"Authorization": f"Bearer {KEY}"})[2]
    assert found["security"] == [{"bearer": []}, {"apiKey": []}]
    assert found["paths"]["/healthcheck"]["get"]["security"] == []
