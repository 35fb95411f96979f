"""The files of `torch_serving/cli/shell`, made from the parsers: completions and the manual page.

`python -m torch_serving.cli.reference` writes them anew; it needs shtab, which no user does.
"""

import argparse
from pathlib import Path

from torch_serving.cli.commands import COMMANDS
from torch_serving.cli.completion import FILES
from torch_serving.cli.flags import NAME, Parser, build_parser
from torch_serving.cli.manual import manual_page

# Beside a command, the first word may be a folder or a file: what shtab writes, and what is added.
ALSO_FILES = {
    "bash": ("complete -o bashdefault", " -o default"),
    "zsh": (f"_describe '{NAME} commands' _commands", "\n  _files"),
    "fish": (f"complete -c {NAME} -f\n", f"complete -c {NAME} -n _shtab_torch_serving_using -F\n"),
}


def shell_files() -> dict[str, str]:
    """All files by name. Raises ImportError without shtab."""
    import shtab

    files = {"torch-serving.1": manual_page()}
    for shell, name in FILES.items():
        text = shtab.complete(whole_parser(), shell)
        place, added = ALSO_FILES[shell]
        if place not in text:
            raise ValueError(f"shtab writes no {place!r} any more")
        lines = text.replace(place, place + added).splitlines()
        files[name] = "\n".join(line.rstrip() for line in lines).strip() + "\n"
    return files


def write_shell_files(folder: Path) -> None:
    for name, text in shell_files().items():
        (folder / name).write_text(text)


def whole_parser() -> Parser:
    """One parser of the server and of all commands, which knows what completes each value."""
    parser = build_parser()
    for action in list(parser._actions):
        if not action.option_strings:
            parser._remove_action(action)  # of two first words, shtab completes one
    commands = parser.add_subparsers(parser_class=argparse.ArgumentParser)
    for name, command in COMMANDS.items():
        one = commands.add_parser(name, help=command.summary, add_help=False)
        one._actions = list(command.build_parser()._actions)
        one._option_string_actions = {
            flag: action for action in one._actions for flag in action.option_strings
        }
        hint_all(one)
    serve = commands.add_parser("serve", help="serve a folder or a file", add_help=False)
    for action in (each for each in parser._actions if each.option_strings):
        serve._add_action(action)
    serve.add_argument("root", metavar="FOLDER", nargs="?", help="the folder with the models")
    one = commands.add_parser("help", help="what a command takes", add_help=False)
    one.add_argument("command", nargs="?", choices=list(COMMANDS), help="the command")
    commands.add_parser("version", help="the versions of the server and of torch", add_help=False)
    hint_all(serve)
    hint_all(parser)
    return parser


def hint_all(parser: argparse.ArgumentParser) -> None:
    for action in parser._actions:
        hint(action)


def hint(action: argparse.Action) -> None:
    """Say what completes the value of an argument, as its metavar tells."""
    import shtab

    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if metavar.startswith("{"):
        action.choices = metavar.strip("{}").split(",")
    elif metavar in ("MODEL", "FILE", "BODY", "DATA"):
        action.complete = shtab.FILE  # type: ignore[attr-defined]
    elif metavar in ("FOLDER", "MODEL_ROOT"):
        action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
