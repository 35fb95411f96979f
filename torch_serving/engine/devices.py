"""Names of devices -> devices that this machine has."""

import functools

import torch

from torch_serving.errors import InvalidDevice


@functools.lru_cache(maxsize=64)
def device_of(name: str) -> torch.device:
    """Parse the name of a device, as in `cpu`, `cuda` or `cuda:1`, and check that it is there.

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


class DevicePool:
    """The devices that models run on unless they or a request say otherwise.

    Of several, as in `cuda:0,cuda:1`, `choose` returns the one with the fewest requests. For one
    thread. No device is touched before the first call, since CUDA does not survive a fork.
    """

    def __init__(self, names: str) -> None:
        self._names = [name.strip() for name in names.split(",")]
        self._running: dict[torch.device, int] = {}
        self.are_several = len(self._names) > 1  # then the requests of each must be counted

    @functools.cached_property
    def _devices(self) -> list[torch.device]:
        return [device_of(name) for name in self._names]

    def choose(self) -> torch.device:
        """Return the next device. Raises InvalidDevice for one that is not there."""
        devices = self._devices
        return devices[0] if len(devices) == 1 else min(devices, key=self._requests)

    def _requests(self, device: torch.device) -> int:
        return self._running.get(device, 0)

    def acquire(self, device: torch.device) -> None:
        """Count a request to a device, until `release`."""
        self._running[device] = self._running.get(device, 0) + 1

    def release(self, device: torch.device) -> None:
        self._running[device] -= 1


def available_devices() -> list[str]:
    names = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    return [*names, "mps"] if torch.backends.mps.is_available() else names


def not_here(name: str) -> InvalidDevice:
    shown = name if len(name) <= 40 else f"{name[:40]}…"
    return InvalidDevice(
        f"`{shown}` is not a device of this machine; it has {', '.join(available_devices())}"
    )
