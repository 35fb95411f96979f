"""How long decoding may take in a thread: on the event loop, no time to speak of."""

import threading


class TakesLong(Exception):
    """What is to be decoded would hold up the event loop; a thread may decode it."""


class Decoding(threading.local):
    """How the current thread may decode."""

    must_be_short = False  # on the event loop


DECODING = Decoding()
