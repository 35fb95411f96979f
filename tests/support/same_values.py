"""Whether a value came back as it was sent."""

from typing import Any

import numpy as np


def same(given: Any, came: Any) -> None:
    """Compare values with their types; of arrays, every bit."""
    if isinstance(given, np.ndarray):
        assert isinstance(came, np.ndarray)
        native = np.asarray(given, given.dtype.newbyteorder("="))
        assert (came.dtype, came.shape) == (native.dtype, native.shape)
        assert came.tobytes() == native.tobytes()
    elif isinstance(given, list | tuple):
        assert len(given) == len(came)
        for one, other in zip(given, came, strict=True):
            same(one, other)
    elif isinstance(given, dict):
        assert list(given) == list(came)
        same(list(given.values()), list(came.values()))
    else:
        assert (type(given), given) == (type(came), came)
