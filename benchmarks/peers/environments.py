"""A virtual environment for each peer, created on first use and kept."""

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.peers.table import OUR_BIN, Peer

ROOT = Path(__file__).parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
AS_OURS = ("torch", "numpy")  # pinned by our constraints; a peer's requirements determine the rest
FOLDER = ROOT / ".venv-peers"


class UnavailableError(Exception):
    """This server can't be set up here, and why."""


def programs_of(peer: Peer) -> Path:
    """Return the folder with the peer's programs, which are installed if needed."""
    for program in peer.programs:
        if shutil.which(program) is None:
            raise UnavailableError(f"there is no {program}")
    if not peer.environment:
        return OUR_BIN
    environment = FOLDER / peer.environment
    requirements = [*pins(), *peer.requirements]
    wanted = "\n".join(requirements)
    installed = environment / ".installed"
    if not installed.exists() or installed.read_text() != wanted:
        print(f"installing {peer.environment} into {environment.relative_to(ROOT)}", flush=True)
        install(environment, requirements)
        installed.write_text(wanted)
    return environment / "bin"


def pins() -> list[str]:
    lines = CONSTRAINTS.read_text().splitlines()
    return [line for line in lines if line.partition("==")[0] in AS_OURS]


def install(environment: Path, requirements: list[str]) -> None:
    run([sys.executable, "-m", "venv", "--clear", str(environment)])
    pip = str(environment / "bin" / "pip")
    run([pip, "--disable-pip-version-check", "--quiet", "install", *requirements])


def run(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        complaint = (result.stderr.strip() or result.stdout.strip()).splitlines()
        raise UnavailableError(complaint[-1] if complaint else f"{command[0]} failed")
