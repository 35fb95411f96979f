"""Bodies that no client of the Open Inference Protocol sends: each is refused, and the next served.

All go to one server over one connection; a body that breaks its framing would spoil those after it.
"""

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.support.client import SECRETS
from tests.support.hostile_oip import CASES, FLOATS, GOOD_BODY, GOOD_HEADERS, Case
from tests.support.process import Process


@pytest.fixture(scope="module")
def connection(uvicorn_server: Process) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(urlsplit(uvicorn_server.url).netloc, timeout=60)
    yield connection
    connection.close()


def infer(
    connection: http.client.HTTPConnection, model: str, body: bytes, headers: dict[str, str]
) -> tuple[int, bytes]:
    connection.request("POST", f"/v2/models/{model}/infer", body, headers)
    with connection.getresponse() as response:
        return response.status, response.read()


def check_served(connection: http.client.HTTPConnection) -> None:
    status, content = infer(connection, "echo.pt", GOOD_BODY, GOOD_HEADERS)
    assert status == 200
    assert json.loads(content)["outputs"][0]["data"] == FLOATS.tolist()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_refused_with_400(connection: http.client.HTTPConnection, case: Case):
    status, content = infer(connection, case.model, case.body, case.headers)
    document = json.loads(content)
    assert status == 400, document
    assert list(document) == ["error"]
    assert case.problem in document["error"]
    assert len(content) < 2000
    for secret in SECRETS:
        assert secret.encode() not in content
    check_served(connection)


def test_an_unknown_coding_has_its_own_status(connection: http.client.HTTPConnection):
    status, content = infer(connection, "echo.pt", GOOD_BODY, {"Content-Encoding": "br"})
    assert status == 415
    assert list(json.loads(content)) == ["error"]
    check_served(connection)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/nothing", 404),
        ("GET", "/v2/models/echo.pt/infer", 405),
        ("POST", "/v2/models/echo.pt", 405),
        ("POST", "/v2/models/echo.pt/ready", 405),
        ("POST", "/v2", 405),
        ("GET", "/v2/repository/index", 405),
        ("POST", "/v2/repository/models/echo.pt", 404),
        ("POST", "/v2/repository/models/load", 404),
        ("GET", "/v2/models/echo.pt/versions/7", 404),
        ("GET", "/v2/models/none.pt", 400),
        ("GET", "/v2/models/../none.pt/config", 400),
        ("GET", "/v2/models//etc/passwd/ready", 400),
        ("GET", "/v2/models/%00/stats", 400),
        ("POST", "/v2/models/none.pt/infer", 400),
        ("POST", "/v2/models/echo.pt/infer?device=cpu", 400),
        ("POST", "/v2/models/echo.pt/infer?a=b&method=forward", 400),
        ("POST", "/v2/repository/models/none.pt/load", 400),
    ],
)
def test_paths_that_lead_nowhere(
    connection: http.client.HTTPConnection, method: str, path: str, status: int
):
    connection.request(method, path, b"{}")
    with connection.getresponse() as response:
        document = json.loads(response.read())
    assert (response.status, list(document)) == (status, ["error"])
    check_served(connection)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v2/repository/index", b'{"ready":null}'),
        ("/v2/repository/models/echo.pt/load", b'{"parameters":null}'),
        ("/v2/repository/models/echo.pt/load", b'{"parameters":{"config":null,"file:a":null}}'),
    ],
)
def test_null_is_absent(connection: http.client.HTTPConnection, path: str, body: bytes):
    connection.request("POST", path, body)
    with connection.getresponse() as response:
        assert (response.status, b"error" in response.read()) == (200, False)


def test_a_body_over_the_limit(hasty_url: str):
    """Which the protocol refuses, before the application knows of it."""
    connection = http.client.HTTPConnection(urlsplit(hasty_url).netloc, timeout=60)
    status, content = infer(connection, "echo.pt", bytes(200 * 1024), {})
    assert (status, list(json.loads(content))) == (413, ["error"])
    connection.close()
