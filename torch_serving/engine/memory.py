"""Memory of devices: what is done where it runs out, and what goes back to a device.

Torch keeps what tensors leave for the next ones, where no other process can have it. What is told
here by the text of an error is in no attribute of it.
"""

import re
import threading
import traceback
from collections.abc import Callable

import torch

from torch_serving.errors import OutOfMemory

FreeMemory = Callable[[torch.device, int | None], bool]

# Held where torch's allocator gives memory back; whoever captures a graph holds it as well, as a
# capture fails where another thread frees memory.
ALLOCATOR = threading.Lock()

UNITS = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
SIZE = r"(\d+(?:\.\d+)?) (bytes|KiB|MiB|GiB|TiB)"
TRIED = re.compile(f"Tried to allocate {SIZE}")
FREE = re.compile(f"of which {SIZE} is free")
ALLOWED = re.compile(f"{SIZE} allowed")
TAKEN = (
    re.compile(f"{SIZE} is allocated by PyTorch"),
    re.compile(f"{SIZE} is reserved by PyTorch but unallocated"),
)


def missing_bytes(text: str) -> int | None:
    """How much memory torch's error says was missing; None if it does not say."""
    tried, free, allowed = (size_in(text, each) for each in (TRIED, FREE, ALLOWED))
    if tried is None or free is None:
        return None
    if allowed is not None:
        free = min(free, allowed - sum(size_in(text, each) or 0 for each in TAKEN))
    return max(0, tried - free)


def size_in(text: str, pattern: re.Pattern[str]) -> int | None:
    match = pattern.search(text)
    return match and int(float(match[1]) * UNITS[match[2]])


def retry_with_more_memory(
    error: OutOfMemory,
    device: torch.device,
    retry: Callable[[], Exception | None],
    free_memory: FreeMemory,
) -> Exception | None:
    """Make room on a device and call `retry`, up to twice; return the error that is left.

    What torch keeps goes first: models are dropped only where that is too little. `retry` returns
    its error, `free_memory` whether it made room.
    """
    left: Exception | None = error
    if empty_cache(device, error):
        left = retry()
    if isinstance(left, OutOfMemory):
        forget_frames(left)
        if free_memory(device, left.missing_bytes):
            left = retry()
    return left


def empty_cache(device: torch.device | None = None, error: BaseException | None = None) -> bool:
    """Give back what torch keeps for later tensors on GPUs; return whether there may be any.

    With a device, only if it is a GPU. An error keeps the tensors of its frames alive: they go too.
    """
    opened = opened_card(device)
    if opened is None:
        return False
    if error is not None:
        forget_frames(error)
    with ALLOCATOR, torch.cuda.device(opened):  # else CUDA starts on the first card, too
        torch.cuda.empty_cache()
    return True


def opened_card(device: torch.device | None) -> int | None:
    """The index of a GPU that CUDA runs on in this process: of this device, or of any for None."""
    is_elsewhere = device is not None and device.type != "cuda"
    if is_elsewhere or not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return None
    # all that CUDA counts; NVML may count more
    cards = range(torch._C._cuda_getDeviceCount()) if device is None else [device.index]
    return next(filter(torch._C._cuda_hasPrimaryContext, cards), None)  # type: ignore[attr-defined]


def forget_frames(error: BaseException | None) -> None:
    """Drop the local variables of the functions that an error, and its causes, went through."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        traceback.clear_frames(error.__traceback__)
        seen.append(error)
        error = error.__cause__ or error.__context__


def limit_memory(device: torch.device, limit: float) -> None:
    """Let this process take so much of a GPU at most: a fraction, or bytes where it is above 1."""
    if limit > 1:
        limit = min(1.0, limit / torch.cuda.get_device_properties(device).total_memory)
    torch.cuda.set_per_process_memory_fraction(limit, device)


def free_bytes(device: torch.device) -> int:
    """How much this process may still take of a GPU, once torch keeps nothing for later."""
    with ALLOCATOR:
        free, total = torch.cuda.mem_get_info(device)
    allowed = int(torch.cuda.get_per_process_memory_fraction(device) * total)
    return min(free, allowed - torch.cuda.memory_reserved(device))
