"""Content negotiation (RFC 9110, 12): which media types a request's body and its response have."""

from collections.abc import Iterator

from torch_serving.codecs.image_files import image_reader, is_image
from torch_serving.codecs.media_types import CODECS, NESTED, PLAIN
from torch_serving.codecs.safetensors import SAFETENSORS

JSON_TYPES = ("application/json", "application/*", "*/*")


def request_media_type(content_type: str | None) -> str | None:
    """Return the media type of a request's body; None is JSON. That of an image has parameters.

    Clients call JSON by many names, so every unknown type is taken for it. Raises InvalidParameter
    for parameters that images lack.
    """
    text = (content_type or "").strip()
    if is_image(text):
        image_reader(text)
        return text
    media_type = text.partition(";")[0].strip().lower()
    return media_type if media_type in CODECS else None


def response_media_type(accept: str | None) -> str | None:
    """Return the known media type with the highest quality value; None is JSON.

    If no media type is known, the response is JSON as well.
    """
    if accept is None or accept == "*/*":
        return None
    ranked = sorted(items_of(accept), key=lambda item: -quality_in(item[1]))
    for name, parameters in ranked:
        if quality_in(parameters) > 0 and name in {*CODECS, *JSON_TYPES}:
            return form_of(name, parameters)
    return None


def form_of(name: str, parameters: str) -> str | None:
    """Return which form of a media type is asked for; unknown profiles are nothing (RFC 6906)."""
    profile = (parameter_in(parameters, "profile") or "").strip('"').lower()
    if name in CODECS:
        return NESTED if name == SAFETENSORS.media_type and profile == "nested" else name
    return PLAIN if profile == "plain" else None


def quality_values(header: str) -> dict[str, float]:
    """The items of a header as `gzip;q=0.5, deflate` with their quality values (RFC 9110, 12.4.2).

    A malformed value counts as 0.
    """
    return {name: quality_in(parameters) for name, parameters in items_of(header)}


def items_of(header: str) -> Iterator[tuple[str, str]]:
    for item in header.split(","):
        name, _, parameters = item.partition(";")
        yield name.strip().lower(), parameters


def quality_in(parameters: str) -> float:
    value = parameter_in(parameters, "q")
    try:
        quality = 1.0 if value is None else float(value)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0  # also for what is not a number


def parameter_in(parameters: str, wanted: str) -> str | None:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == wanted:
            return value.strip()
    return None
