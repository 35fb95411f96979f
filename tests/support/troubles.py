"""What may happen to a fleet, and what its clients notice of it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.support.simulated_cluster import ask, kill, parent_of, pids, wait_for
from tests.support.simulated_fleet import BODY, MODELS, Fleet
from torch_serving.ray import end_with_starter

ENOUGH = 1000  # requests around each trouble
BEFORE = AFTER = ENOUGH / 4
SPARE = 4  # the machine that comes
HOLDER = Path(end_with_starter.__file__).name  # is HAProxy's parent
Endpoints = dict[int, tuple[str, int]]
Condition = Callable[[], bool]


class Trouble(NamedTuple):
    """`happens` lets it happen, and returns whether the fleet is at its full capacity again."""

    name: str
    happens: Callable[[Fleet], Condition]
    most_lost: int = 0
    successors: int = 0  # nodes that are others than before, in the slots that were
    more: int = 0  # nodes than before


class Outcome(NamedTuple):
    """What clients noticed, and which slots nodes had before and after it."""

    trouble: Trouble
    requests: int
    lost: int
    longest_s: float
    back_s: float
    before: Endpoints
    after: Endpoints

    @property
    def successors(self) -> int:
        both = self.before.keys() & self.after.keys()
        return sum(self.before[slot] != self.after[slot] for slot in both)

    @property
    def slots(self) -> str:
        """What became of the places on the ring."""
        if new := sorted(self.after.keys() - self.before.keys()):
            return f"{new[0]} is new"
        if gone := sorted(self.before.keys() - self.after.keys()):
            return f"{gone[0]} is free"
        return "the same"

    def __str__(self) -> str:
        cells = (
            self.trouble.name,
            f"{self.requests:,}",
            str(self.lost),
            f"{self.longest_s:.2f} s",
            f"{self.back_s:.1f} s",
            self.slots,
        )
        return f"| {' | '.join(cells)} |"


HEAD = """\
| event | requests | lost | longest | full capacity after | slots |
| --- | --- | --- | --- | --- | --- |"""


def meet(fleet: Fleet, trouble: Trouble) -> Outcome:
    """Let it happen while clients ask, until all is well and they have asked enough."""
    before, lost_before = fleet.endpoints(), fleet.load.lost
    with fleet.clients() as clients:
        wait_for(lambda: clients.count > BEFORE)
        started = time.monotonic()
        is_over = trouble.happens(fleet)
        wait_for(is_over)
        back_s = time.monotonic() - started
        enough = max(ENOUGH, clients.count + AFTER)
        wait_for(lambda: clients.count > enough)
    lost = clients.lost + fleet.load.lost - lost_before
    return Outcome(
        trouble, clients.count, lost, clients.slowest_s, back_s, before, fleet.endpoints()
    )


def a_worker_is_killed(fleet: Fleet) -> Condition:
    host, port = fleet.endpoints()[1]
    killed = fleet.workers(host)
    kill(killed)

    def is_back() -> bool:
        now = fleet.workers(host)
        return len(now) == len(killed) and not set(now) & set(killed) and answers(host, port)

    return is_back


def a_server_is_killed(fleet: Fleet) -> Condition:
    before = fleet.endpoints()
    kill(fleet.server(before[1][0]))
    return lambda: has_successors(fleet, before, 1)


def the_actor_of_a_node_is_killed(fleet: Fleet) -> Condition:
    before = fleet.endpoints()
    kill([parent_of(fleet.parent(before[1][0]))])
    return lambda: has_successors(fleet, before, 1)


def the_registry_is_killed(fleet: Fleet) -> Condition:
    before = fleet.endpoints()
    kill(pids("ray::Registry"))
    return lambda: fleet.endpoints() == before


def the_controller_is_killed(fleet: Fleet) -> Condition:
    killed = pids("ray::ServeController")
    kill(killed)
    return lambda: bool(set(pids("ray::ServeController")) - set(killed)) and fleet.is_well()


def haproxy_is_killed(fleet: Fleet) -> Condition:
    kill([pid for pid in balancers() if HOLDER not in cmdline(pid)][:1])
    return lambda: all_balancers_answer(fleet)


def the_actor_of_a_balancer_is_killed(fleet: Fleet) -> Condition:
    """HAProxy ends as well: it would go on with what it was told last, and share the port."""
    running = balancers()
    actor = parent_of(next(pid for pid in running if HOLDER in cmdline(pid)))
    orphans = [pid for pid in running if actor in (parent_of(pid), parent_of(parent_of(pid)))]
    kill([actor])

    def is_back() -> bool:
        has_ended = not any(Path(f"/proc/{pid}").exists() for pid in orphans)
        return has_ended and len(balancers()) == len(running) and all_balancers_answer(fleet)

    return is_back


def all_nodes_are_updated(fleet: Fleet) -> Condition:
    before = fleet.endpoints()
    fleet.up()
    return lambda: has_successors(fleet, before, len(before))


def a_machine_comes(fleet: Fleet) -> Condition:
    """Load wants a third node, which has no machine before."""
    fleet.load.start()
    fleet.cluster.add(SPARE)
    return lambda: len(fleet.endpoints()) == 3


def the_load_ends(fleet: Fleet) -> Condition:
    fleet.load.end()
    return lambda: len(fleet.endpoints()) == 2 and len(fleet.servers()) == 2


def a_machine_is_lost(fleet: Fleet) -> Condition:
    """One without a balancer; another machine has no node yet."""
    before = fleet.endpoints()
    host = max(host for host, _ in before.values())
    fleet.cluster.lose(int(host.rpartition(".")[2]), fleet.root)
    return lambda: has_successors(fleet, before, 1)


# in this order: the machine that comes is what the one that is lost has in its place
TROUBLES = (
    Trouble("a worker is killed", a_worker_is_killed),
    Trouble("a server is killed", a_server_is_killed, successors=1),
    Trouble("the actor of a node is killed", the_actor_of_a_node_is_killed, successors=1),
    Trouble("the registry is killed", the_registry_is_killed),
    Trouble("Serve's controller is killed", the_controller_is_killed),
    Trouble("HAProxy is killed beside another", haproxy_is_killed, most_lost=5),
    Trouble("the actor of a balancer is killed", the_actor_of_a_balancer_is_killed, most_lost=5),
    Trouble("all nodes are updated", all_nodes_are_updated, successors=2),
    Trouble("a machine comes, and has a node for the load", a_machine_comes, more=1),
    Trouble("the load ends, and a node goes", the_load_ends, more=-1),
    Trouble("a machine is lost", a_machine_is_lost, successors=1),
)


def has_successors(fleet: Fleet, before: Endpoints, count: int) -> bool:
    """Whether as many nodes as before are ready, and so many are others."""
    now = fleet.endpoints()
    return len(now) == len(before) and len(set(now.values()) - set(before.values())) == count


def balancers() -> list[int]:
    """HAProxy of each balancer, and its parent."""
    return pids("haproxy -db", "torch-serving-balancer-")


def all_balancers_answer(fleet: Fleet) -> bool:
    return all(ask([url], MODELS[0], BODY) == 200 for url in fleet.urls)


def answers(host: str, port: int) -> bool:
    return ask([f"http://{host}:{port}"], MODELS[0], BODY) == 200


def cmdline(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()
