"""Names of devices -> devices that this machine has."""

import functools

import torch

from torch_serving.errors import InvalidDevice


@functools.lru_cache(maxsize=64)
def device_of(name: str) -> torch.device:
    """Parse the name of a device, as in `cpu`, `cuda` or `cuda:1`, and see that it is there.

    Raises InvalidDevice for a name that torch does not know and for a device that is not there.
    """
    try:
        asked = torch.device(name)
        device = torch.empty(0, device=asked).device
    except Exception:
        raise not_here(name) from None
    if device.type == "meta" or (device.type == "cpu" and asked.index):
        raise not_here(name)
    return device


def asked_device(name: str | None) -> torch.device | None:
    """The device that a request or a model's settings name; None if they don't.

    Raises InvalidDevice.
    """
    return None if name is None else device_of(name)


class Devices:
    """The devices that models run on unless they or a request say otherwise.

    Of several, as in `cuda:0,cuda:1`, the one with the fewest requests is next. For one thread.
    """

    def __init__(self, names: str) -> None:
        self._devices = [device_of(name.strip()) for name in names.split(",")]
        self._running = dict.fromkeys(self._devices, 0)

    @property
    def are_several(self) -> bool:
        """Whether it matters how many requests each has."""
        return len(self._devices) > 1

    def choose(self) -> torch.device:
        if len(self._devices) == 1:
            return self._devices[0]
        return min(self._devices, key=self._running.__getitem__)

    def begin(self, device: torch.device) -> None:
        """Count a request to a device, until `end`."""
        self._running[device] = self._running.get(device, 0) + 1

    def end(self, device: torch.device) -> None:
        self._running[device] -= 1


def available_devices() -> list[str]:
    names = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    return [*names, "mps"] if torch.backends.mps.is_available() else names


def not_here(name: str) -> InvalidDevice:
    shown = name if len(name) <= 40 else f"{name[:40]}…"
    return InvalidDevice(
        f"`{shown}` is not a device of this machine; it has {', '.join(available_devices())}"
    )
