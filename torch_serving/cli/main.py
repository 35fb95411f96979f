"""The command line: `torch-serving [serve]` serves; the other commands need no server."""

import errno
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from torch_serving.cli.commands import COMMANDS
from torch_serving.cli.serving import act_on, end, print_notice
from torch_serving.cli.settings import read_settings
from torch_serving.errors import StartupError
from torch_serving.suggestions import did_you_mean
from torch_serving.telemetry.output import open_missing

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # disks, and files that have a limit
WORDS = ("serve", "help", "version")  # beside the commands


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the server or a command, and end the process with its exit code."""
    prepare_output()
    try:
        run_command(sys.argv[1:] if argv is None else argv)
    except StartupError as error:
        print_notice(str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # who reads the output has gone, as `head` does
        drop_output()
        sys.exit(1)
    except OSError as error:
        if error.errno not in FULL:
            raise
        with suppress(OSError):  # the notice may be for the same disk
            print_notice(f"{error.filename or 'the output'} can't be written: {error.strerror}")
        drop_output()
        sys.exit(1)


def drop_output() -> None:
    """Write nowhere what is still to be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def prepare_output() -> None:
    """Have an output, whatever was closed, and write what its encoding lacks as numbers."""
    open_missing()
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def run_command(argv: Sequence[str]) -> NoReturn:
    """Run what the first word says; without such a word, serve. `./serve` is a folder."""
    command, *others = argv or [""]
    if command == "help":
        check_help(*others[:1])
        run_command([*others[:1], "--help"])
    if command == "version":
        run_command(["--version"])
    if command in COMMANDS:
        warn_of_namesake(Path(command), others)
        code = COMMANDS[command].run(others)
        sys.stdout.flush()
        sys.exit(code)
    check_word(command)
    settings = read_settings(others if command == "serve" else argv, os.environ)
    end(act_on(settings))


def check_help(word: str = "serve") -> None:
    """Raise StartupError for what is neither a command nor a flag."""
    if word[:1] != "-" and word not in (*COMMANDS, *WORDS):
        hint = did_you_mean(word, [*COMMANDS, *WORDS]) or "; torch-serving help lists them"
        raise StartupError(f"no such command: {word}{hint}")


def check_word(word: str) -> None:
    """Raise StartupError for a first word that is neither there nor a command, but nearly one."""
    hint = did_you_mean(word, [*COMMANDS, *WORDS])
    if hint and word not in ("", "serve") and word[0] != "-" and not Path(word).exists():
        raise StartupError(f"no such command, folder or file: {word}{hint}")


def warn_of_namesake(folder: Path, others: Sequence[str]) -> None:
    """Say how a folder is served that is called as the command, where it seems to be meant."""
    if "--help" not in others and any(folder.glob("*.pt*")):
        print_notice(f"`{folder}` is a command; the models in the folder: torch-serving ./{folder}")
