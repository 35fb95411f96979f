"""What the devices hold, for all workers together."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch_serving.telemetry._counters import DeviceNumbers


def device_statuses(
    entries: Iterable[dict[str, Any]], numbers: Mapping[tuple[int, str], DeviceNumbers]
) -> list[dict[str, Any]]:
    """Each device that holds a model or that a worker uses or lacks, by name; and its memory.

    `entries` are the published entries of loaded models, `numbers` those of workers and devices.
    """
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        status_of(found, entry["device"])["weights_bytes"] += entry["bytes"]
    for (worker, device), each in sorted(numbers.items()):
        if each.up is False:
            status_of(found, device)["up"] = False
        if each.total:  # else the worker has ended, or has not looked yet
            status = status_of(found, device)
            status.update(total_bytes=each.total, free_bytes=each.free)
            memory = {"allocated_bytes": each.allocated, "reserved_bytes": each.reserved}
            status["workers"].append({"worker": worker, **memory})
    return [found[device] for device in sorted(found)]


def status_of(found: dict[str, dict[str, Any]], device: str) -> dict[str, Any]:
    """The status of a device, which is empty at first."""
    return found.setdefault(
        device,
        {
            "device": device,
            "up": True,
            "weights_bytes": 0,
            "total_bytes": None,
            "free_bytes": None,
            "workers": [],
        },
    )
