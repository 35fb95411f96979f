"""What `torch-serving ray` does on a cluster: deploy both applications, and say what is there."""

import logging
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import ray
from ray import serve

from torch_serving.errors import StartupError
from torch_serving.ray.applications import (
    BALANCER,
    NODES,
    balancer_application,
    nodes_application,
)
from torch_serving.ray.arguments import BalancerArguments, NodesArguments
from torch_serving.ray.registry import NAME, NAMESPACE, BalancerFacts, registry
from torch_serving.ray.table import Table

LOOK_S = 0.5
HEARD_S = 10.0
CAUSE = re.compile(r"^\s*[\w.]*(?:Error|Exception): (.+)$", re.M)
OnProgress = Callable[[str], None]


def connect(address: str | None) -> None:
    """Connect to a cluster: that of an address, of RAY_ADDRESS, or of this machine.

    Raises StartupError.
    """
    for name in ("ray", "ray.serve"):
        logging.getLogger(name).setLevel(logging.WARNING)
    where = address or os.environ.get("RAY_ADDRESS") or "auto"
    try:
        ray.init(where, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.WARNING)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise StartupError(
            f"no cluster of Ray at {where}: {first_line(error)}; `ray start --head` starts one"
        ) from None


def up(nodes: NodesArguments, balancer: BalancerArguments, on_progress: OnProgress) -> list[str]:
    """Deploy nodes anew, and balancers where they change; return the URLs of balancers.

    Balancers that are as they should be are left alone, as replacing one costs requests.
    """
    serve.start(proxy_location="Disabled")
    deploy(NODES, nodes_application(nodes), on_progress)
    if not is_deployed(balancer):
        deploy(BALANCER, balancer_application(balancer), on_progress)
    return [each.url for each in wait_for_balancers(balancer)]


def deploy(name: str, application: Any, on_progress: OnProgress) -> None:
    """Deploy an application, and wait until it is. Raises StartupError if it fails."""
    target = serve.RunTarget(application, name=name, route_prefix=None)
    serve.run_many([target], wait_for_applications_running=False)
    last = ""
    while (status := serve.status().applications[name]).status != "RUNNING":
        if status.status == "DEPLOY_FAILED":
            raise StartupError(f"{name} could not be deployed: {cause_in(status)}")
        if (text := progress_of(name, status)) != last:
            on_progress(text)
            last = text
        time.sleep(LOOK_S)
    on_progress(progress_of(name, status))


def progress_of(name: str, status: Any) -> str:
    """Say how many actors run, of both versions during an update."""
    states = [each.replica_states for each in status.deployments.values()]
    counts: dict[str, int] = {}
    for each in states:
        for state, count in each.items():
            counts[str(state).lower()] = counts.get(str(state).lower(), 0) + count
    return f"{name}: " + (", ".join(f"{count} {state}" for state, count in counts.items()) or "…")


def cause_in(status: Any) -> str:
    """The innermost error of a deployment's message, which has the trace of an actor as well."""
    texts = [status.message, *(each.message for each in status.deployments.values())]
    found = [each for text in texts for each in CAUSE.findall(text)]
    return " ".join((found or texts)[-1].split())


def is_deployed(wanted: BalancerArguments) -> bool:
    """Whether balancers run with these arguments."""
    if BALANCER not in serve.status().applications:
        return False
    known = balancers()
    return bool(known) and all(each.arguments == asdict(wanted) for each in known)


def wait_for_balancers(wanted: BalancerArguments) -> list[BalancerFacts]:
    """Wait until all balancers were heard of, or for long enough."""
    deadline = time.monotonic() + HEARD_S
    while len(known := balancers()) < wanted.balancers and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    return known


def balancers() -> list[BalancerFacts]:
    found: list[BalancerFacts] = ray.get(registry().balancers.remote())
    return sorted(found)


def table() -> Table:
    """Return who is where; wait for a registry that has just started."""
    deadline = time.monotonic() + HEARD_S
    found: Table = ray.get(registry().table.remote(0))
    while found.endpoints is None and time.monotonic() < deadline:
        found = ray.get(registry().table.remote(found.version))
    return found


def is_up() -> bool:
    """Whether there is anything of ours on the cluster."""
    return bool(statuses())


def statuses() -> dict[str, Any]:
    """Return what Serve says of those of our applications that there are."""
    found = serve.status().applications
    return {name: found[name] for name in (NODES, BALANCER) if name in found}


def down() -> None:
    """Remove both applications, and Serve if no others are left on it."""
    others = serve.status().applications.keys() - {NODES, BALANCER}
    if others:
        for name in (BALANCER, NODES):
            serve.delete(name)
    else:
        serve.delete(BALANCER)
        serve.shutdown()
    with suppress(ValueError):  # there is none
        ray.kill(ray.get_actor(NAME, NAMESPACE))


def first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
