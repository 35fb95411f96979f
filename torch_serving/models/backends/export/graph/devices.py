"""The devices in a program's document -> the one that the program runs on."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch

from torch_serving.models.backends.export.archive.evaluated import graphs_in
from torch_serving.models.backends.export.graph.values import Json

WITHOUT_MEMORY = "meta"
AUTOCAST = "torch.ops.higher_order.wrap_with_autocast"


def place_on(document: Json, device: torch.device) -> None:
    """Change a document that was checked, so that torch reads a program for this device."""
    graph = document["graph_module"]["graph"]
    places = list(devices_in(graph))
    types = {each["type"] for each in places}
    for node in nodes_in(graphs_in(graph)):
        if node["target"] == AUTOCAST:
            kind = node["inputs"][0]["arg"]
            if kind.get("as_string") in types:  # else it is for tensors that are not here
                kind["as_string"] = device.type
    for each in places:
        each.update(type=device.type, index=device.index)


def nodes_in(graphs: Iterable[Json]) -> Iterator[Json]:
    for graph in graphs:
        yield from graph["nodes"]


def devices_in(graph: Json) -> Iterator[Json]:
    """Yield the devices of tensors and arguments, but for those without memory."""
    left: list[Any] = [graph]
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            left += value.values()
            for key in ("as_device", "device"):
                found = value.get(key)
                if isinstance(found, dict) and found.get("type", WITHOUT_MEMORY) != WITHOUT_MEMORY:
                    yield found
