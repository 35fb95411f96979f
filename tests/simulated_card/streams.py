"""Python functions as work of the card: called in the thread of a stream, when their turn comes."""

import atexit
import ctypes
import itertools
import sys
from collections.abc import Callable
from contextlib import suppress

import torch

ASSERT, LAUNCH_FAILURE = 710, 719  # errors of CUDA
ERRORS = {
    2: "out of memory",
    214: "uncorrectable ECC error encountered",
    400: "invalid resource handle",
    ASSERT: "device-side assert triggered",
    LAUNCH_FAILURE: "unspecified launch failure",
    901: "operation failed due to a previous error during capture",
}
# what CPUs say where a kernel asserts
ASSERTED = ("index", "out of range", "out of bounds", "_assert_async")

RUN = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
DROP = ctypes.CFUNCTYPE(None, ctypes.c_void_p)

RUNTIME = ctypes.CDLL("libcudart.so.13")
RUNTIME.simulated_card_has.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
RUNTIME.simulated_card_launch.argtypes = [ctypes.c_void_p, RUN, ctypes.c_void_p, DROP]

_numbers = itertools.count(1)
_work: dict[int, tuple[Callable[[], object], str]] = {}  # a graph runs its work again and again


@RUN
def run(number: int) -> int:
    function, name = _work[number]
    try:
        with torch.no_grad():
            function()
    except (IndexError, RuntimeError) as error:
        if isinstance(error, IndexError) or any(words in str(error) for words in ASSERTED):
            return ASSERT
        print(f"the simulated card: {name}: {error}", file=sys.stderr, flush=True)
        return LAUNCH_FAILURE
    return 0


@DROP
def drop(number: int) -> None:
    _work.pop(number, None)


def launch(function: Callable[[], object], name: str) -> None:
    """Have a function called in this thread's current stream. Raises as torch does."""
    number = next(_numbers)
    _work[number] = (function, name)
    stream = torch.cuda.current_stream().cuda_stream
    error = RUNTIME.simulated_card_launch(stream, run, number, drop)
    if error:
        raise torch.AcceleratorError(f"CUDA error: {ERRORS.get(error, error)}")


@atexit.register
def finish() -> None:
    """No stream may call Python once it has ended."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        with suppress(RuntimeError):
            torch.cuda.synchronize()


class Place:
    """Where a tensor's numbers are on the card. It keeps nothing alive."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self._shape, self._strides, self._dtype = tensor.shape, tensor.stride(), tensor.dtype
        self._is_conj, self._is_neg = tensor.is_conj(), tensor.is_neg()
        self._address = tensor.data_ptr()
        steps = zip(self._shape, self._strides, strict=True)
        elements = 1 + sum((size - 1) * stride for size, stride in steps) if tensor.numel() else 0
        self._bytes = elements * tensor.element_size()

    def tensor(self) -> torch.Tensor:
        """Return a tensor of the CPU that shares this memory."""
        if not self._bytes:
            return torch.empty_strided(self._shape, self._strides, dtype=self._dtype)
        if not RUNTIME.simulated_card_has(self._address, self._bytes):
            raise RuntimeError("an operator's memory is not the card's any more")
        memory = (ctypes.c_char * self._bytes).from_address(self._address)
        numbers = torch.frombuffer(memory, dtype=torch.uint8).view(self._dtype)
        found = numbers.as_strided(self._shape, self._strides)
        found = torch._neg_view(found) if self._is_neg else found
        return torch._conj(found) if self._is_conj else found
