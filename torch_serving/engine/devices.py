"""Names of devices -> devices that this machine has.

A name is checked by counting: that puts nothing on a graphics card. `open_device` does.
"""

import functools
import logging
import re
from collections.abc import Callable, Iterable

import torch

from torch_serving.engine.device_errors import explain, is_out_of_memory
from torch_serving.errors import (
    DeviceFailed,
    InvalidDevice,
    OutOfMemory,
    Overloaded,
    ServingError,
)

logger = logging.getLogger(__name__)

AUTO = "auto"
CPU = "cpu"
IN_USE = "busy or unavailable"  # cudaErrorDevicesUnavailable
ABSENT = "invalid device ordinal"  # NVML counts parts of cards that a process can't use, too
NUMBERED = re.compile(r"\bError \d+: [^\n]+")  # after advice that fits few of those errors
CODE = re.compile(r"(?:sm|compute)_(\d+)[a-z]*")  # what a build of torch has code for
SENTENCE_END = re.compile(r"\.(?:\s+[A-Z]|$)|\n")


def count_cards() -> int:
    """How many CUDA cards there are, without initialising CUDA where NVML can tell."""
    return torch.cuda.device_count()


def all_cards() -> Iterable[int]:
    return range(count_cards())


def resolve_auto(names: str, cards: Callable[[], Iterable[int]] = all_cards) -> str:
    """Put these CUDA cards in the place of `auto`, or the CPU where there are none."""
    if names.strip() != AUTO:
        return names
    return ",".join(f"cuda:{index}" for index in cards()) or CPU


def is_cpu(names: str) -> bool:
    """Whether names of devices, with commas, all mean the CPU; raises as `parse` does."""
    return {parse(name.strip()).type for name in names.split(",")} == {CPU}


def parse(name: str) -> torch.device:
    """Parse the name of a device, without a look at it.

    Raises InvalidDevice for a name that torch does not know.
    """
    try:
        return torch.device(name)
    except RuntimeError:
        raise not_here(name) from None


def with_index(device: torch.device) -> torch.device:
    """The device that a name means: `cuda` is the first card."""
    return torch.device(device.type, device.index or 0) if device.type == "cuda" else device


@functools.lru_cache(maxsize=64)
def device_of(name: str) -> torch.device:
    """Parse the name of a device, as in `cpu`, `cuda` or `cuda:1`, and check that it exists.

    Raises InvalidDevice for a name that torch does not know and for a device that does not exist.
    """
    asked = parse(name)
    index = asked.index or 0
    if asked.type == "cuda" and index < count_cards():
        return with_index(asked)
    if asked.type == CPU and not index:
        return torch.device(CPU)
    if asked.type in ("cuda", CPU, "meta"):
        raise not_here(name)
    try:
        return torch.empty(0, device=asked).device
    except Exception:
        raise not_here(name) from None


def open_device(device: torch.device) -> None:
    """Make a device ready for this process.

    A card has no room or no time for it: OutOfMemory or Overloaded. A card is in error:
    DeviceFailed. CUDA does not start, which a new process would not change: InvalidDevice.
    """
    if device.type == CPU:
        return
    try:
        torch.empty(1, device=device)
    except Exception as error:
        if is_out_of_memory(error):
            raise OutOfMemory(f"`{device}` is full: other processes hold its memory") from error
        if IN_USE in str(error):
            raise Overloaded(f"`{device}` is in use by another process, and not shared") from error
        is_initialized = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
        if device.type == "cuda" and (ABSENT in str(error) or not is_initialized):
            raise unusable(str(device), first_sentence(error)) from error
        problem = f"`{device}` is in error ({first_sentence(error)})"
        raise DeviceFailed(problem, lost=False) from error
    if device.type == "cuda" and (why := why_too_old(device)):
        raise unusable(str(device), why)


def why_too_old(device: torch.device) -> str:
    """Why this torch has no code for a card, if surely it has none. CUDA has started."""
    found = [CODE.fullmatch(each) for each in torch.cuda.get_arch_list()]
    least = min((int(each[1]) for each in found if each), default=0)
    if not least:
        return ""
    major, minor = torch.cuda.get_device_capability(device)
    if 10 * major + minor >= least:
        return ""
    return (
        f"it has compute capability {major}.{minor}, and torch {torch.__version__} is built for "
        f"{least // 10}.{least % 10} and above"
    )


