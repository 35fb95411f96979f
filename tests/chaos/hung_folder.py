"""A server whose disk with the folder `hung` no longer answers, once `$STALLED` exists."""

import functools
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from torch_serving.cli import main as cli

CALLS = ("stat", "lstat", "open", "scandir", "listdir", "readlink")
NEVER = threading.Event()


def hanging(call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def wrapper(path: Any = ".", *arguments: Any, **named: Any) -> Any:
        if is_hung(path):
            NEVER.wait()
        return call(path, *arguments, **named)

    return wrapper


def is_hung(path: Any) -> bool:
    if isinstance(path, int) or "hung" not in os.fsdecode(path).split("/"):
        return False
    return os.access(os.environ["STALLED"], os.F_OK)


if __name__ == "__main__":
    for name in CALLS:
        setattr(os, name, hanging(getattr(os, name)))
    sys.exit(cli.main())
