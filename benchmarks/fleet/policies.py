"""Ways to balance requests among nodes, as balancers and routers do it."""

import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from functools import partial
from hashlib import blake2b
from math import ceil

from benchmarks.fleet.simulation import BalancerType, Node

POINTS = 160  # of a node on the ring
WINDOW = 200  # requests of a node, after which copies are counted anew
HOT = 0.5  # of a node's fair share: what one copy may bring it
TOLD_S = 0.2  # how old what is known of caches may be


class Anywhere:
    """Any node."""

    def __init__(self, nodes: Sequence[Node], rng: random.Random) -> None:
        self._nodes, self._rng = nodes, rng

    def pick(self, model: int, now: float, total: int) -> Node:
        return self._rng.choice(self._nodes)


class LeastConnections:
    """The node with the least in flight."""

    def __init__(self, nodes: Sequence[Node], rng: random.Random) -> None:
        self._nodes, self._rng = nodes, rng

    def pick(self, model: int, now: float, total: int) -> Node:
        counts = [node.in_flight(now) for node in self._nodes]
        least = min(counts)
        return self._rng.choice([n for n, c in zip(self._nodes, counts, strict=True) if c == least])


class KnownCaches:
    """The less busy of two nodes that have the model; else of two with the fewest models."""

    def __init__(self, nodes: Sequence[Node], rng: random.Random) -> None:
        self._nodes, self._rng = nodes, rng
        self._told_at = -TOLD_S
        self._having: dict[int, list[Node]] = {}
        self._emptiest: list[Node] = []

    def pick(self, model: int, now: float, total: int) -> Node:
        if now - self._told_at >= TOLD_S:
            self._told_at = now
            self._ask_nodes()
        pool = self._having.get(model, self._emptiest)
        pair = pool if len(pool) < 3 else self._rng.sample(pool, 2)
        return min(pair, key=lambda node: node.in_flight(now))

    def _ask_nodes(self) -> None:
        self._having = {}
        for node in self._nodes:
            for model in node.cache:
                self._having.setdefault(model, []).append(node)
        fewest = min(len(node.cache) for node in self._nodes)
        self._emptiest = [node for node in self._nodes if len(node.cache) == fewest]


class Ring:
    """Consistent hashing: the next node on the ring that has not more than its share.

    `factor` is that of `hash-balance-factor`; 0: no bound. With copies, a hot model has several
    places, of which each request takes one at random.
    """

    def __init__(
        self, nodes: Sequence[Node], rng: random.Random, factor: int = 0, copies: bool = False
    ) -> None:
        self._count, self._rng, self._factor = len(nodes), rng, factor
        points = ((place(node.name, number), node) for node in nodes for number in range(POINTS))
        ring = sorted(points, key=lambda point: point[0])
        self._hashes = [point[0] for point in ring]
        self._ring = [point[1] for point in ring]
        self._places: dict[tuple[int, int], int] = {}
        self._copies = Copies(len(nodes)) if copies else None

    def pick(self, model: int, now: float, total: int) -> Node:
        copy = self._rng.randrange(self._copies.of(model)) if self._copies else 0
        at = self._place_of(model, copy)
        if not self._factor:
            return self._ring[at]
        most = max(1, ceil(self._factor / 100 * (total + 1) / self._count))
        for step in range(len(self._ring)):
            node = self._ring[(at + step) % len(self._ring)]
            if node.in_flight(now) < most:
                return node
        return self._ring[at]

    def _place_of(self, model: int, copy: int) -> int:
        found = self._places.get((model, copy))
        if found is None:
            found = bisect_left(self._hashes, place("model", model, copy)) % len(self._ring)
            self._places[model, copy] = found
        return found


class Copies:
    """As many copies of a model as its rate needs; fewer only when they are clearly too many."""

    def __init__(self, nodes: int) -> None:
        self._nodes = nodes
        self._copies: dict[int, int] = {}
        self._counts: Counter[int] = Counter()
        self._seen = 0

    def of(self, model: int) -> int:
        self._counts[model] += 1
        self._seen += 1
        if self._seen == WINDOW * self._nodes:
            wanted = {each: ceil(count / (HOT * WINDOW)) for each, count in self._counts.items()}
            known = {each: self._kept(each, count) for each, count in wanted.items()}
            self._copies = {each: count for each, count in known.items() if count > 1}
            self._counts.clear()
            self._seen = 0
        return self._copies.get(model, 1)

    def _kept(self, model: int, wanted: int) -> int:
        have = self._copies.get(model, 1)
        return have if wanted < have <= wanted + 1 else wanted


def place(*parts: object) -> int:
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=8).digest(), "big")


POLICIES: dict[str, BalancerType] = {
    "any node": Anywhere,
    "least connections": LeastConnections,
    "nodes that have the model": KnownCaches,
    "ring, no bound": Ring,
    "ring, 150": partial(Ring, factor=150),
    "ring, 300": partial(Ring, factor=300),
    "ring, copies, no bound": partial(Ring, copies=True),
    "ring, copies, 300": partial(Ring, factor=300, copies=True),
    "ring, copies, 500": partial(Ring, factor=500, copies=True),
}
