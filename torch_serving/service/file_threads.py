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

_running: dict[Any, Future[None]] = {}  # the ends of calls, which never raise


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
    result, _running[call] = Future[T](), Future[None]()
    for each in (result, _running[call]):
        each.set_running_or_notify_cancel()  # who waits no more does not cancel it
    threading.Thread(target=_run, args=(call, result), name="files", daemon=True).start()
    return await asyncio.wrap_future(result)


def _blockers(call: Any) -> list[Future[None]]:
    """The end of the equal call that runs, or of all calls if there are too many."""
    equal = _running.get(call)
    if equal:
        return [equal]
    return list(_running.values()) if len(_running) >= MAX_THREADS else []


def _run(call: tuple[Callable[..., T], tuple[Any, ...]], result: "Future[T]") -> None:
    function, arguments = call
    try:
        value = function(*arguments)
    except BaseException as error:
        _end(call)
        result.set_exception(error)
    else:
        _end(call)
        result.set_result(value)


def _end(call: Any) -> None:
    _running.pop(call).set_result(None)
