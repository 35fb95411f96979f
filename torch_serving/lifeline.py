"""The lifeline of a server that a program starts: the server ends when the program does."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def lifeline(arguments: Sequence[str]) -> Iterator[tuple[list[str], tuple[int, ...]]]:
    """Hold a pipe open; yield the flags that name its other end, and what the server inherits.

    `arguments` are those of the server; meinheld has no parent that could watch a pipe.
    """
    if "meinheld" in arguments:
        yield [], ()
        return
    end, own = os.pipe()
    try:
        yield ["--lifeline-fd", str(end)], (end,)
    finally:
        os.close(end)
        os.close(own)
