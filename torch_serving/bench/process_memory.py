"""The memory of a process and of all that it has started."""

from collections.abc import Iterator
from pathlib import Path


def tree_bytes(pid: int) -> int:
    """Return the proportional set size of a process and its descendants; 0 where it is not told."""
    return sum(map(pss_bytes, descendants(pid)))


def descendants(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from descendants(int(child))


def available_bytes() -> int:
    """What the machine could still give; a large number where it does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        lines = []
    found = (1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    return next(found, 1 << 62)


def pss_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
