"""What `torch-serving ray` does on a cluster: deploy both applications, and say what is there."""

import logging
import os
import re
import socket
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
from torch_serving.ray.progress import cause_in, progress_of, state_of
from torch_serving.ray.registry import NAME, NAMESPACE, BalancerFacts, registry
from torch_serving.ray.table import Table

LOOK_S = 0.5
HEARD_S = 10.0
REACHED_S = 5.0
HOST_AND_PORT = re.compile(r"([^/]+):([0-9]{1,5})")
OnProgress = Callable[[str], None]


def connect(address: str | None) -> None:
    """Connect to a cluster: that of an address, of RAY_ADDRESS, or of this machine.

    Raises StartupError.
    """
    for name in ("ray", "ray.serve"):
        logging.getLogger(name).setLevel(logging.WARNING)
    where = address or os.environ.get("RAY_ADDRESS") or "auto"
    try:
        reach(where)
        ray.init(where, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.WARNING)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise StartupError(
            f"no cluster of Ray at {where}: {first_line(error)}; `ray start --head` starts one"
        ) from None


def reach(where: str) -> None:
    """Raise ConnectionError if nothing listens at an address: Ray would look for minutes."""
    if not (found := HOST_AND_PORT.fullmatch(where)):
        return
    try:
        socket.create_connection((found[1].strip("[]"), int(found[2])), REACHED_S).close()
    except (OSError, OverflowError) as error:
        raise ConnectionError(getattr(error, "strerror", None) or str(error)) from None


def up(nodes: NodesArguments, balancer: BalancerArguments, on_progress: OnProgress) -> list[str]:
    """Deploy nodes anew, and balancers where they change; return the URLs of balancers.

    Balancers that are as they should be are left alone, as replacing one costs requests. What was
    not there before is removed if it fails. Raises StartupError.
    """
    serve.start(proxy_location="Disabled")
    was_up = is_up()
    try:
        deploy(NODES, nodes_application(nodes))
        if not was_up:  # requests need not wait for all machines
            deploy(BALANCER, balancer_application(balancer))
        wait_for(NODES, on_progress)
        if was_up and not is_deployed(balancer):
            deploy(BALANCER, balancer_application(balancer))
        wait_for(BALANCER, on_progress)
    except StartupError:
        if not was_up:
            remove()
        raise
    return [each.url for each in wait_for_balancers(balancer)]


def deploy(name: str, application: Any) -> None:
    """Tell Serve what shall be there."""
    target = serve.RunTarget(application, name=name, route_prefix=None)
    serve.run_many([target], wait_for_applications_running=False)


def wait_for(name: str, on_progress: OnProgress) -> None:
    """Wait until an application is as it shall be. Raises StartupError if it fails."""
    last = ""
    while (status := statuses().get(name)) is None or status.status != "RUNNING":
        if status is None:
            raise StartupError(f"{name}: somebody has removed it meanwhile")
        if status.status == "DEPLOY_FAILED":
            raise StartupError(f"{name} could not be deployed: {cause_in(status)}")
        if (text := progress_of(name, status)) != last and status.deployments:
            on_progress(text)
            last = text
        time.sleep(LOOK_S)
    on_progress(progress_of(name, status))


def unsettled() -> list[str]:
    """What is to say of applications that are not as they shall be."""
    states = [state_of(name, status) for name, status in statuses().items()]
    return [state for state in states if state]


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
    """Remove both applications, and Serve if no others are on it."""
    remove()
    if not serve.status().applications:
        serve.shutdown()


def remove() -> None:
    """Remove both applications, and the registry once nodes and balancers have left it."""
    for name in reversed(statuses()):
        serve.delete(name)
    with suppress(ValueError):  # there is none
        ray.kill(ray.get_actor(NAME, NAMESPACE))


def first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
