"""What a test sets and reads of the simulated card, for all its processes."""

import ctypes
import mmap
import os

MAX_DEVICES = 4
MAX_PROCESSES = 256


class Process(ctypes.Structure):
    _fields_ = [("pid", ctypes.c_int), ("bytes", ctypes.c_long * MAX_DEVICES)]


class State(ctypes.Structure):
    """The fields of `Shared` in runtime/card.h."""

    _fields_ = [
        ("stranger_bytes", ctypes.c_long),
        ("fault", ctypes.c_int),
        ("faulty_card", ctypes.c_int),
        ("is_busy", ctypes.c_int),
        ("copy_us", ctypes.c_long),
        ("run_us", ctypes.c_long),
        ("operators", ctypes.c_long),
        ("copies", ctypes.c_long),
        ("replays", ctypes.c_long),
        ("device_blocks", ctypes.c_long),
        ("host_blocks", ctypes.c_long),
        ("processes", Process * MAX_PROCESSES),
    ]


def is_simulated() -> bool:
    return "SIMULATED_CARD" in os.environ


def open_state() -> State:
    """Return the state of the card of this process, and of those that it starts."""
    descriptor = os.open(os.environ["SIMULATED_CARD"], os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if os.fstat(descriptor).st_size < ctypes.sizeof(State):
            os.ftruncate(descriptor, ctypes.sizeof(State))
        return State.from_buffer(mmap.mmap(descriptor, ctypes.sizeof(State)))
    finally:
        os.close(descriptor)
