"""How long decoding may take in a thread: on the event loop, no time to speak of."""

import threading

# What the values of lists and dictionaries of one request may take, and how much more for each byte
# of its body: a number of a list takes dozens of bytes, a tensor of one number 600.
VALUES_BYTES = 64 << 20
VALUES_PER_BODY = 2


class TakesLong(Exception):
    """What is to be decoded would hold up the event loop; a thread may decode it."""


class Decoding(threading.local):
    """How the current thread may decode."""

    must_be_short = False  # on the event loop


DECODING = Decoding()
