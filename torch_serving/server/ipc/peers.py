"""Requests from one worker to all others, and their answers.

Each worker has a mailbox, a socket for datagrams that was made before all of them were forked, so
that the successor of a worker that died reads on where that one stopped.
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
Handle = Callable[[Message], Awaitable[Message]]

MAX_MESSAGE = 1 << 16
TIMEOUT_S = 120.0  # a large model takes a while to load
LOOK_S = 0.5  # how often to see whether the worker that was asked still lives

logger = logging.getLogger(__name__)


class Colleagues:
    """`ask` and `listen` are for the thread of one event loop.

    `pid_of` tells which process a worker is now.
    """

    def __init__(self, workers: int = 1, pid_of: Callable[[int], int] = lambda _: 0) -> None:
        several = range(workers if workers > 1 else 0)  # one has nobody to ask
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in several]
        for end in itertools.chain.from_iterable(pairs):
            end.setblocking(False)
        self._outboxes = [pair[0] for pair in pairs]
        self._inboxes = [pair[1] for pair in pairs]
        self._pid_of = pid_of
        self._own = 0
        self._numbers = itertools.count()
        self._waiting: dict[str, asyncio.Future[Message]] = {}
        self._handle: Handle = nothing
        self._tasks: set[asyncio.Task[None]] = set()

    def enter(self, worker: int) -> None:
        """Say which worker this process is."""
        self._own = worker

    def listen(self, handle: Handle) -> None:
        """Answer what others ask with what `handle` gives, from now on."""
        self._handle = handle
        if self._inboxes:
            asyncio.get_running_loop().add_reader(self._inboxes[self._own], self._receive)

    async def ask(self, question: Message) -> dict[int, Message]:
        """Ask all others; return their answers by worker, {} from one that died or is too slow."""
        everybody = range(len(self._outboxes))
        others = [each for each in everybody if each != self._own and self._pid_of(each)]
        answers = await asyncio.gather(*(self._ask_one(each, question) for each in others))
        return dict(zip(others, answers, strict=True))

    async def _ask_one(self, worker: int, question: Message) -> Message:
        number = f"{os.getpid()}-{next(self._numbers)}"
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._send(worker, {"from": self._own, "number": number, "question": question})
            pid, until_s = self._pid_of(worker), time.monotonic() + TIMEOUT_S
            while not future.done() and time.monotonic() < until_s and self._pid_of(worker) == pid:
                await asyncio.wait([future], timeout=LOOK_S)
            return future.result() if future.done() else {}
        except OSError:  # its mailbox is full
            return {}
        finally:
            del self._waiting[number]

    def _send(self, worker: int, message: Message) -> None:
        self._outboxes[worker].send(json.dumps(message).encode())

    def _receive(self) -> None:
        with suppress(BlockingIOError):
            while True:
                message = json.loads(self._inboxes[self._own].recv(MAX_MESSAGE))
                if "question" in message:
                    task = asyncio.get_running_loop().create_task(self._answer(message))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                elif not (future := self._waiting.get(message["number"])) or future.done():
                    logger.info("an answer came too late: %s", message)
                else:
                    future.set_result(message["answer"])

    async def _answer(self, message: Message) -> None:
        answer = await self._handle(message["question"])
        with suppress(OSError):  # its mailbox is full: it will have given up
            self._send(message["from"], {"number": message["number"], "answer": answer})


async def nothing(question: Message) -> Message:
    return {}
