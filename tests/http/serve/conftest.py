"""A client that sends binary bodies to /serve."""

import http.client
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

import pytest

from tests.support.binary_bodies import Ask, Response
from tests.support.client import SECRETS
from tests.support.process import Process


@pytest.fixture
def ask(server: Process) -> Iterator[Ask]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)

    def ask(model: str, body: bytes, sent: str = "", wanted: str = "") -> Response:
        headers = {"Content-Type": sent, "Accept": wanted}
        target = f"/serve?{urlencode({'servable_identifier': model})}"
        connection.request("POST", target, body, {k: v for k, v in headers.items() if v})
        with connection.getresponse() as response:
            content = response.read()
        for secret in SECRETS:
            assert secret.encode() not in content
        return Response(response.status, response.headers["content-type"], content)

    yield ask
    connection.close()