@functools.cache
def why_no_cards() -> str:
    """Why torch finds no card, in its words; call only where it finds none: CUDA starts else."""
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except Exception as error:
        return first_sentence(error)
    return ""


def first_sentence(error: Exception) -> str:
    """What a foreign error says, without its advice."""
    text = explain(error)
    if numbered := NUMBERED.search(text):
        return numbered[0]
    end = SENTENCE_END.search(text)
    return text[: end.start()] if end else text


class DevicePool:
    """The devices that models run on unless they or a request say otherwise.

    Of several, as in `cuda:0,cuda:1`, `choose` returns the one with the fewest requests. For one
    thread. No device is looked at before the first call.
    """

    def __init__(self, names: str) -> None:
        self._names = [name.strip() for name in names.split(",")]
        self._running: dict[torch.device, int] = {}
        self.left_out: dict[torch.device, str] = {}  # by `open`, and what is said of them
        self.count = len(self._names)
        self.are_several = self.count > 1  # then the requests of each must be counted

    @functools.cached_property
    def devices(self) -> list[torch.device]:
        """All of them. Raises InvalidDevice for one that does not exist."""
        return [device_of(name) for name in self._names]

    def open(self, use: Callable[[torch.device], object], may_lack_some: bool = False) -> None:
        """Call `use` with each device. Raises what that does, and InvalidDevice.

        With `may_lack_some`, devices that are absent or in error are left out, even if all are.
        """
        found = [self._opened(name, use, may_lack_some) for name in self._names]
        self.devices = [each for each in found if each is not None]

    def _opened(
        self, name: str, use: Callable[[torch.device], object], may_lack: bool
    ) -> torch.device | None:
        try:
            device = device_of(name)
            use(device)
        except (DeviceFailed, InvalidDevice) as error:
            if not may_lack:
                raise
            logger.error("%s; this worker goes on without it, and it is tried again", error.detail)
            self.left_out[with_index(parse(name))] = why_left_out(name, error.detail)
            return None
        return device

    def choose(self) -> torch.device:
        """Return the next device.

        Raises InvalidDevice for one that does not exist, and DeviceFailed if all are left out.
        """
        devices = self.devices
        if len(devices) == 1:
            return devices[0]
        if not devices:
            self.check_some_serve()
        return min(devices, key=self._requests)

    def check_some_serve(self) -> None:
        """Raise DeviceFailed if all devices are left out."""
        if self.left_out and not self.devices:
            raise DeviceFailed(next(iter(self.left_out.values())), lost=False)

    def check(self, name: str) -> None:
        """Raise DeviceFailed for a device that is left out, and InvalidDevice as `parse` does."""
        if why := self.left_out.get(with_index(parse(name))):
            raise DeviceFailed(why, lost=False)

    def _requests(self, device: torch.device) -> int:
        return self._running.get(device, 0)

    def acquire(self, device: torch.device) -> None:
        """Count a request to a device, until `release`."""
        self._running[device] = self._running.get(device, 0) + 1

    def release(self, device: torch.device) -> None:
        self._running[device] -= 1


def why_left_out(name: str, reason: str) -> str:
    """What a client is told of a device that this process goes on without."""
    return (
        f"`{name}` can't be used now: {reason}. The server tries it again by itself; "
        "ask later, or for another device, as with device=cpu"
    )


def can_open(name: str) -> bool:
    """Whether a device can be opened in this process."""
    try:
        open_device(device_of(name))
    except ServingError:
        return False
    return True


def available_devices() -> list[str]:
    names = [CPU, *(f"cuda:{index}" for index in range(count_cards()))]
    return [*names, "mps"] if torch.backends.mps.is_available() else names


def not_here(name: str) -> InvalidDevice:
    shown = name if len(name) <= 40 else f"{name[:40]}…"
    here = available_devices()
    has_cards = any(each.startswith("cuda") for each in here)
    why = why_no_cards() if name.startswith("cuda") and not has_cards else ""
    return InvalidDevice(
        f"`{shown}` is not a device of this machine; it has {', '.join(here)}{why and f' ({why})'}"
    )


def unusable(name: str, why: str) -> InvalidDevice:
    return InvalidDevice(f"`{name}` can't be used: {why}")
