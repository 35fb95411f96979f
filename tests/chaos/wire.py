"""Mutated requests, and requests that end too early."""

import socket
import struct
import time

from tests.chaos.deaths import connections_of
from tests.chaos.stage import Server, Stage
from tests.chaos.table import Row, Rows
from tests.support.client import LIMIT_S, RawConnection, chunked, in_threads, with_length
from tests.support.mutations import BODY, send_all_mutations
from tests.support.process import wait_until

MUTATIONS = 100_000
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no time: closing resets
REQUESTS = {"a length": with_length(BODY), "chunks": chunked(BODY[:20], BODY[20:])}


def mutations(stage: Stage) -> Rows:
    """More of the mutations of tests/http/test_mutations.py."""
    count = stage.effort.count(MUTATIONS, 1000)
    with stage.server("--log-level", "warning") as server:
        pids = server.pids()
        problem = ""
        try:
            send_all_mutations(server.url, count)
        except AssertionError as error:
            problem = f"a wrong response: {error}"
        problem = problem or server.check(pids)
        problem = problem or ("a traceback in the log" if "Traceback" in server.stderr else "")
    done = f"{count} requests with bytes changed"
    yield Row(done, problem or "no 5xx, no traceback", "no 5xx, no traceback", not problem)


def truncations(stage: Stage) -> Rows:
    """Cut after every byte, by an orderly end and by a reset."""
    with stage.server("--log-level", "warning") as server:
        pids = server.pids()
        for kind, request in REQUESTS.items():
            for resets in (False, True):
                cuts = range(1, len(request))
                statuses = in_threads(
                    8,
                    lambda i, c=cuts, r=request, x=resets: [
                        cut(server, r[:length], x) for length in c[i::8]
                    ],
                )
                good = sum(status == 200 for part in statuses for status in part)
                started_s = time.monotonic()
                wait_until(lambda: not connections_of(pids[0], server))
                held_s = time.monotonic() - started_s
                problem = server.check(pids)
                end = "a reset" if resets else "half-closed"
                done = f"a request with {kind} cut after each of {len(cuts)} bytes, {end}"
                yield Row(done, problem or f"{good} × 200", "none", not good and not problem)
                figure = f"all disconnected after {held_s:.2f} s"
                yield Row(done, figure, "< 1 s", held_s < 1, timed=True)


def cut(server: Server, data: bytes, resets: bool) -> int:
    """The status of the response; 0 if there is none."""
    with RawConnection(server.url) as connection:
        connection.send(data)
        if resets:
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            return 0
        connection.half_close()
        connection.socket.settimeout(LIMIT_S)
        response = connection.response()
        return response.status if response else 0
