"""The flags of the server: one for each setting of `Config`, in its groups."""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from torch_serving.cli.commands import table_of_commands
from torch_serving.cli.flag_types import KINDS
from torch_serving.cli.options import CONFIG_FILE, OPTIONS, Option
from torch_serving.cli.requirements import version_text
from torch_serving.suggestions import did_you_mean

EPILOG = f"""\
Each flag can be set in the environment too, --max-body as TORCH_SERVING_MAX_BODY,
and in the file of --config, as max-body = "64MiB".

Other commands:
{table_of_commands()}
"""
NAME = "torch-serving"
NOT_GIVEN = object()  # argparse has no SUPPRESS for positional arguments


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line; help keeps the lines of descriptions."""

    def __init__(self, command: str = "", **options: Any) -> None:
        """`options` are those of `argparse`; without a command, it is the server's parser."""
        prog = f"{NAME} {command}".strip()
        super().__init__(prog=prog, formatter_class=HelpFormatter, **options)

    def read(self, argv: Sequence[str]) -> argparse.Namespace:
        """Parse all arguments; end the process for wrong ones."""
        arguments, unknown = self.parse_known_args(argv)
        if unknown:
            self.refuse(unknown, self.flags)
        return arguments

    @property
    def flags(self) -> list[str]:
        return list(self._option_string_actions)

    def action_of(self, flag: str) -> argparse.Action | None:
        """Return what a flag does, also where only its first letters are given."""
        exact = self._option_string_actions.get(flag)
        if exact or not flag.startswith("--"):
            return exact
        known = self._option_string_actions.items()
        found = {action.dest: action for name, action in known if name.startswith(flag)}
        return next(iter(found.values())) if len(found) == 1 else None

    def refuse(self, unknown: Sequence[str], known: Sequence[str]) -> NoReturn:
        """End the process for unknown words; the nearest known flag may have been meant."""
        flag = next((each for each in unknown if each.startswith("-")), "").partition("=")[0]
        hint = did_you_mean(flag, known) if flag else ""
        self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Leaves room for long flags beside their descriptions."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=36)


def build_parser() -> Parser:
    """Return a parser whose result has only what was given: defaults are those of `Config`."""
    parser = Parser(
        description="Serve the PyTorch models in a folder over HTTP.",
        epilog=EPILOG,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("-V", "--version", action="version", version=version_text())
    add_configuration(parser)
    groups: dict[str, argparse._ArgumentGroup] = {}
    for option in OPTIONS:
        group = option.setting.group
        if option.is_positional:
            add_positional(parser, option)
            continue
        if group not in groups:
            groups[group] = parser.add_argument_group(group)
        add_flag(groups[group], option)
    return parser


def add_configuration(parser: Parser) -> None:
    """Add what reads and shows the settings."""
    group = parser.add_argument_group("configuration")
    add_flag(group, CONFIG_FILE)
    group.add_argument(
        "--print-config", action="store_true", help="print all settings as such a file, and end"
    )
    group.add_argument(
        "--check",
        action="store_true",
        help="look for mistakes in settings and models, load those to preload, and end",
    )


def add_positional(parser: Parser, option: Option) -> None:
    parser.add_argument(
        option.name,
        metavar=option.flag,
        nargs="?",
        type=option.read,
        default=NOT_GIVEN,
        help=help_of(option),
    )


def add_flag(group: argparse._ArgumentGroup, option: Option) -> None:
    options: dict[str, Any] = {"dest": option.name, "help": help_of(option)}
    if option.is_switch:
        options["action"] = "store_false" if option.default else "store_true"
    else:
        options["type"] = option.read
        options["metavar"] = metavar_of(option)
        if option.is_repeated:
            options["action"] = "append"
    group.add_argument(*option.setting.flags, **options)


def metavar_of(option: Option) -> str:
    """What stands for the value of a flag."""
    kind = option.setting.kind
    if isinstance(kind, tuple):
        return f"{{{','.join(kind)}}}"
    return "" if kind in ("switch", "root") else KINDS[kind][1] or option.name.upper()


def help_of(option: Option) -> str:
    """What a setting means, as plain text, and its default."""
    default = default_of(option)
    text = option.setting.meaning
    if default not in ("", "none"):
        text += f" (default: {default})"
    return text.replace("`", "").replace("%", "%%")


def default_of(option: Option) -> str:
    """A default as it would be written on a command line, or in words; of a switch, nothing."""
    if option.is_switch:
        return ""
    if option.setting.default_text:
        return option.setting.default_text
    if option.default is None or option.default == ():
        return "none"
    return option.text_of(option.default)
