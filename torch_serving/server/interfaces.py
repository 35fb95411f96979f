"""What a worker needs from a server of HTTP, or of another protocol."""

import socket
from typing import Protocol


class Transport(Protocol):
    """A way for requests to reach a runtime; made of a runtime that has been started.

    `run` blocks, where a pair of coroutines to start and to drain might be expected: meinheld is
    synchronous and takes the whole thread, so it can be called but not awaited. A transport with an
    event loop runs the loop within `run`.

    SIGTERM drains it: no connection is accepted any more, accepted requests are finished, and `run`
    returns. It is a signal rather than a method because the parent sends it, and because meinheld
    leaves its loop for nothing else.
    """

    def run(self, listeners: list[socket.socket], /) -> None:
        """Serve on bound sockets until SIGTERM."""
