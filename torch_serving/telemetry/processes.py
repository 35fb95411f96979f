"""What /proc tells of a process: memory, time of the CPU, open files. Linux only."""

import functools
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
USER_TICKS, SYSTEM_TICKS, START_TICKS, PAGES = 11, 12, 19, 21  # fields after the command's name
BOOT = re.compile(r"^btime (\d+)", re.MULTILINE)
OPEN_FILES = re.compile(r"^Max open files +(\d+)", re.MULTILINE)


def process_figures(pid: int) -> dict[str, float]:
    """The figures of a process under the names that Prometheus's clients give them.

    There are none if the process is gone, or there is no /proc.
    """
    with suppress(OSError, IndexError, ValueError):
        return dict(figures_of(Path(f"/proc/{pid}")))
    return {}


def figures_of(folder: Path) -> Iterator[tuple[str, float]]:
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[USER_TICKS]) + int(fields[SYSTEM_TICKS])
    yield "resident_memory_bytes", int(fields[PAGES]) * PAGE_BYTES
    yield "cpu_seconds", ticks / TICKS_PER_S
    yield "start_time_seconds", boot_time_s() + int(fields[START_TICKS]) / TICKS_PER_S
    yield "open_fds", len(os.listdir(folder / "fd"))
    if limit := OPEN_FILES.search((folder / "limits").read_text()):
        yield "max_fds", int(limit[1])


@functools.cache
def boot_time_s() -> int:
    """When the machine was started, in seconds since 1970."""
    found = BOOT.search(Path("/proc/stat").read_text())
    return int(found[1]) if found else 0
