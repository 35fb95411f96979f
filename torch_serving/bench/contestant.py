"""A server with settings to try: started, checked against the defaults, measured, ended."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

from torch_serving.bench.address import Address
from torch_serving.bench.candidates import Candidate
from torch_serving.bench.load import Load
from torch_serving.bench.measurement import measure
from torch_serving.bench.own_server import own_server
from torch_serving.bench.process_memory import tree_bytes
from torch_serving.bench.same_results import is_same
from torch_serving.bench.target import Target
from torch_serving.bench.verdict import Figures, Rounds
from torch_serving.errors import StartupError

BURST = 16  # requests at once, which a server may batch
TIMEOUT_S = 60.0
ALONE_SHARE = 0.25  # of the time of a round

# Takes flags; returns where a server with them will be, and its arguments.
Locate = Callable[[list[str]], tuple[Address, list[str]]]


class Contestant:
    """One server that runs with settings of its own; `target` is the request of the defaults."""

    def __init__(self, candidate: Candidate, locate: Locate) -> None:
        self.candidate = candidate
        self.rounds = Rounds()
        self.bytes = 0  # of memory, after the last round
        self._locate = locate
        self._stack = ExitStack()
        self.address: Address | None = None
        self._target: Target | None = None
        self._pid = 0

    def start(self) -> None:
        """Start the server. Raises StartupError if it does not."""
        address, arguments = self._locate(self.candidate.flags)
        self._pid, self.address = self._stack.enter_context(own_server(arguments, address))

    def set_target(self, target: Target) -> None:
        """Send it the request of another server from now on."""
        if self.address is not None:
            self._target = replace(target, address=self.address)

    @property
    def target(self) -> Target:
        if self._target is None:
            raise RuntimeError("it was aimed at nothing")
        return self._target

    def end(self) -> None:
        self._stack.close()

    def memory(self) -> int:
        """The bytes that it takes now, with all its processes."""
        return tree_bytes(self._pid)

    def answers(self) -> list[bytes]:
        """The answers to a request alone and to many at once. Raises StartupError."""
        target = self.target
        with ThreadPoolExecutor(BURST) as pool:
            asked = [pool.submit(response_to, target) for _ in range(BURST)]
            return [response_to(target), *(each.result() for each in asked)]

    def problem(self, expected: bytes, only_structure: bool) -> str:
        """Why it is out: its answers are not those of the defaults. Empty if they are."""
        try:
            answers = self.answers()
        except StartupError as error:
            return str(error)
        same = all(is_same(each, expected, only_structure) for each in answers)
        return "" if same else "its results differ"

    def figures(self, connections: int, seconds: float) -> Figures:
        """Measure one round: one client alone, and many."""
        alone_s = seconds * ALONE_SHARE
        alone = measure(self.target, Load(1, seconds=alone_s, warm_up_s=0.1))
        loaded = measure(self.target, Load(connections, seconds=seconds - alone_s, warm_up_s=0.2))
        self.bytes = self.memory()
        if alone.is_interrupted or loaded.is_interrupted:
            raise KeyboardInterrupt
        failed = alone.failed + loaded.failed
        return Figures(loaded.rate, loaded.percentile_ms(99), alone.percentile_ms(50), failed)


def response_to(target: Target) -> bytes:
    """Send the request once. Raises StartupError if it fails."""
    response = target.address.ask("POST", target.path, target.body, dict(target.headers), TIMEOUT_S)
    if response.status != 200:
        raise StartupError(f"it answers {response.status}")
    return response.body
