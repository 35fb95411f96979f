"""How many places on the ring a hot model has."""

import math
from collections import Counter
from collections.abc import Mapping

WINDOW = 200  # requests a node, after which copies are counted anew
SHARE = 0.5  # of what a node gets on average, that one copy of one model may bring it


def copies_for(counts: Mapping[str, int], nodes: int, before: Mapping[str, int]) -> dict[str, int]:
    """Return the models that want more than one copy, and how many.

    One copy brings a node half its fair share at most. A number is lowered only where it is clearly
    too large, by more than one: what moves has to be loaded. Two copies may meet on one node, so
    there may be more than nodes, up to twice as many.
    """
    if nodes < 2:
        return {}
    fair = sum(counts.values()) / nodes
    copies = {}
    for model, count in counts.items():
        wanted = math.ceil(count / (SHARE * fair))
        had = before.get(model, 1)
        number = had if wanted < had <= wanted + 1 else wanted
        if number > 1:
            copies[model] = number
    return copies


class Rates:
    """Counts requests of models, and says after each window how many copies they want."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._total = 0
        self.copies: dict[str, int] | None = None

    def add(self, counts: Mapping[str, int], total: int, nodes: int) -> bool:
        """Add requests of the busiest models, and of all; return whether copies have changed."""
        self._counts.update(counts)
        self._total += total
        if not nodes or self._total < WINDOW * nodes:
            return False
        others = max(0, self._total - sum(self._counts.values()))
        before = self.copies or {}
        found = copies_for({**self._counts, "": others}, nodes, before)
        found.pop("", None)
        changed = self.copies is None or found != before
        self.copies, self._counts, self._total = found, Counter(), 0
        return changed


def busiest(counts: Mapping[str, int], most: int) -> dict[str, int]:
    """Return the models with the most requests: the others want no copies."""
    return dict(Counter(counts).most_common(most))
