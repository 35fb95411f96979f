"""A server that leaks on purpose: what the soak must notice.

CHAOS_LEAK says what each request leaves behind, and how much: `memory=1024` bytes, or a file or a
thread for every so many requests, `files=1000`.
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
    find = Inference.loaded_method

    def loaded_method(self: Inference, *arguments: Any) -> Any:
        leak()
        return find(self, *arguments)

    Inference.loaded_method = loaded_method  # type: ignore[method-assign]
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
