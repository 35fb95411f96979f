"""Scripts of other origins may ask where the operator says so, and nowhere else."""

import http.client
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.client import LIMIT_S
from tests.support.process import Process

ORIGIN = "https://example.org"
TARGET = "/serve?servable_identifier=echo.pt"
BODY = b'[{"type":"tensor","value":[1]}]'
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type,x-api-key",
}


def ask(
    process: Process, method: str, headers: dict[str, str], target: str = TARGET
) -> tuple[int, http.client.HTTPMessage]:
    address = urlsplit(process.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=LIMIT_S)
    connection.request(method, target, BODY if method == "POST" else None, headers)
    with connection.getresponse() as response:
        response.read()
    connection.close()
    return response.status, response.headers


def test_off_by_default(uvicorn_server: Process):
    status, headers = ask(uvicorn_server, "POST", {"Origin": ORIGIN})
    assert status == 200
    assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize("flags", [["--cors-origin", ORIGIN], ["--cors-origin", "*"]])
def test_who_may_ask(model_root: Path, start: Callable[..., Process], flags: list[str]):
    process = start(model_root, "--port", "0", *flags)
    for target, expected in ((TARGET, 200), ("/serve?servable_identifier=none.pt", 400)):
        status, headers = ask(process, "POST", {"Origin": ORIGIN}, target)
        assert status == expected
        assert headers["access-control-allow-origin"] == flags[1]
        assert "X-Request-Id" in headers["access-control-expose-headers"]
    _, headers = ask(process, "POST", {"Origin": "https://other.example"})
    assert headers["access-control-allow-origin"] == ("*" if "*" in flags else None)
    status, headers = ask(process, "OPTIONS", PREFLIGHT)
    assert status == 200
    assert "POST" in headers["access-control-allow-methods"]
    assert headers["access-control-allow-headers"] == "content-type,x-api-key"


def test_preflights_need_no_key(model_root: Path, start: Callable[..., Process], tmp_path: Path):
    keys = tmp_path / "keys"
    keys.write_text("key-0123456789abcdef\n")
    flags = ["--cors-origin", ORIGIN, "--api-key-file", keys]
    process = start(model_root, "--port", "0", *flags)
    assert ask(process, "OPTIONS", PREFLIGHT)[0] == 200
    assert ask(process, "OPTIONS", {"Origin": ORIGIN})[0] == 401
    assert ask(process, "POST", PREFLIGHT)[0] == 401
    status, headers = ask(process, "POST", {**PREFLIGHT, "X-Api-Key": "key-0123456789abcdef"})
    assert (status, headers["access-control-allow-origin"]) == (200, ORIGIN)


@pytest.mark.parametrize("origin", ["example.org", "https://example.org/", "", "https://a b"])
def test_what_is_no_origin(model_root: Path, start: Callable[..., Process], origin: str):
    process = start(model_root, "--cors-origin", origin)
    assert process.exit_code() == 2
    assert "--cors-origin: expected * or as in https://example.org" in process.stderr


@pytest.mark.parametrize("origin", [ORIGIN, "https://example.com", "https://example.net", None])
def test_caches_learn_that_responses_differ(
    model_root: Path, start: Callable[..., Process], origin: str | None
):
    process = start(
        model_root, "--port", "0", "--cors-origin", ORIGIN, "--cors-origin", "https://example.com"
    )
    for target in ("/healthcheck", "/unknown"):
        _, headers = ask(process, "GET", {"Origin": origin} if origin else {}, target)
        assert "Origin" in headers["vary"], target
