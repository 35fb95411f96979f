"""Questions about files, each in a thread of its own: a disk may never answer.

A call to a dead network disk can't be interrupted. asyncio's default threads are few, others need
them, and a process waits for them when it ends.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from torch_serving.errors import Overloaded

T = TypeVar("T")

MAX_THREADS = 16
LIMIT_S = 10.0
STALLED = "a disk with models does not answer"

_running: dict[Any, Future[Any]] = {}


async def in_file_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Return `function(*arguments)`, called once the equal calls before it have ended.

    Equal calls hold one thread, however many there are. Raises what the function raises, and
    Overloaded if it does not end within LIMIT_S.
    """
    try:
        return await asyncio.wait_for(_call(function, arguments), LIMIT_S)
    except asyncio.TimeoutError:
        raise Overloaded(STALLED) from None


async def _call(function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
    call = (function, arguments)
    while blockers := _blockers(call):
        ends = [asyncio.wrap_future(each) for each in blockers]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    _running[call] = future = Future[T]()
    future.set_running_or_notify_cancel()  # who waits no more does not cancel it
    threading.Thread(target=_run, args=(call, future), name="files", daemon=True).start()
    return await asyncio.wrap_future(future)


def _blockers(call: Any) -> list[Future[Any]]:
    """The equal call that runs, or all calls if there are too many."""
    equal = _running.get(call)
    if equal:
        return [equal]
    return list(_running.values()) if len(_running) >= MAX_THREADS else []


def _run(call: tuple[Callable[..., T], tuple[Any, ...]], future: "Future[T]") -> None:
    function, arguments = call
    try:
        result = function(*arguments)
    except BaseException as error:
        del _running[call]
        future.set_exception(error)
    else:
        del _running[call]
        future.set_result(result)
