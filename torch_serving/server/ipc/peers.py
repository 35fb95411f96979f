"""Requests from one worker to all others, and their replies.

Each worker has a mailbox: a pair of datagram sockets that is made before the workers are forked. So
the successor of a worker that died reads on where that one stopped.
"""

import asyncio
import itertools
import json
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

Message = dict[str, Any]
Handler = Callable[[Message], Awaitable[Message]]

MAX_MESSAGE = 1 << 16
TIMEOUT_S = 120.0  # a large model takes a while to load
LIVENESS_CHECK_S = 0.5  # how often to look whether a worker that owes a reply still lives

logger = logging.getLogger(__name__)


class Peers:
    """The other workers. `broadcast` and `listen` are for the thread of one event loop.

    `pid_of` returns the process of a worker, 0 where there is none.
    """

    def __init__(self, workers: int = 1, pid_of: Callable[[int], int] = lambda _: 0) -> None:
        several = range(workers if workers > 1 else 0)  # a single worker has no peers
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in several]
        for end in itertools.chain.from_iterable(pairs):
            end.setblocking(False)
        self._outboxes = [pair[0] for pair in pairs]
        self._inboxes = [pair[1] for pair in pairs]
        self._pid_of = pid_of
        self._own = 0
        self._numbers = itertools.count()
        self._pending: dict[str, asyncio.Future[Message]] = {}
        self._handler: Handler = ignore
        self._tasks: set[asyncio.Task[None]] = set()

    def attach(self, worker: int) -> None:
        """Read the mailbox of this worker."""
        self._own = worker

    def listen(self, handler: Handler) -> None:
        """Reply to requests of other workers with what `handler` returns, from now on."""
        self._handler = handler
        if self._inboxes:
            asyncio.get_running_loop().add_reader(self._inboxes[self._own], self._receive)

    async def broadcast(self, request: Message) -> dict[int, Message]:
        """Send a request to all other workers; return their replies by worker.

        The reply of a worker that died or is too slow is {}.
        """
        everybody = range(len(self._outboxes))
        others = [each for each in everybody if each != self._own and self._pid_of(each)]
        replies = await asyncio.gather(*(self._request(each, request) for each in others))
        return dict(zip(others, replies, strict=True))

    async def _request(self, worker: int, request: Message) -> Message:
        number = f"{os.getpid()}-{next(self._numbers)}"
        future = self._pending[number] = asyncio.get_running_loop().create_future()
        try:
            self._send(worker, {"from": self._own, "number": number, "request": request})
            pid, until_s = self._pid_of(worker), time.monotonic() + TIMEOUT_S
            while not future.done() and time.monotonic() < until_s and self._pid_of(worker) == pid:
                await asyncio.wait([future], timeout=LIVENESS_CHECK_S)
            return future.result() if future.done() else {}
        except OSError:  # the mailbox of the worker is full
            return {}
        finally:
            del self._pending[number]

    def _send(self, worker: int, message: Message) -> None:
        self._outboxes[worker].send(json.dumps(message).encode())

    def _receive(self) -> None:
        with suppress(BlockingIOError):
            while True:
                message = json.loads(self._inboxes[self._own].recv(MAX_MESSAGE))
                if "request" in message:
                    task = asyncio.get_running_loop().create_task(self._reply(message))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                elif not (future := self._pending.get(message["number"])) or future.done():
                    logger.info("a reply came too late: %s", message)
                else:
                    future.set_result(message["reply"])

    async def _reply(self, message: Message) -> None:
        reply = await self._handler(message["request"])
        with suppress(OSError):  # the mailbox is full: that worker waits no more
            self._send(message["from"], {"number": message["number"], "reply": reply})


async def ignore(request: Message) -> Message:
    return {}
