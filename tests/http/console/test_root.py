"""GET /: the console for browsers, JSON for programs; its files, policy, flags and keys."""

import gzip
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.support.client import LIMIT_S
from tests.support.fetch import fetch
from tests.support.process import Process
from torch_serving import __version__
from torch_serving.config import Config
from torch_serving.http.console.files import FOLDER
from torch_serving.http.console.routes import ConsoleRoutes
from torch_serving.http.reach import serves_console

KEY = "key-0123456789abcdef"
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        (BROWSER["Accept"], True),
        ("text/html", True),
        ("TEXT/HTML;q=0.5", True),
        ("*/*", False),
        ("", False),
        ("text/*", False),
        ("application/json", False),
        ("application/json, text/html;q=0.9", False),
        ("text/html;q=0", False),
        ("text/html;q=nan", False),
        ("text/html;q=inf", False),
    ],
)
def test_the_page_is_for_those_who_ask_for_html(
    uvicorn_server: Process, accept: str, is_page: bool
):
    status, headers, body = fetch(uvicorn_server.url, "/", {"Accept": accept})
    assert status == 200
    assert headers["vary"] == ("Accept, Accept-Encoding" if is_page else "Accept")
    assert headers["content-type"] == (
        "text/html; charset=utf-8" if is_page else "application/json"
    )
    assert isinstance(body, str) == is_page


def test_programs_learn_where_things_are(uvicorn_server: Process):
    body = fetch(uvicorn_server.url, "/")[2]
    assert (body["name"], body["version"], body["console"]) == ("torch-serving", __version__, "/")
    for name in ("models", "v2", "metrics", "ready", "docs", "openapi"):
        assert fetch(uvicorn_server.url, body[name])[0] == 200


@pytest.mark.parametrize("accept", [BROWSER, {}])
def test_head_is_get_without_the_body(uvicorn_server: Process, accept: dict[str, str]):
    status, headers, body = fetch(uvicorn_server.url, "/", accept, method="HEAD")
    assert (status, body) == (200, "")
    assert headers["content-length"] == fetch(uvicorn_server.url, "/", accept)[1]["content-length"]


def test_nothing_of_another_origin_and_nothing_inline(uvicorn_server: Process):
    _, headers, page = fetch(uvicorn_server.url, "/", BROWSER)
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert headers["permissions-policy"] == "camera=(self)"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert "style=" not in page
    for name in re.findall(r'(?:src|href)="(console/[^"]+)"', page):
        assert fetch(uvicorn_server.url, f"/{name}")[0] == 200


def test_every_file_has_its_type_and_is_sent_once(uvicorn_server: Process):
    types = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    for name in (path.name for path in FOLDER.iterdir() if path.name != "index.html"):
        status, headers, body = fetch(uvicorn_server.url, f"/console/{name}")
        assert (status, body) == (200, (FOLDER / name).read_text())
        assert headers["content-type"].startswith(types[name.rpartition(".")[2]])
        assert headers["cache-control"] == "no-cache"
        known = {"If-None-Match": headers["etag"]}
        status, again, body = fetch(uvicorn_server.url, f"/console/{name}", known)
        assert (status, body, again["etag"]) == (304, "", headers["etag"])


def test_the_page_is_known_by_its_contents(uvicorn_server: Process):
    etag = fetch(uvicorn_server.url, "/", BROWSER)[1]["etag"]
    assert fetch(uvicorn_server.url, "/", {**BROWSER, "If-None-Match": f'"x", {etag}'})[0] == 304
    assert fetch(uvicorn_server.url, "/", {**BROWSER, "If-None-Match": '"x"'})[0] == 200


