"""Each response has the date of the server's clock (RFC 9110, 6.6.1)."""

from email.utils import format_datetime, parsedate_to_datetime

import pytest

from tests.support.client import RawConnection, raw_request, tensor, with_length
from tests.support.process import Process

X = b'[{"type":"tensor","value":[1]}]'


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (with_length(X), 200),
        (with_length(b"["), 400),
        (raw_request(method="GET", target="/healthcheck"), 200),
        (raw_request(method="GET", target="/unknown"), 404),
        (raw_request(method="GET"), 405),
        (b"no http\r\n\r\n", 400),
        (raw_request(b"", "X: " + "a" * 70_000), 431),
    ],
)
def test_each_response_has_a_date(uvicorn_server: Process, request_: bytes, status: int):
    with RawConnection(uvicorn_server.url) as connection:
        connection.send(request_)
        response = connection.response()
    (date,) = response.headers.get_all("date")
    assert response.status == status
    assert format_datetime(parsedate_to_datetime(date), usegmt=True) == date


def test_a_connection_has_a_date_with_each_response(uvicorn_server: Process):
    with RawConnection(uvicorn_server.url) as connection:
        for _ in range(3):
            connection.send(with_length(X))
            response = connection.response()
            assert response.result == tensor([1], [1])
            assert len(response.headers.get_all("date")) == 1
