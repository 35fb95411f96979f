"""Settings from several sources, the stronger ones over the weaker ones."""

from collections.abc import Iterable
from typing import Any, NamedTuple


class Given(NamedTuple):
    """A value that was given, and where, as in `TORCH_SERVING_PORT` or `server.toml line 3`."""

    value: Any
    origin: str


Layer = dict[str, Given]  # by the names of options


def merge(layers: Iterable[Layer]) -> Layer:
    """Merge layers, the weakest first. The values of an option that may be repeated add up."""
    merged: Layer = {}
    for layer in layers:
        for name, given in layer.items():
            before = merged.get(name)
            if before and isinstance(given.value, tuple):
                origin = f"{before.origin}, {given.origin}"
                given = Given(before.value + given.value, origin)
            merged[name] = given
    return merged
