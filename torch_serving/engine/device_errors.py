"""Errors of torch that concern a device, whatever step of a request raised them."""

import re

import torch

from torch_serving.engine.memory import missing_bytes
from torch_serving.errors import DeviceFailed, OutOfMemory, ServingError

# Errors that refuse one call, and leave the device as it was.
REFUSED = (
    "invalid configuration argument",
    "too many resources requested for launch",
    "no kernel image is available",
    "invalid device function",
    "invalid device ordinal",
    "no CUDA-capable device",
    "CUDA driver version is insufficient",
    "CUBLAS_STATUS_INVALID_VALUE",
    "CUBLAS_STATUS_NOT_SUPPORTED",
    "CUBLAS_STATUS_ARCH_MISMATCH",
)
# Every call after others fails too, until the process ends. The driver's are those of segments that
# grow.
BROKEN_DEVICE = re.compile(rf"CUDA (?:driver )?error: (?!{'|'.join(REFUSED)})")
NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "std::bad_alloc",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
# an address of the web stays, an absolute path loses its directories
DIRECTORIES = re.compile(
    r"(?P<address>\b(?!file:)[a-zA-Z][\w+.-]*://[^\s/\"'][^\s\"']*)|(?<![\w.])/(?:[^\s\"'/:]+/)+"
)
INTERPRETER = "The following operation failed in the TorchScript interpreter."
FRAME_END = re.compile(r"^(The following|Traceback of TorchScript,| *~+ <--- HERE$)", re.MULTILINE)
MESSAGE = re.compile(r"^[A-Za-z_][\w.]*: ", re.MULTILINE)
MAX_EXPLANATION = 4000  # characters


def device_error(error: Exception, user: str = "the request") -> ServingError | None:
    """OutOfMemory or DeviceFailed; None for an error that has nothing to do with a device.

    A GPU works asynchronously: what fails there is raised by any later call.
    """
    if isinstance(error, torch.jit.Error):  # a model's own code raised it, with any words
        return None
    if is_out_of_memory(error):
        detail = f"{user} needs more memory than the device has left"
        return OutOfMemory(detail, missing_bytes(str(error)))
    if is_broken(own_text(trace_of(error))):
        return DeviceFailed("the device is in error; this server process starts again")
    return None


def is_broken(text: str) -> bool:
    return BROKEN_DEVICE.search(text) is not None


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory was short. Torch has a class of errors for that only on GPUs."""
    kinds = (torch.cuda.OutOfMemoryError, MemoryError)
    if isinstance(error, kinds):
        return True
    text = own_text(trace_of(error))  # the code of a model may speak of memory, too
    return any(words in text for words in NO_MEMORY)


def explain(error: BaseException) -> str:
    """The text of a foreign error, without directories of this machine, and without any frames."""
    text = own_text(trace_of(error))
    text = DIRECTORIES.sub(lambda found: found["address"] or "", text)
    return text[:MAX_EXPLANATION] or type(error).__name__


def trace_of(error: BaseException) -> str:
    """The text of a foreign error without C++ frames, for the log."""
    return str(error).partition("\nException raised from")[0].strip()


def own_text(text: str) -> str:
    """What the model or its operator said, without the code that TorchScript shows before it."""
    if not text.startswith(INTERPRETER):
        return text
    ends = [frame.end() for frame in FRAME_END.finditer(text)]
    message = MESSAGE.search(text, ends[-1])
    return text[message.start() :] if message else text.rpartition("\n")[2]
