"""The node: the actor of Serve on each machine, which has a server as its child."""

import asyncio
import logging
import threading
import time
from pathlib import Path

from ray import serve

from torch_serving.api_keys import read_keys
from torch_serving.ray.arguments import NodesArguments
from torch_serving.ray.copies import busiest
from torch_serving.ray.registry import Link, RegistryAway, address_of_machine
from torch_serving.ray.requests_by_model import Difference, requests_in
from torch_serving.ray.server_process import ServerProcess
from torch_serving.ray.table import DRAIN, GONE, READY, Endpoint

logger = logging.getLogger(__name__)
HEARTBEAT_S = 0.5
COUNTING_S = 5.0
COUNTING_SHARE = 0.01  # of the time, as the page of 10,000 models is long
ANSWER_S = 2.0
FOLLOWED_S = 10.0  # in which all balancers have heard of a change, or are not waited for
LOOK_S = 0.1
MOST_COUNTED = 200  # models; more than twice as many as nodes can't want copies


class Node:
    """Starts a server, tells the registry where it is, and lets it drain at the end.

    Torch is not loaded here: the server is a process of its own, which any flag may be given to.
    """

    def __init__(self, arguments: NodesArguments) -> None:
        self._name = serve.get_replica_context().replica_id.unique_id
        self._drain_s = arguments.drain_s
        file = arguments.api_key_file
        key = read_keys(Path(file))[0] if file else None
        self._server = ServerProcess(
            arguments.model_root, arguments.flags, address_of_machine(), key
        )
        self._endpoint = Endpoint(0, self._server.host, self._server.port, READY)
        self._link = Link()
        self._lock = threading.Lock()  # guards the endpoint
        self._is_ended = threading.Event()
        # An update goes on to the next node, so this one must be known.
        while not self._endpoint.slot:
            self._announce(READY)
        for loop in (self._send_heartbeats, self._count):
            threading.Thread(target=loop, name=loop.__name__, daemon=True).start()

    async def check_health(self) -> None:
        """Raise if the server does not live: Serve replaces this actor then."""
        await asyncio.to_thread(self._server.check)

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Return what runs and waits: `/load`, as the page of metrics is long for many models."""
        load = await asyncio.to_thread(self._server.load)
        return {"queue": float(load["queue"]), "busy": float(load["busy"])}

    async def __del__(self) -> None:
        """Balancers send nothing more, then the server ends what it has accepted."""
        await asyncio.to_thread(self._announce, DRAIN)
        await asyncio.to_thread(self._server.stop, self._drain_s)
        self._is_ended.set()
        await asyncio.to_thread(self._announce, GONE)

    def _announce(self, state: str) -> None:
        """Send a new state until all balancers have passed it to HAProxy, or for long enough."""
        with self._lock:
            self._endpoint = self._endpoint._replace(state=state)
        deadline = time.monotonic() + FOLLOWED_S
        while time.monotonic() < deadline:
            if (version := self._heartbeat()) and self._is_followed(version):
                return
            time.sleep(LOOK_S)

    def _heartbeat(self) -> int:
        """Send the registry this node's endpoint, with the slot it had, and note the slot it has.

        Return the version of the table that has it, or 0.
        """
        with self._lock:
            try:
                slot, version = self._link.ask(
                    "heartbeat", self._name, self._endpoint, timeout_s=ANSWER_S
                )
            except RegistryAway as error:
                logger.warning("%s", error)
                return 0
            self._endpoint = self._endpoint._replace(slot=slot or self._endpoint.slot)
            return int(version) if slot or self._endpoint.state == GONE else 0

    def _is_followed(self, version: int) -> bool:
        try:
            return bool(self._link.ask("is_followed", version, timeout_s=ANSWER_S))
        except RegistryAway:
            return False

    def _send_heartbeats(self) -> None:
        while not self._is_ended.wait(HEARTBEAT_S):
            self._heartbeat()

    def _count(self) -> None:
        """Tell the registry from time to time how many requests each model had."""
        difference, pause_s = Difference(), COUNTING_S
        while not self._is_ended.wait(pause_s):
            started = time.monotonic()
            try:
                counts = difference.since(requests_in(self._server.get("/metrics")))
                most = busiest(counts, MOST_COUNTED)
                self._link.ask("count", most, sum(counts.values()), timeout_s=ANSWER_S)
            except (OSError, RegistryAway) as error:
                logger.warning("requests of models are not counted: %s", error)
            pause_s = max(COUNTING_S, (time.monotonic() - started) / COUNTING_SHARE)
