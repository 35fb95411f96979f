"""The balancer: an actor of Serve which has HAProxy as its child, and tells it where nodes are."""

import logging
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path

from torch_serving.haproxy import Address
from torch_serving.ray.arguments import BalancerArguments
from torch_serving.ray.haproxy_process import HaproxyProcess
from torch_serving.ray.registry import BalancerFacts, Link, RegistryAway, address_of_machine
from torch_serving.ray.table import Table

logger = logging.getLogger(__name__)
AGAIN_S = 0.5
ANSWER_S = 5.0
EVERYWHERE = ("0.0.0.0", "::", "*")


class Balancer:
    """Starts HAProxy once there is a node, as it would answer 503 before, and follows the registry.

    Should the registry be away, HAProxy goes on with what it knows, and sees by itself which nodes
    are down.
    """

    def __init__(self, arguments: BalancerArguments) -> None:
        machine = address_of_machine()
        host = arguments.host or machine
        reached_at = Address(machine if host in EVERYWHERE else host, arguments.port)
        scheme = "https" if arguments.tls_cert else "http"
        self._facts = BalancerFacts(f"{scheme}://{reached_at}", asdict(arguments))
        self._folder = tempfile.TemporaryDirectory(prefix="torch-serving-balancer-")
        self._is_ended = threading.Event()
        self._link = Link()
        self._haproxy = HaproxyProcess(arguments, host, Path(self._folder.name))
        table = self._next(0, None)
        while not (table and table.endpoints):
            table = self._next(table.version if table else 0, None)
        self._haproxy.start(table)
        self._version = table.version
        threading.Thread(target=self._follow, name="follow", daemon=True).start()

    def check_health(self) -> None:
        """Raise if HAProxy does not run: Serve acts if it does not come back soon."""
        self._haproxy.check()

    def __del__(self) -> None:
        self._is_ended.set()
        self._haproxy.stop()
        self._folder.cleanup()

    def _follow(self) -> None:
        while not self._is_ended.is_set():
            table = self._next(self._version, self._facts)
            if table is None:
                continue
            try:
                self._haproxy.follow(table)
                self._version = table.version
            except OSError as error:
                logger.warning("haproxy does not listen: %s", error)
                time.sleep(AGAIN_S)

    def _next(self, version: int, facts: BalancerFacts | None) -> Table | None:
        """Wait a while for another table than that of a version; None if the registry is away.

        The registry knows this balancer by its facts, once HAProxy listens.
        """
        try:
            found: Table = self._link.ask("table", version, facts, timeout_s=ANSWER_S)
        except RegistryAway as error:
            logger.warning("%s", error)
            time.sleep(AGAIN_S)
            return None
        return found
