"""A server that leaks on purpose: what the soak must notice.

CHAOS_LEAK says what each request leaves behind, and how much: `memory=1024` bytes, or a file or a
thread for every so many requests, `files=1000`.
"""

import os
import sys
import threading
from itertools import count
from typing import Any

from torch_serving import cli
from torch_serving.resources.serve import Serve

KIND, _, AMOUNT = os.environ["CHAOS_LEAK"].partition("=")
LEFT: list[Any] = []
REQUESTS = count(1)


def leak() -> None:
    if KIND == "memory":
        LEFT.append(bytearray(int(AMOUNT)))
    elif next(REQUESTS) % int(AMOUNT) == 0:
        if KIND == "files":
            LEFT.append(os.open("/dev/null", os.O_RDONLY))
        else:
            threading.Thread(target=threading.Event().wait, daemon=True).start()


def main() -> int | None:
    serve = Serve.on_post

    async def on_post(self: Serve, *arguments: Any) -> None:
        leak()
        await serve(self, *arguments)

    Serve.on_post = on_post  # type: ignore[method-assign]
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
