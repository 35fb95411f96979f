"""Paths below /v2/models/. Names of models may hold `/`, so a path is read from its end."""

from typing import NamedTuple

from torch_serving.codecs.oip.metadata import VERSION
from torch_serving.errors import NotFound

ACTIONS = ("infer", "ready", "config", "stats")


class Route(NamedTuple):
    """What is wanted of which model; without an action, its metadata."""

    model: str
    action: str


def route_of(path: str) -> Route:
    """Read what stands behind `/v2/models/`. Raises NotFound for another version than 1."""
    model, _, action = path.rpartition("/")
    if action not in ACTIONS or not model:
        model, action = path, ""
    name, versions, version = model.rpartition("/versions/")
    if versions and name:
        if version != VERSION:
            raise NotFound(f"version `{version[:40]}`: models have version {VERSION}")
        return Route(name, action)
    return Route(model, action)
