"""Which media types a request's body has and its response may have."""

import pytest

from tests.support.binary_bodies import JSON, NUMPY, SAFE
from torch_serving.codecs.media_types import NESTED, PLAIN
from torch_serving.errors import InvalidParameter
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
        (f"{SAFE};q=nan", None),
        (f"{SAFE};q=-1", None),
        (f"{SAFE};q=1.5, {NUMPY};q=0.1", NUMPY),
        (f"{SAFE};v=1;q=0.2, {NUMPY};q=0.1", SAFE),
        (PLAIN, PLAIN),
        ('Application/JSON;Profile="plain"', PLAIN),
        (f"{JSON};q=0.5, {JSON};profile=plain", PLAIN),
        (f"{JSON}, {JSON};profile=plain;q=0.5", None),
        (f"{SAFE};q=0.5, {JSON};q=0.9;profile=plain", PLAIN),
        (f"{JSON};profile=other", None),
        (f"{NUMPY};profile=plain", NUMPY),
        (NESTED, NESTED),
        (f'{SAFE};Profile="Nested";q=0.9, {JSON};q=0.5', NESTED),
        (f"{NESTED};q=0.1, {SAFE};q=0.5", SAFE),
        (f"{SAFE};profile=plain", SAFE),
        (f"{JSON};profile=nested", None),
        (f"{NUMPY};profile=nested", NUMPY),
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
        (" Image/JPEG; batch=1 ", "Image/JPEG; batch=1"),
        ("image/tiff", "image/tiff"),
        ("imagery", None),
    ],
)
def test_what_a_body_is(header: str | None, expected: str | None):
    assert request_media_type(header) == expected


@pytest.mark.parametrize(
    ("plain", "accept", "expected"),
    [
        ("", None, None),
        ("", PLAIN, PLAIN),
        ("&plain=1", None, PLAIN),
        ("&plain=true", "*/*", PLAIN),
        ("&plain=1", JSON, PLAIN),
        ("&plain=0", None, None),
        ("&plain=false", PLAIN, None),
    ],
)
def test_the_query_decides_before_the_header(plain: str, accept: str | None, expected: str | None):
    query = f"servable_identifier=m.pt{plain}".encode()
    request = endpoint.inference_request(query, None, accept.encode() if accept else None)
    assert request.accept == expected


@pytest.mark.parametrize(
    ("plain", "accept", "problem"),
    [
        ("plain=2", None, "must be one of 1, true, 0, false, got `2`"),
        ("plain=", None, "got ``"),
        ("plain", None, "got ``"),
        ("plain=True", None, "got `True`"),
        ("plain=1&plain=1", None, "given 2 times"),
        ("plain=1", NUMPY, "`plain` is for JSON; `Accept` asks for application/x-npy"),
        ("plane=1", None, "did you mean `plain`"),
    ],
)
def test_what_is_not_plain(plain: str, accept: str | None, problem: str):
    query = f"servable_identifier=m.pt&{plain}".encode()
    with pytest.raises(InvalidParameter, match=problem):
        endpoint.inference_request(query, None, accept.encode() if accept else None)


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
