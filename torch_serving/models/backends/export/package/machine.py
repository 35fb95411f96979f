"""What a package was compiled for, and what this machine is."""

import json
import platform
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from torch_serving.errors import InvalidServable

PLATFORM, MACHINE, DEVICE = "AOTI_PLATFORM", "AOTI_MACHINE", "AOTI_DEVICE_KEY"
INSTRUCTIONS, CAPABILITY = "AOTI_CPU_ISA", "AOTI_COMPUTE_CAPABILITY"
# Of the words in a package's metadata, and the features that its code then uses. A package may use
# more: trials tell.
FEATURES = {
    "AVX2": ("avx2", "fma3", "f16c"),
    "AVX512": ("avx512_f", "avx512_dq", "avx512_vl", "avx512_bw", "fma3"),
    "AVX512_VNNI": ("avx512_vnni",),
    "AMX_TILE": ("amx_tile", "amx_bf16", "amx_int8"),
}
MAX_SHOWN = 200  # characters: of each set of instructions, torch writes a word
COMPILE_HERE = "compile it on this machine with `torch-serving compile`, or on one like it"
COMPILE_FOR = (
    "compile it with `torch-serving compile --device {here}`, or serve it on {there}: "
    '`device = "{there}"` in its TOML file'
)


def read_metadata(data: bytes) -> dict[str, str]:
    """Read what a package says it is for. Raises InvalidServable."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidServable("the metadata of its package can't be read")
    return {str(key): shown(value) for key, value in found.items()}


def shown(value: Any) -> str:
    """A value as a line of a message can hold it."""
    text = str(value)[:MAX_SHOWN]
    return text if text.isprintable() else ascii(text)


def check_machine(metadata: Mapping[str, str], device: torch.device) -> None:
    """Raise InvalidServable for a package that this machine, or this device, can't run."""
    kind = metadata.get(DEVICE, device.type)
    if kind != device.type:
        advice = COMPILE_FOR.format(here=device.type, there=kind)
        raise InvalidServable(
            f"its package is compiled for the device {kind}, and is to run on {device.type}: "
            f"{advice}"
        )
    for wanted, here in differences(metadata, device):
        raise InvalidServable(
            f"its package is compiled for {wanted}, and this machine {here}: {COMPILE_HERE}"
        )


def differences(metadata: Mapping[str, str], device: torch.device) -> Iterator[tuple[str, str]]:
    """What a package is for, and what is here instead, in words; nothing where it may run."""
    wanted = metadata.get(PLATFORM, sys.platform), metadata.get(MACHINE, platform.machine())
    here = sys.platform, platform.machine()
    if wanted != here:
        yield " ".join(wanted), f"is {' '.join(here)}"
    if device.type == "cpu":
        words = metadata.get(INSTRUCTIONS, "").split()
        missing = [word for word in words if not has_instructions(word)]
        if missing:
            known = [word for word in FEATURES if has_instructions(word)]
            yield f"CPUs with {', '.join(words)}", f"has {', '.join(known) or 'none of them'}"
    capability = metadata.get(CAPABILITY, "")
    if device.type == "cuda" and capability not in ("", own_capability(device)):
        yield (
            f"cards of compute capability {capability}",
            f"has one of {own_capability(device)}",
        )


def has_instructions(word: str) -> bool:
    """Whether this CPU has the features behind a word; unknown words say nothing."""
    capabilities = torch.cpu.get_capabilities()
    return all(capabilities.get(feature, False) for feature in FEATURES.get(word, ()))


def own_capability(device: torch.device) -> str:
    """As the metadata writes it: 90 for 9.0."""
    major, minor = torch.cuda.get_device_capability(device)
    return f"{major}{minor}"


def compiled_for(metadata: Mapping[str, str]) -> str:
    """What a package runs on, for people."""
    kind = metadata.get(DEVICE, "cpu")
    words = metadata.get(INSTRUCTIONS, "") if kind == "cpu" else metadata.get(CAPABILITY, "")
    return f"{kind} {words}".strip()
