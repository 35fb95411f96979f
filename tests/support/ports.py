"""Ports for programs that can't say which one they found."""

import random
import socket

FIRST, LAST = 10_000, 32_000  # below those that Linux gives to clients, which come and go


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    while True:
        port = random.randint(FIRST, LAST)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
