"""The registry: an actor of Ray on the head that knows nodes and balancers."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import ray

from torch_serving.ray.copies import Rates
from torch_serving.ray.slots import FORGOTTEN_S, Slots
from torch_serving.ray.table import Endpoint, Table

NAME, NAMESPACE = "torch_serving_registry", "torch_serving"
HEAD = "node:__internal_head__"  # a resource of Ray, which only the head has
LONG_POLL_S = 1.0


class BalancerFacts(NamedTuple):
    """Where a balancer answers, and what it was deployed with."""

    url: str
    arguments: dict[str, Any]


class Follower(NamedTuple):
    """A balancer, the version of the table that HAProxy was told, and when it was heard of."""

    facts: BalancerFacts
    version: int
    heard_s: float


class Registry:
    """Slots of nodes and copies of models, for balancers that wait for changes.

    It has soft state, which heartbeats renew, so it may be restarted at any time. Versions go on
    from one that no earlier process can have had.
    """

    def __init__(self) -> None:
        self._slots = Slots(time.monotonic())
        self._rates = Rates()
        self._first_version = time.time_ns()
        self._copies_version = 0
        self._balancers: dict[str, Follower] = {}
        self._changed = asyncio.Event()

    async def heartbeat(self, node: str, endpoint: Endpoint) -> tuple[int, int]:
        """Note where a node is; it sends the slot that it had.

        Return its slot, 0 for none yet, and the version of the table that has it.
        """
        before = self._version()
        slot = self._slots.heartbeat(node, endpoint, time.monotonic())
        if self._version() != before:
            self._notify()
        return slot, self._version()

    async def is_followed(self, version: int) -> bool:
        """Whether all balancers have told HAProxy what was known in a version."""
        return all(each.version >= version for each in self._followers())

    async def count(self, counts: Mapping[str, int], total: int) -> None:
        """Add the requests of a node's busiest models, and of all its models."""
        if self._rates.add(counts, total, len(self._slots.endpoints() or ())):
            self._copies_version += 1
            self._notify()

    async def table(self, version: int, balancer: BalancerFacts | None = None) -> Table:
        """Return what is known, as soon as it is not that of a version, or after a second."""
        if balancer:
            self._balancers[balancer.url] = Follower(balancer, version, time.monotonic())
        self._slots.forget(time.monotonic())
        if version == self._version():
            changed = self._changed
            try:
                await asyncio.wait_for(changed.wait(), LONG_POLL_S)
            except asyncio.TimeoutError:
                self._slots.forget(time.monotonic())
        return Table(self._version(), self._slots.endpoints(), self._rates.copies)

    async def balancers(self) -> list[BalancerFacts]:
        """Return those that were heard of lately."""
        return [each.facts for each in self._followers()]

    def _followers(self) -> list[Follower]:
        oldest = time.monotonic() - FORGOTTEN_S
        return [each for each in self._balancers.values() if each.heard_s > oldest]

    def _version(self) -> int:
        return self._first_version + self._slots.version + self._copies_version

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class RegistryAway(Exception):
    """The registry does not answer, for whatever reason: ask again later."""


class Link:
    """The way to the registry, which is looked up once, and again after an error."""

    def __init__(self) -> None:
        self._registry: Any = None

    def ask(self, method: str, *arguments: Any, timeout_s: float) -> Any:
        """Return what a method of the registry returns. Raises RegistryAway."""
        try:
            self._registry = self._registry or registry()
            answer = getattr(self._registry, method).remote(*arguments)
            return ray.get(answer, timeout=timeout_s)
        except Exception as error:  # the head may be away as well, and Ray says so in many ways
            self._registry = None
            raise RegistryAway(f"the registry does not answer: {error}") from error


def registry() -> Any:
    """Return the registry; start it on the head where there is none.

    The end of the head is the end of Ray anyway.
    """
    return (
        ray.remote(Registry)
        .options(
            name=NAME,
            namespace=NAMESPACE,
            get_if_exists=True,
            lifetime="detached",
            max_restarts=-1,
            max_task_retries=-1,
            num_cpus=0,
            # Ray places a detached actor that asks for nothing anywhere, and ignores soft affinity
            resources={HEAD: 0.001},
            max_concurrency=1000,
        )
        .remote()
    )


def address_of_machine() -> str:
    """Return the address by which Ray knows this machine.

    `ray.util.get_node_ip_address()` guesses an interface, and may choose another one.
    """
    here = ray.get_runtime_context().get_node_id()
    return next(str(each["NodeManagerAddress"]) for each in ray.nodes() if each["NodeID"] == here)
