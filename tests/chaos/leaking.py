"""A server that leaks on purpose, which the soak must notice.

CHAOS_LEAK is the leak: `memory=1024` keeps that many bytes per request, `files=1000` and
`threads=1000` keep one for every 1000 requests.
"""

import os
import sys
import threading
from itertools import count
from typing import Any

from torch_serving.cli import main as cli
from torch_serving.service.inference import Inference

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
    resolve = Inference.resolve

    def leaking_resolve(self: Inference, *arguments: Any) -> Any:
        leak()
        return resolve(self, *arguments)

    Inference.resolve = leaking_resolve  # type: ignore[method-assign]
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
