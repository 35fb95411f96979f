"""Nodes by what runs and waits."""

from types import SimpleNamespace
from typing import Any

import pytest

from torch_serving.ray.scaling import ByQueue, wanted_nodes

CASES = [
    ({}, 0),
    ({"queue": {"a": 0.0}, "busy": {"a": 1.0}}, 1),
    ({"queue": {"a": 3.0, "b": 0.0}, "busy": {"a": 1.0, "b": 1.0}}, 2),
    ({"queue": {"a": 30.0}, "busy": {"a": 2.0}}, 8),
]


@pytest.mark.parametrize(("load", "nodes"), CASES)
def test_as_many_as_keep_four_requests_each(load: dict[str, dict[str, float]], nodes: int):
    assert wanted_nodes(load, 4.0) == nodes


@pytest.mark.parametrize(("queue", "nodes"), [(0.0, 2), (12.0, 3), (900.0, 5)])
def test_between_least_and_most(queue: float, nodes: int):
    context: Any = SimpleNamespace(
        aggregated_metrics={"queue": {"a": queue}},
        capacity_adjusted_min_replicas=2,
        capacity_adjusted_max_replicas=5,
    )
    assert ByQueue(waiting=4.0)(context) == (nodes, {})
