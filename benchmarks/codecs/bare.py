"""The bare C++ simdjson loop (bare_simdjson.cpp), compiled here and called without a copy."""

import ctypes
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import simdjson
from numpy.typing import NDArray

SOURCE = Path(__file__).with_name("bare_simdjson.cpp")
SIMDJSON = Path(simdjson.__file__).parent
PADDING = 64


class BareLoop:
    """Only reads the numbers of one body into an array."""

    def __init__(self, body: bytes, count: int) -> None:
        self._length = len(body)
        self._text = body + bytes(PADDING)
        self.numbers: NDArray[np.float32] = np.empty(count, np.float32)
        self._read = build().read_floats
        self._read.restype = ctypes.c_size_t
        self._read.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p)

    def __call__(self) -> int:
        count: int = self._read(self._text, self._length, self.numbers.ctypes.data)
        return count


def build() -> ctypes.CDLL:
    library = Path(tempfile.mkdtemp()) / "bare.so"
    command = ["c++", "-std=c++17", "-O3", "-DNDEBUG", "-shared", "-fPIC", f"-I{SIMDJSON}"]
    subprocess.run(
        [*command, str(SOURCE), str(SIMDJSON / "simdjson.cpp"), "-o", str(library)], check=True
    )
    return ctypes.CDLL(str(library))
