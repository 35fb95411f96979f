"""How many cores a process may use: where it may run, and what its control group allows."""

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

GROUPS = Path("/proc/self/cgroup")
MOUNT = Path("/sys/fs/cgroup")


def cores() -> int:
    """A quota of CPU time counts as cores, a part of one as a whole."""
    scheduled = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quotas = [math.ceil(quota) for quota in cpu_quotas() if quota < math.inf]
    return max(1, min([scheduled or 1, *quotas]))


def cpu_quotas() -> Iterator[float]:
    """The limits of this process's control groups and of all above them, in cores."""
    for line in text_of(GROUPS).splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if number == "0":
            yield from (quota_of(text_of(each / "cpu.max")) for each in folders(MOUNT, group))
        elif "cpu" in controllers.split(","):
            for name in {controllers, "cpu"}:
                yield from map(quota_v1, folders(MOUNT / name, group))


def folders(mount: Path, group: str) -> list[Path]:
    """Of a group and of those above it; in a container, its own is the mount itself."""
    path = PurePosixPath(group.lstrip("/"))
    return [mount / each for each in (path, *path.parents)]


def quota_v1(folder: Path) -> float:
    names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
    return quota_of(" ".join(text_of(folder / name).strip() for name in names))


def quota_of(text: str) -> float:
    """Quota and period as cores; infinite where there is no limit."""
    try:
        quota, period = map(int, text.split())
    except ValueError:  # "max", or no such file
        return math.inf
    return quota / period if quota > 0 and period > 0 else math.inf


def text_of(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
