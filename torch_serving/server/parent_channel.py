"""The connection between a worker and its parent: a pair of sockets, made before the fork.

A worker sends READY once, when it serves, and then requests for trials as JSON, each with two
descriptors: the model's file, and the pipe for the replies. A trial is a load, or the search for
examples of requests. It sends FAILED once shared memory says why it can't go on. A worker whose
parent has died sees the connection closed, and so does the parent of a worker that has died. To a
spare, the parent sends PROMOTE: it is to accept connections.
"""

import errno
import json
import os
import select
import socket
import time
from contextlib import suppress
from typing import Any, NamedTuple

from torch_serving.models.trials import EXAMPLES_LIMIT_S

READY = b"!"
FAILED = b"#"
PROMOTE = b">"
MAX_MESSAGE = 1 << 16
MAX_REPLY = 2 << 20  # twice the examples of one model

# Replies to a request for a trial, a byte each: the first, and then one of the others, or a line
# for each example. A process that crashes leaves out what was to follow; the parent says REFUSED to
# those who ask for the same file later.
ACCEPTED = b"."
LOADED = b"+"  # or refused with an error, which the worker will meet, too
REFUSED = b"-"  # the process that loaded it crashed
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
        replies = self._request(request, model)
        try:
            # no select: a busy worker has descriptors beyond 1024
            check_accepted(os.read(replies, 1))
            result = os.read(replies, 1)
        finally:
            os.close(replies)
        check_started(result)
        return result == LOADED

    def find_examples(self, request: Request, model: int) -> list[bytes]:
        """Let the parent look for examples of requests to the model of this descriptor.

        Return the lines of its process, which may have crashed. Safe to use from any thread. Raises
        OSError if no process could be started in time.
        """
        replies = self._request(request, model)
        try:
            reply = read_for(EXAMPLES_LIMIT_S + 1, replies)
        finally:
            os.close(replies)
        check_accepted(reply[:1])
        check_started(reply[1:2])
        return reply[1:].splitlines(keepends=True)

    def _request(self, request: Request, model: int) -> int:
        """Send a request; return the pipe for the replies."""
        replies, parents_end = os.pipe()
        try:
            descriptors = [model, parents_end]
            socket.send_fds(self._connection, [json.dumps(request).encode()], descriptors)
        except BaseException:
            os.close(replies)
            raise
        finally:
            os.close(parents_end)
        return replies


def read_for(duration_s: float, pipe: int) -> bytes:
    """Read to the end of a pipe, or MAX_REPLY bytes. Raises TimeoutError if that takes longer."""
    deadline_s = time.monotonic() + duration_s
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    received = bytearray()
    while len(received) < MAX_REPLY:
        if not poll.poll(max(0.0, 1000 * (deadline_s - time.monotonic()))):
            raise TimeoutError(errno.ETIMEDOUT, "the parent is busy")
        data = os.read(pipe, MAX_MESSAGE)
        if not data:
            break
        received += data
    return bytes(received)


def check_accepted(reply: bytes) -> None:
    if reply != ACCEPTED:  # the parent had no descriptors left for these
        raise OSError(errno.EAGAIN, "the parent could not take it")


def check_started(reply: bytes) -> None:
    if reply == NOT_STARTED:
        raise OSError(errno.EAGAIN, "no process could be started to try it in")


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


def reply(pipe: int, result: bytes) -> bool:
    """Reply to a worker; return whether it waits for that, or has died or given up."""
    try:
        os.write(pipe, result)
    except BrokenPipeError:
        return False
    return True
