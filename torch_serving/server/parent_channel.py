"""The connection between a worker and its parent: a pair of sockets, made before the fork.

A worker sends READY once, when it serves, and then requests for trial loads as JSON, each with two
descriptors: the model's file, and the pipe for the replies. It sends FAILED once shared memory says
why it can't go on. A worker whose parent has died sees the connection closed, and so does the
parent of a worker that has died. To a spare, the parent sends PROMOTE: it is to accept connections.
"""

import errno
import json
import os
import socket
from contextlib import suppress
from typing import Any, NamedTuple

READY = b"!"
FAILED = b"#"
PROMOTE = b">"
MAX_MESSAGE = 1 << 16

# Replies to a request for a trial load, a byte each: the first, and then one of the others. A
# process that crashes leaves the second out.
ACCEPTED = b"."
LOADED = b"+"  # or refused with an error, which the worker will meet, too
NOT_STARTED = b"?"  # no process could be started

Request = dict[str, Any]


class ParentChannel:
    """The worker's end; `is_spare` says whether the worker is to wait for `promoted`."""

    def __init__(self, connection: socket.socket, is_spare: bool = False) -> None:
        self._connection = connection
        self.is_spare = is_spare

    def notify_ready(self) -> None:
        """Report to the parent that this worker serves."""
        self._connection.send(READY)

    def notify_failed(self) -> None:
        """Report to the parent that this worker can't go on. Safe to use from any thread."""
        with suppress(OSError):  # the parent is gone
            self._connection.send(FAILED)

    def fileno(self) -> int:
        """The descriptor that becomes readable when the parent is gone, or promotes this worker."""
        return self._connection.fileno()

    def promoted(self) -> bool:
        """Once that is readable: whether this worker was promoted; if not, the parent is gone."""
        try:
            return self._connection.recv(1) == PROMOTE
        except ConnectionError:
            return False

    def try_load(self, request: Request, model: int) -> bool:
        """Let the parent load the model of this descriptor in a process of its own.

        Return whether that process ended without a crash. Safe to use from any thread. Raises
        OSError if no process could be started.
        """
        replies, parents_end = os.pipe()
        try:
            descriptors = [model, parents_end]
            socket.send_fds(self._connection, [json.dumps(request).encode()], descriptors)
        finally:
            os.close(parents_end)
        try:
            # no select: a busy worker has descriptors beyond 1024
            if os.read(replies, 1) != ACCEPTED:  # the parent had no descriptors left for these
                raise OSError(errno.EAGAIN, "the parent could not take it")
            result = os.read(replies, 1)
        finally:
            os.close(replies)
        if result == NOT_STARTED:
            raise OSError(errno.EAGAIN, "no process could be started to try it in")
        return result == LOADED


class WorkerMessage(NamedTuple):
    """What the parent received at once: the kernel may join READY, FAILED and a request."""

    is_ready: bool
    has_failed: bool
    request: bytes  # empty: none
    descriptors: list[int]


def receive(connection: socket.socket) -> WorkerMessage | None:
    """Receive at the parent's end; None once the worker has closed its own."""
    try:
        message, descriptors, _, _ = socket.recv_fds(connection, MAX_MESSAGE, 2)
    except ConnectionError:
        return None
    if not message:
        return None
    request = message.lstrip(READY + FAILED)
    signals = message[: len(message) - len(request)]
    return WorkerMessage(READY in signals, FAILED in signals, request, descriptors)


def reply(pipe: int, result: bytes) -> None:
    """Reply to a worker, unless it died after its request."""
    with suppress(BrokenPipeError):
        os.write(pipe, result)
