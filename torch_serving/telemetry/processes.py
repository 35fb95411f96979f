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


def memory_and_cpu(pid: int) -> tuple[int, float]:
    """The resident bytes of a process and its seconds of the CPU; (0, 0.0) if it is gone."""
    with suppress(OSError, IndexError, ValueError):
        fields = fields_of(Path(f"/proc/{pid}"))
        return resident_bytes(fields), cpu_s(fields)
    return 0, 0.0


def start_time_s(pid: int) -> float | None:
    """When a process was started, in seconds since 1970; None if it is gone."""
    with suppress(OSError, IndexError, ValueError):
        return started_s(fields_of(Path(f"/proc/{pid}")))
    return None


def fields_of(folder: Path) -> list[str]:
    return (folder / "stat").read_text().rpartition(")")[2].split()


def resident_bytes(fields: list[str]) -> int:
    return int(fields[PAGES]) * PAGE_BYTES


def cpu_s(fields: list[str]) -> float:
    return (int(fields[USER_TICKS]) + int(fields[SYSTEM_TICKS])) / TICKS_PER_S


def started_s(fields: list[str]) -> float:
    return boot_time_s() + int(fields[START_TICKS]) / TICKS_PER_S


def figures_of(folder: Path) -> Iterator[tuple[str, float]]:
    fields = fields_of(folder)
    yield "resident_memory_bytes", resident_bytes(fields)
    yield "cpu_seconds", cpu_s(fields)
    yield "start_time_seconds", started_s(fields)
    yield "open_fds", len(os.listdir(folder / "fd"))
    if limit := OPEN_FILES.search((folder / "limits").read_text()):
        yield "max_fds", int(limit[1])


@functools.cache
def boot_time_s() -> int:
    """When the machine was started, in seconds since 1970."""
    found = BOOT.search(Path("/proc/stat").read_text())
    return int(found[1]) if found else 0
