"""HAProxy with our configuration, for tests that ask servers through it."""

import socket
import subprocess
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.client import LIMIT_S, Client
from tests.support.ports import free_port
from tests.support.process import Process, wait_until
from torch_serving.haproxy import Address, Fleet, binary, problems_in, render

HAPROXY = binary()
NODE_HEADER = "x-node"


class Balancer:
    """A balancer on a free port, whose responses tell which node they are from."""

    def __init__(self, folder: Path, fleet: Fleet, replaced: dict[str, str] | None = None) -> None:
        assert HAPROXY
        self.port = free_port()
        self._socket = folder / "haproxy.sock"
        fleet = replace(fleet, bind=Address("127.0.0.1", self.port), stats_socket=self._socket)
        text = render(fleet)
        told = {"http-reuse always": f"http-response set-header {NODE_HEADER} %s"}
        for line, other in {**told, **(replaced or {})}.items():
            assert line in text
            text = text.replace(line, f"{line}\n    {other}" if line in told else other)
        assert problems_in(text, HAPROXY) == ""
        file = folder / "haproxy.cfg"
        file.write_text(text)
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / "haproxy.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen([HAPROXY, "-db", "-f", file], stderr=log)
        wait_until(self._runs)

    def _runs(self) -> bool:
        """Whether it answers: it does once all its ports are open, long after its socket exists."""
        assert self.is_running(), self._log.read_text()
        try:
            return bool(self.tell("show info"))
        except OSError:
            return False

    def tell(self, command: str) -> str:
        """Give a command to the Runtime API, and return what it says."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(LIMIT_S)
            client.connect(str(self._socket))
            client.sendall(f"{command}\n".encode())
            return client.makefile().read().strip()

    def servers(self) -> dict[str, dict[str, str]]:
        """The statistics of each node by its name."""
        head, *lines = self.tell("show stat").removeprefix("# ").splitlines()
        rows = [dict(zip(head.split(","), line.split(","), strict=False)) for line in lines]
        return {row["svname"]: row for row in rows if row["svname"].startswith("n")}

    def up(self) -> set[str]:
        """The names of the nodes that are up."""
        return {name for name, row in self.servers().items() if row["status"] == "UP"}

    def listens(self) -> bool:
        """Whether it takes connections."""
        with socket.socket() as client:
            client.settimeout(LIMIT_S)
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def is_running(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        self._process.kill()
        self._process.wait(LIMIT_S)


def address_of(process: Process) -> Address:
    url = urlsplit(process.url)
    assert url.hostname
    assert url.port
    return Address(url.hostname, url.port)


def node_for(client: Client, target: str, method: str = "GET", body: bytes | None = None) -> str:
    """The name of the node that responds, whatever it says."""
    client._connection.request(method, target, body)
    with client._connection.getresponse() as response:
        response.read()
        return response.headers[NODE_HEADER]
