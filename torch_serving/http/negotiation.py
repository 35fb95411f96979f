"""Content negotiation (RFC 9110, 12): which media types a request's body and its response have."""

from torch_serving.codecs.media_types import CODECS

JSON_TYPES = ("application/json", "application/*", "*/*")


def request_media_type(content_type: str | None) -> str | None:
    """Return the media type of a request's body; None is JSON.

    Clients call JSON by many names, so every unknown type is taken for it.
    """
    media_type = (content_type or "").partition(";")[0].strip().lower()
    return media_type if media_type in CODECS else None


def response_media_type(accept: str | None) -> str | None:
    """Return the known media type with the highest quality value; None is JSON.

    If no media type is known, the response is JSON as well.
    """
    if accept is None or accept == "*/*":
        return None
    ranked = sorted(quality_values(accept).items(), key=lambda item: -item[1])
    for name, quality in ranked:
        if quality > 0 and name in {*CODECS, *JSON_TYPES}:
            return name if name in CODECS else None
    return None


def quality_values(header: str) -> dict[str, float]:
    """The items of a header as `gzip;q=0.5, deflate` with their quality values (RFC 9110, 12.4.2).

    A malformed value counts as 0.
    """
    values = {}
    for item in header.split(","):
        name, _, parameters = item.partition(";")
        values[name.strip().lower()] = quality_in(parameters)
    return values


def quality_in(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
