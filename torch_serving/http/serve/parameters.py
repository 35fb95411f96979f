"""The query of `/serve`."""

from collections.abc import Mapping
from typing import NamedTuple

from torch_serving.errors import InvalidParameter, MissingParameter, RepeatedParameter

IDENTIFIER = "servable_identifier"


class Parameters(NamedTuple):
    identifier: str
    device: str | None
    method: str
    invalidation: float  # the probability


def parameters_of(query: Mapping[str, str | list[str]]) -> Parameters:
    """Check the query's parameters; those that mean nothing are ignored.

    Raises MissingParameter, RepeatedParameter or InvalidParameter.
    """
    identifier = query.get(IDENTIFIER)
    if identifier is None:
        raise MissingParameter(f"expected /serve?{IDENTIFIER}=<path below the model root>")
    if isinstance(identifier, list):
        raise RepeatedParameter(f"`{IDENTIFIER}` was given {len(identifier)} times")
    if len(query) == 1:
        return Parameters(identifier, None, "forward", 0.0)
    return Parameters(
        identifier,
        once(query, "device"),
        once(query, "method") or "forward",
        probability(query),
    )


def once(query: Mapping[str, str | list[str]], name: str) -> str | None:
    value = query.get(name)
    if isinstance(value, list):
        raise InvalidParameter(f"`{name}` was given {len(value)} times")
    return value


def probability(query: Mapping[str, str | list[str]]) -> float:
    text = once(query, "invalidation_probability")
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
