"""A fleet in simulated time: nodes with threads and caches, and requests that come at random."""

import heapq
import random
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple, Protocol

THREADS, LOADERS, QUEUE = 8, 2, 256  # of a node
WARM_UP = 0.4  # of the requests, which are not counted


@dataclass(frozen=True)
class Scenario:
    """What is asked of which fleet."""

    nodes: int = 100
    models: int = 10_000
    room: float = 1.3  # models that all nodes together can hold, in parts of all models
    zipf: float = 1.0  # exponent: how much more is asked of the first models
    busy: float = 0.05  # of all threads
    requests: int = 500_000
    run_s: float = 0.02
    load_s: float = 0.1
    seed: int = 1

    @property
    def capacity(self) -> int:
        return max(1, round(self.models * self.room / self.nodes))

    def __str__(self) -> str:
        skew = "" if self.zipf == 1 else f", Zipf {self.zipf}"
        return f"room {self.room} x, {self.busy:.0%} busy{skew}"


class Taken(NamedTuple):
    latency_s: float
    is_hit: bool


class Node:
    """The least recently used models, threads that run them, and loaders that load them."""

    def __init__(self, name: str, capacity: int) -> None:
        self.name = name
        self.cache: OrderedDict[int, float] = OrderedDict()  # model -> when it is loaded
        self.served = 0
        self._capacity = capacity
        self._threads = [0.0] * THREADS  # when each is free
        self._loaders = [0.0] * LOADERS
        self._ends: list[float] = []  # of what is in flight

    def in_flight(self, now: float) -> int:
        while self._ends and self._ends[0] <= now:
            heapq.heappop(self._ends)
        return len(self._ends)

    def take(self, model: int, now: float, run_s: float, load_s: float) -> Taken | None:
        """Run a request; None if too many wait."""
        if self.in_flight(now) >= THREADS + QUEUE:
            return None
        loaded = self.cache.get(model)
        is_hit = loaded is not None and loaded <= now
        if loaded is None:
            loaded = self._load(model, now, load_s)
        self.cache.move_to_end(model)
        end = max(now, loaded, self._threads[0]) + run_s
        heapq.heapreplace(self._threads, end)
        heapq.heappush(self._ends, end)
        self.served += 1
        return Taken(end - now, is_hit)

    def _load(self, model: int, now: float, load_s: float) -> float:
        loaded = max(now, self._loaders[0]) + load_s
        heapq.heapreplace(self._loaders, loaded)
        self.cache[model] = loaded
        if len(self.cache) > self._capacity:
            self.cache.popitem(last=False)
        return loaded


class Balancer(Protocol):
    """Chooses a node for a request; `total` is what is in flight everywhere."""

    def pick(self, model: int, now: float, total: int) -> Node: ...


class BalancerType(Protocol):
    """Makes a balancer for nodes."""

    def __call__(self, nodes: Sequence[Node], rng: random.Random) -> Balancer: ...


class Result(NamedTuple):
    """What requests met: `busiest` is the most that a node served, in parts of the mean."""

    hits: float
    busiest: float
    p99_s: float
    refused: float

    def __str__(self) -> str:
        return (
            f"{self.hits:.1%} · {self.busiest:.1f} · {1000 * self.p99_s:,.0f} · {self.refused:.1%}"
        )


def simulate(scenario: Scenario, balancer_type: BalancerType) -> Result:
    """Send all requests of a scenario."""
    rng = random.Random(scenario.seed)
    nodes = [Node(f"node-{number}", scenario.capacity) for number in range(scenario.nodes)]
    balancer = balancer_type(nodes, random.Random(scenario.seed + 1))
    popularity = zipf(scenario.models, scenario.zipf)
    rate = scenario.busy * scenario.nodes * THREADS / scenario.run_s
    now, ends, taken = 0.0, list[float](), list[Taken | None]()
    before = [0] * len(nodes)
    for number in range(scenario.requests):
        if number == int(WARM_UP * scenario.requests):
            taken.clear()
            before = [node.served for node in nodes]
        now += rng.expovariate(rate)
        while ends and ends[0] <= now:
            heapq.heappop(ends)
        model = bisect_left(popularity, rng.random())
        node = balancer.pick(model, now, len(ends))
        run_s = scenario.run_s * rng.uniform(0.5, 1.5)
        outcome = node.take(model, now, run_s, scenario.load_s)
        taken.append(outcome)
        if outcome:
            heapq.heappush(ends, now + outcome.latency_s)
    served = [node.served - old for node, old in zip(nodes, before, strict=True)]
    return result_of(taken, served)


def result_of(taken: Sequence[Taken | None], served: Sequence[int]) -> Result:
    good = [each for each in taken if each]
    latencies = sorted(each.latency_s for each in good)
    return Result(
        hits=sum(each.is_hit for each in good) / len(good),
        busiest=max(served) * len(served) / sum(served),
        p99_s=latencies[int(0.99 * len(latencies))],
        refused=1 - len(good) / len(taken),
    )


def zipf(count: int, exponent: float) -> list[float]:
    """The sums of the shares of the first models."""
    sums = list(accumulate(rank**-exponent for rank in range(1, count + 1)))
    return [each / sums[-1] for each in sums]
