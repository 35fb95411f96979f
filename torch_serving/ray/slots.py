"""Which node has which slot: soft state, which heartbeats of nodes renew."""

from dataclasses import dataclass

from torch_serving.ray.table import GONE, Endpoint

FORGOTTEN_S = 5.0  # after the last a node was heard of
OVERDUE_S = 1.5  # some heartbeats: it may be gone, and its slot free soon
SETTLING_S = 2.0  # after the start: some heartbeats of all nodes
MOST_SLOTS = 4096


@dataclass
class KnownNode:
    """A node, and when it was heard of."""

    endpoint: Endpoint
    heard_s: float


class Slots:
    """Places on the ring, and the nodes that have them; callers say what time it is.

    A node that takes the slot of one that is gone takes its models, so the slot is given that was
    left last, and none while a node may just have gone without a word.
    After a restart, nodes say which slots they had. Until all could do so, none is given to others
    and no endpoints are given: slots in the order of heartbeats would move all models.
    """

    def __init__(self, now_s: float) -> None:
        self._settled_s = now_s + SETTLING_S
        self._was_settled = False
        self._nodes: dict[str, KnownNode] = {}
        self._left: dict[int, None] = {}  # slots in the order in which nodes left them
        self.version = 0

    def heartbeat(self, node: str, endpoint: Endpoint, now_s: float) -> int:
        """Note where a node is, and return its slot; 0: ask again."""
        self.forget(now_s)
        known = self._nodes.get(node)
        if endpoint.state == GONE:
            self._remove(node)
            return 0
        if known is None:
            slot = self._slot_for(endpoint.slot, now_s)
            if slot:
                self._put(node, endpoint._replace(slot=slot), now_s)
            return slot
        known.heard_s = now_s
        if endpoint._replace(slot=known.endpoint.slot) != known.endpoint:
            self._put(node, endpoint._replace(slot=known.endpoint.slot), now_s)
        return known.endpoint.slot

    def forget(self, now_s: float) -> None:
        """Drop nodes that were not heard of for long."""
        if now_s >= self._settled_s and not self._was_settled:
            self._was_settled = True
            self.version += 1
        for node in [each for each, known in self._nodes.items() if is_old(known, now_s)]:
            self._remove(node)

    def endpoints(self) -> tuple[Endpoint, ...] | None:
        """All endpoints by slot; None while that is not certain."""
        if not self._was_settled:
            return None
        return tuple(sorted(known.endpoint for known in self._nodes.values()))

    def _slot_for(self, had: int, now_s: float) -> int:
        taken = {known.endpoint.slot for known in self._nodes.values()}
        if 0 < had <= MOST_SLOTS and had not in taken:
            return had
        if now_s < self._settled_s or self._is_any_overdue(now_s):
            return 0
        slots = (*reversed(self._left), *range(1, MOST_SLOTS + 1))
        return next((slot for slot in slots if slot not in taken), 0)

    def _is_any_overdue(self, now_s: float) -> bool:
        return any(now_s - known.heard_s > OVERDUE_S for known in self._nodes.values())

    def _put(self, node: str, endpoint: Endpoint, now_s: float) -> None:
        self._nodes[node] = KnownNode(endpoint, now_s)
        self.version += 1

    def _remove(self, node: str) -> None:
        if known := self._nodes.pop(node, None):
            self._left.pop(known.endpoint.slot, None)
            self._left[known.endpoint.slot] = None
            self.version += 1


def is_old(known: KnownNode, now_s: float) -> bool:
    return now_s - known.heard_s > FORGOTTEN_S
