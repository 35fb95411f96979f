"""Which media types a request's body has and its response may have."""

import pytest

from tests.support.binary_bodies import JSON, NUMPY, SAFE
from torch_serving.http.negotiation import request_media_type, response_media_type
from torch_serving.http.serve import endpoint


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("*/*", None),
        ("application/json", None),
        ("text/html", None),
        ("", None),
        (SAFE, SAFE),
        ("Application/X-NPY", NUMPY),
        (f"{NUMPY};q=0.5, {SAFE}", SAFE),
        (f"{NUMPY}, {SAFE};q=0.5", NUMPY),
        (f"{JSON}, {SAFE};q=0.5", None),
        (f"{JSON};q=0.1, {SAFE};q=0.5", SAFE),
        (f"{SAFE};q=0", None),
        (f"{SAFE};q=x, */*", None),
        (f"{SAFE};v=1;q=0.2, {NUMPY};q=0.1", SAFE),
    ],
)
def test_what_a_response_may_be(header: str | None, expected: str | None):
    assert response_media_type(header) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("application/x-www-form-urlencoded", None),  # what curl says of any body
        ("text/plain", None),
        (SAFE, SAFE),
        ("application/x-npy; version=1", NUMPY),
    ],
)
def test_what_a_body_is(header: str | None, expected: str | None):
    assert request_media_type(header) == expected


def test_long_headers_are_not_remembered():
    endpoint.remembered.cache_clear()
    query = b"servable_identifier=m.pt"
    for number in range(10):
        long = f"{number}/{'a' * endpoint.MAX_HEAD_BYTES}".encode()
        assert endpoint.inference_request(query, long, b"*/*").content_type is None
        assert endpoint.inference_request(query, None, long + b", */*").accept is None
    assert endpoint.remembered.cache_info().currsize == 0
    for _ in range(2):
        assert endpoint.inference_request(query, NUMPY.encode(), None).content_type == NUMPY
    assert endpoint.remembered.cache_info().hits == 1
