"""A virtual environment for each peer, made when it is first wanted, and kept."""

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.peers.table import OUR_BIN, Peer

ROOT = Path(__file__).parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
FOLDER = ROOT / ".venv-peers"


class UnavailableError(Exception):
    """This server can't be set up here, and why."""


def programs_of(peer: Peer) -> Path:
    """The folder with the peer's programs, installed if they aren't."""
    for program in peer.programs:
        if shutil.which(program) is None:
            raise UnavailableError(f"there is no {program}")
    if not peer.environment:
        return OUR_BIN
    environment = FOLDER / peer.environment
    wanted = "\n".join([*peer.requirements, CONSTRAINTS.read_text()])
    installed = environment / ".installed"
    if not installed.exists() or installed.read_text() != wanted:
        print(f"installing {peer.environment} into {environment.relative_to(ROOT)}", flush=True)
        install(environment, peer.requirements)
        installed.write_text(wanted)
    return environment / "bin"


def install(environment: Path, requirements: tuple[str, ...]) -> None:
    run([sys.executable, "-m", "venv", "--clear", str(environment)])
    pip = [str(environment / "bin" / "pip"), "--disable-pip-version-check", "--quiet", "install"]
    run([*pip, "-c", str(CONSTRAINTS), "torch", "numpy", *requirements])


def run(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        complaint = (result.stderr.strip() or result.stdout.strip()).splitlines()
        raise UnavailableError(complaint[-1] if complaint else f"{command[0]} failed")
