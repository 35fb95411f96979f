"""HAProxy's Runtime API: commands over its Unix socket."""

import socket
from collections.abc import Sequence
from pathlib import Path

AT_ONCE = 50  # commands in a line, which must fit HAProxy's buffer of 16 KiB
LIMIT_S = 5.0
HARMLESS = ("no need to change", "changed from")


def execute(path: Path, commands: Sequence[str]) -> list[str]:
    """Send commands, and return what HAProxy answered but for success. Raises OSError."""
    answers: list[str] = []
    for start in range(0, len(commands), AT_ONCE):
        text = ask(path, "; ".join(commands[start : start + AT_ONCE]))
        lines = (line.strip() for line in text.splitlines())
        answers += [line for line in lines if line and not any(each in line for each in HARMLESS)]
    return answers


def ask(path: Path, command: str) -> str:
    """Send one line, and return the answer. Raises OSError."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(LIMIT_S)
        connection.connect(str(path))
        connection.sendall(command.encode() + b"\n")
        with connection.makefile(encoding="utf-8", errors="replace") as answer:
            return answer.read()
