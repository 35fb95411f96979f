from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.balancer import HAPROXY, Balancer, address_of
from tests.support.process import Process, wait_until
from torch_serving.haproxy import Fleet

FLAGS = ["--threads", "1", "--no-trial-load", "--model-capacity", "100", "--log-level", "warning"]


class Nodes:
    """Three servers with the same models."""

    def __init__(self, model_root: Path, start: Callable[..., Process]) -> None:
        self._arguments = [model_root, *FLAGS]
        self._start = start
        self.processes = [start(*self._arguments, "--port", "0") for _ in range(3)]
        self.addresses = tuple(map(address_of, self.processes))

    def __getitem__(self, name: str) -> Process:
        """The server of a node by its name, as in `n1`."""
        return self.processes[int(name[1:]) - 1]

    def bring_back(self, name: str) -> None:
        """Start the server of a node again, at the same port."""
        slot = int(name[1:]) - 1
        port = str(self.addresses[slot].port)
        self.processes[slot] = self._start(*self._arguments, "--port", port)


def skip_without_haproxy() -> None:
    if HAPROXY is None:
        pytest.skip("haproxy is not installed")


@pytest.fixture(scope="session")
def nodes(model_root: Path, start_for_all: Callable[..., Process]) -> Nodes:
    skip_without_haproxy()
    return Nodes(model_root, start_for_all)


@pytest.fixture(scope="session")
def balance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Balancer]]:
    """Start balancers: `balance(fleet)`. They are killed at the end of all."""
    skip_without_haproxy()
    with ExitStack() as stack:

        def start_one(fleet: Fleet, **replaced: str) -> Balancer:
            made = Balancer(tmp_path_factory.mktemp("balancer"), fleet, replaced)
            stack.callback(made.end)
            return made

        yield start_one


@pytest.fixture(scope="session")
def balancer(nodes: Nodes, balance: Callable[..., Balancer]) -> Balancer:
    """A balancer before the three servers, which are up."""
    made = balance(Fleet(nodes.addresses))
    wait_until(lambda: len(made.up()) == 3)
    return made