@pytest.mark.parametrize(
    ("accepted", "coding", "unpack"),
    [
        ("gzip, deflate, br, zstd", "gzip", gzip.decompress),
        ("deflate", "deflate", zlib.decompress),
        ("br, gzip;q=0", None, bytes),
        ("identity", None, bytes),
    ],
)
def test_files_are_compressed_for_those_who_take_it(
    uvicorn_server: Process, accepted: str, coding: str | None, unpack: Callable[[bytes], bytes]
):
    request = Request(
        f"{uvicorn_server.url}/console/style.css", headers={"Accept-Encoding": accepted}
    )
    with urlopen(request, timeout=LIMIT_S) as response:
        body, headers = response.read(), response.headers
    assert (headers["content-encoding"], headers["vary"]) == (coding, "Accept-Encoding")
    assert unpack(body) == (FOLDER / "style.css").read_bytes()
    plain = fetch(uvicorn_server.url, "/console/style.css")[1]
    assert (headers["etag"] == plain["etag"]) == (coding is None)
    known = {"Accept-Encoding": accepted, "If-None-Match": headers["etag"]}
    status, again, _ = fetch(uvicorn_server.url, "/console/style.css", known)
    assert (status, again["etag"], again["vary"]) == (304, headers["etag"], "Accept-Encoding")
    assert (again["content-encoding"], again["content-length"]) == (None, None)


@pytest.mark.parametrize(
    "name",
    ["index.html", "nothing.js", "../files.py", "..%2ffiles.py", "%2e%2e", "files.py", "x/y.js"],
)
def test_no_other_file_is_served(uvicorn_server: Process, name: str):
    status, _, body = fetch(uvicorn_server.url, f"/console/{name}")
    assert (status, body["description"]) == (404, "Not found")


def test_the_page_needs_no_key_and_all_else_does(
    model_root: Path, start: Callable[..., Process], tmp_path: Path
):
    keys = tmp_path / "keys"
    keys.write_text(f"{KEY}\n")
    process = start(model_root, "--port", "0", "--api-key-file", keys)
    assert fetch(process.url, "/", BROWSER)[0] == 200
    assert fetch(process.url, "/console/nothing.js")[0] == 404
    for target in ("/", "/console/stats", "/console/", "//console/stats", "/models", "/x"):
        assert fetch(process.url, target)[0] == 401
    status, _, body = fetch(process.url, "/", {"Authorization": f"Bearer {KEY}"})
    assert (status, body["console"]) == (200, "/")


def test_without_a_console_the_root_is_json(model_root: Path, start: Callable[..., Process]):
    process = start(model_root, "--port", "0", "--no-console", "--root-path", "/up/here")
    status, headers, body = fetch(process.url, "/", BROWSER)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert (body["console"], body["models"]) == (None, "/up/here/models")
    assert fetch(process.url, "/console/stats")[0] == 404
    assert not any(path.startswith("/console") for path in document_paths(process))


def document_paths(process: Process) -> list[str]:
    return list(fetch(process.url, "/openapi.json")[2]["paths"])


@pytest.mark.parametrize(
    ("settings", "is_on"),
    [
        ({}, True),
        ({"host": "::1"}, True),
        ({"host": "localhost"}, True),
        ({"host": "0.0.0.0"}, False),
        ({"host": "0.0.0.0", "console": "on"}, True),
        ({"host": "0.0.0.0", "api_key_file": "keys"}, True),
        ({"host": "0.0.0.0", "uds": "socket"}, True),
        ({"console": "off"}, False),
        ({"console": "off", "api_key_file": "keys"}, False),
        ({"server": "meinheld", "console": "on"}, False),
    ],
)
def test_beyond_this_machine_it_is_off_without_a_key(settings: dict[str, str], is_on: bool):
    assert serves_console(Config(**settings)) == is_on


@pytest.mark.parametrize(
    ("path", "is_open"),
    [
        ("/", True),
        ("/console/main.js", True),
        ("/console/style.css", True),
        ("/console/stats", False),
        ("/console/stats/x.js", False),
        ("/console/../models/x.js", False),
        ("/console//main.js", False),
        ("/console/main.js\n", False),
        ("/models/x.js", False),
        ("//", False),
    ],
)
def test_what_needs_no_key(path: str, is_open: bool):
    assert ConsoleRoutes.is_open(path) == is_open
