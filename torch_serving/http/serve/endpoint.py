"""The head of a request to `/serve` -> an `InferenceRequest`, the same for every server.

The order of checks decides which error a client sees: parameters, device, Content-Type, Accept.
What follows elsewhere is the body, then the model and its method.
"""

import functools
from collections.abc import Mapping

import falcon.uri

from torch_serving.codecs.media_types import PLAIN
from torch_serving.engine.devices import device_of
from torch_serving.errors import InvalidParameter, MissingParameter, RepeatedParameter
from torch_serving.http.negotiation import request_media_type, response_media_type
from torch_serving.http.query import check_known
from torch_serving.service.interfaces import InferenceRequest

IDENTIFIER = "servable_identifier"
PARAMETERS = (IDENTIFIER, "method", "device", "invalidation_probability", "plain")
TRUTHS = {"1": True, "true": True, "0": False, "false": False}
MAX_REMEMBERED = 1024  # heads: clients send few different ones
MAX_HEAD_BYTES = 1024  # of one that is remembered


def inference_request(
    query: bytes, content_type: bytes | None, accept: bytes | None
) -> InferenceRequest:
    """Read the query and the headers as they were sent.

    Raises MissingParameter, RepeatedParameter, InvalidParameter or InvalidDevice.
    """
    head_bytes = len(query) + len(content_type or b"") + len(accept or b"")
    read = remembered if head_bytes <= MAX_HEAD_BYTES else remembered.__wrapped__
    return read(query, content_type, accept)


@functools.lru_cache(MAX_REMEMBERED)
def remembered(query: bytes, content_type: bytes | None, accept: bytes | None) -> InferenceRequest:
    text = query.decode("utf-8", "surrogateescape")
    parameters = falcon.uri.parse_query_string(text, keep_blank=True, csv=False)
    model = identifier(parameters)
    check_known(parameters, PARAMETERS)
    device, method = once(parameters, "device"), once(parameters, "method")
    reload_probability = probability(parameters)
    if device is not None:
        device_of(device)
    return InferenceRequest(
        model,
        method or "forward",
        device,
        request_media_type(latin(content_type)),
        response_form(once(parameters, "plain"), response_media_type(latin(accept))),
        reload_probability=reload_probability,
    )


def latin(header: bytes | None) -> str | None:
    return None if header is None else header.decode("latin-1")


def identifier(parameters: Mapping[str, str | list[str]]) -> str:
    value = parameters.get(IDENTIFIER)
    if value is None:
        raise MissingParameter(f"expected /serve?{IDENTIFIER}=<path below the model root>")
    if isinstance(value, list):
        raise RepeatedParameter(f"`{IDENTIFIER}` was given {len(value)} times")
    return value


def with_identifier(query: bytes, name: str) -> bytes:
    """A query that had no identifier, with one."""
    return query + f"&{IDENTIFIER}={falcon.uri.encode_value(name)}".encode()


def once(parameters: Mapping[str, str | list[str]], name: str) -> str | None:
    value = parameters.get(name)
    if isinstance(value, list):
        raise InvalidParameter(f"`{name}` was given {len(value)} times")
    return value


def response_form(plain: str | None, accepted: str | None) -> str | None:
    """The media type of the response: the query says which JSON, if it is JSON."""
    if plain is None:
        return accepted
    if plain not in TRUTHS:
        raise InvalidParameter(f"`plain` must be one of {', '.join(TRUTHS)}, got `{plain[:40]}`")
    if accepted not in (None, PLAIN):
        raise InvalidParameter(f"`plain` is for JSON; `Accept` asks for {accepted}")
    return PLAIN if TRUTHS[plain] else None


def probability(parameters: Mapping[str, str | list[str]]) -> float:
    text = once(parameters, "invalidation_probability")
    if text is None:
        return 0.0
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:  # refuses NaN too
        raise InvalidParameter(
            f"`invalidation_probability` must be a number from 0 to 1, got `{text[:40]}`"
        )
    return value
