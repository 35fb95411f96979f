"""A stream of a card that does nothing until a test lets it: what waits for it is seen at once."""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from tests.support.client import LIMIT_S

HostFunction = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Gate:
    """`open` lets the stream go on; `was_forced`: nobody did in time."""

    def __init__(self) -> None:
        self._is_open = threading.Event()
        self.was_forced = False

    def open(self) -> None:
        self._is_open.set()

    def wait(self, _: object) -> None:
        self.was_forced = not self._is_open.wait(LIMIT_S)


@contextmanager
def held(stream: torch.cuda.Stream) -> Iterator[Gate]:
    """Hold what is put into a stream from now on.

    Fails if the host waited for it. Memory for what happens meanwhile is to be there before: a card
    may wait for all its streams where it gives out more.
    """
    gate = Gate()
    function = HostFunction(gate.wait)  # lives until the stream has gone on
    major = str(torch.version.cuda).partition(".")[0]
    launch = ctypes.CDLL(f"libcudart.so.{major}").cudaLaunchHostFunc
    assert launch(ctypes.c_void_p(stream.cuda_stream), function, None) == 0
    try:
        yield gate
    finally:
        gate.open()
        stream.synchronize()
    assert not gate.was_forced, "the host waited for the stream"
