"""Which node has which slot: soft state, which nodes tell again and again."""

from dataclasses import dataclass

from torch_serving.ray.table import GONE, Place

FORGOTTEN_S = 5.0  # after the last a node was heard of
SETTLING_S = 2.0  # after the start: some heartbeats of all nodes
MOST_SLOTS = 4096


@dataclass
class Known:
    """A node, and when it was heard of."""

    place: Place
    heard: float


class Slots:
    """Places on the ring, and the nodes that have them; time is what it is told.

    A node that takes the slot of one that is gone takes its models, so the first free one is given.
    After a restart, nodes say which slots they had. Until all could do so, none is given to others
    and no places are told: slots in the order of heartbeats would move all models.
    """

    def __init__(self, now: float) -> None:
        self._settled = now + SETTLING_S
        self._was_settled = False
        self._nodes: dict[str, Known] = {}
        self.version = 0

    def hear(self, node: str, told: Place, now: float) -> int:
        """Note what a node tells of itself, and return its slot; 0: ask again."""
        self.forget(now)
        known = self._nodes.get(node)
        if told.state == GONE:
            self._remove(node)
            return 0
        if known is None:
            slot = self._slot_for(told.slot, now)
            if slot:
                self._put(node, told._replace(slot=slot), now)
            return slot
        known.heard = now
        if told._replace(slot=known.place.slot) != known.place:
            self._put(node, told._replace(slot=known.place.slot), now)
        return known.place.slot

    def forget(self, now: float) -> None:
        """Drop nodes that were not heard of for long."""
        if now >= self._settled and not self._was_settled:
            self._was_settled = True
            self.version += 1
        for node in [each for each, known in self._nodes.items() if is_old(known, now)]:
            self._remove(node)

    def places(self) -> tuple[Place, ...] | None:
        """All places by slot; None while that is not certain."""
        if not self._was_settled:
            return None
        return tuple(sorted(known.place for known in self._nodes.values()))

    def _slot_for(self, had: int, now: float) -> int:
        taken = {known.place.slot for known in self._nodes.values()}
        if 0 < had <= MOST_SLOTS and had not in taken:
            return had
        if now < self._settled:
            return 0
        return next((slot for slot in range(1, MOST_SLOTS + 1) if slot not in taken), 0)

    def _put(self, node: str, place: Place, now: float) -> None:
        self._nodes[node] = Known(place, now)
        self.version += 1

    def _remove(self, node: str) -> None:
        if self._nodes.pop(node, None):
            self.version += 1


def is_old(known: Known, now: float) -> bool:
    return now - known.heard > FORGOTTEN_S
