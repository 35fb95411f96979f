"""NVML tells of cards without CUDA. Can torch's allocator ask it? Imports no torch.

For segments that grow, torch 2.9 and later ask NVML whether a card belongs to a fabric of several.
Without the library, the process dies of that; where it refuses to tell, no memory of the card can
be had. Containers that were given no utilities, and some small machines, are so.
"""

import ctypes

LIBRARY = "libnvidia-ml.so.1"
SUCCESS = 0
FABRIC_INFO_BYTES = 36  # nvmlGpuFabricInfo_v2_t
FABRIC_INFO_VERSION = 2 << 24 | FABRIC_INFO_BYTES


def tells_fabrics() -> bool:
    """Whether NVML is there, and tells of the fabric of each card if it knows the question."""
    try:
        nvml = ctypes.CDLL(LIBRARY)
        if nvml.nvmlInit_v2() != SUCCESS:
            return False
    except (OSError, AttributeError):
        return False
    try:
        return all_tell(nvml)
    finally:
        nvml.nvmlShutdown()


def all_tell(nvml: ctypes.CDLL) -> bool:
    """Whether NVML, which runs, tells of the fabric of each card."""
    ask = getattr(nvml, "nvmlDeviceGetGpuFabricInfoV", None)
    count, card = ctypes.c_uint(), ctypes.c_void_p()
    if nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) != SUCCESS:
        return False
    for index in range(count.value):
        if nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(card)) != SUCCESS:
            return False
        version = FABRIC_INFO_VERSION.to_bytes(4, "little")
        info = ctypes.create_string_buffer(version, FABRIC_INFO_BYTES)
        if ask is not None and ask(card, info) != SUCCESS:
            return False
    return True
