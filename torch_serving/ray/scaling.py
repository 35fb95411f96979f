"""How many nodes there shall be, by what runs and waits."""

import math
from collections.abc import Mapping
from typing import Any


def wanted_nodes(load: Mapping[str, Mapping[Any, float]], waiting: float) -> int:
    """Return how many nodes keep `waiting` requests each, of those that run or wait anywhere."""
    total = sum(sum(load.get(name, {}).values()) for name in ("queue", "busy"))
    return math.ceil(total / waiting)


class ByQueue:
    """A policy of Serve's autoscaling, which sees what `record_autoscaling_stats` of nodes says."""

    def __init__(self, waiting: float) -> None:
        self._waiting = waiting

    def __call__(self, context: Any) -> tuple[int, dict[str, Any]]:
        """Return the number of nodes, and a state that is not needed."""
        wanted = wanted_nodes(context.aggregated_metrics or {}, self._waiting)
        least = context.capacity_adjusted_min_replicas
        most = context.capacity_adjusted_max_replicas
        return max(least, min(most, wanted)), {}
