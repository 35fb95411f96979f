"""The flags of the server: one for each setting of `Config`, in its groups."""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from torch_serving.cli.flag_types import KINDS
from torch_serving.cli.requirements import version_text
from torch_serving.cli.suggestions import did_you_mean
from torch_serving.config import Config
from torch_serving.setting import Setting, settings_of

UNITS = {1 << 30: "GiB", 1 << 20: "MiB", 1 << 10: "KiB", 1: ""}


EPILOG = """\
Each flag can be set in the environment too: --max-body as TORCH_SERVING_MAX_BODY.

Other commands:
  torch-serving inspect MODEL           what a model takes and gives
  torch-serving run MODEL --data @BODY  one request, without a server
  torch-serving help [COMMAND], torch-serving version
"""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def read(self, argv: Sequence[str]) -> argparse.Namespace:
        """Parse all arguments; end the process for wrong ones."""
        arguments, unknown = self.parse_known_args(argv)
        if unknown:
            flag = next((each for each in unknown if each.startswith("-")), "").partition("=")[0]
            hint = did_you_mean(flag, self._option_string_actions) if flag else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return arguments

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Leaves room for long flags beside their descriptions."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=36)


def build_parser() -> Parser:
    """Return a parser whose result has only what was given: defaults are those of `Config`."""
    parser = Parser(
        prog="torch-serving",
        description="Serve the TorchScript models in a folder over HTTP.",
        epilog=EPILOG,
        formatter_class=HelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("-V", "--version", action="version", version=version_text())
    groups: dict[str, argparse._ArgumentGroup] = {}
    for name, value, setting in settings_of(Config):
        if is_positional(setting):
            add_positional(parser, name, value, setting)
            continue
        if setting.group not in groups:
            groups[setting.group] = parser.add_argument_group(setting.group)
        add_flag(groups[setting.group], name, value, setting)
        if name == "device":
            groups[setting.group].add_argument(
                "--use-gpu", action="store_true", help="the same as --device cuda"
            )
    return parser


def is_positional(setting: Setting) -> bool:
    return not setting.flags[0].startswith("-")


def add_positional(parser: Parser, name: str, value: Any, setting: Setting) -> None:
    parser.add_argument(
        name,
        metavar=setting.flags[0],
        nargs="?",
        type=KINDS[str(setting.kind)][0],
        default=value,
        help=help_of(value, setting),
    )


def add_flag(group: argparse._ArgumentGroup, name: str, value: Any, setting: Setting) -> None:
    options: dict[str, Any] = {"dest": name, "help": help_of(value, setting)}
    if setting.kind == "switch":
        options["action"] = "store_false" if value else "store_true"
    elif isinstance(setting.kind, tuple):
        options["choices"] = setting.kind
    else:
        options["type"], metavar = KINDS[setting.kind]
        options["metavar"] = metavar or name.upper()
        if isinstance(value, tuple):
            options["action"] = "append"
    group.add_argument(*setting.flags, **options)


def help_of(value: Any, setting: Setting) -> str:
    """What a setting means, as plain text, and its default."""
    default = default_of(value, setting)
    text = setting.meaning if default in ("", "none") else f"{setting.meaning} (default: {default})"
    return text.replace("`", "").replace("%", "%%")


def default_of(value: Any, setting: Setting) -> str:
    """A default as it would be written on a command line, or in words; of a switch, nothing."""
    if setting.kind == "switch":
        return ""
    if setting.default_text:
        return setting.default_text
    if value is None or value == ():
        return "none"
    if setting.kind == "on_off":
        return "on" if value else "off"
    if setting.kind in ("size", "size_or_zero"):
        unit = next(unit for unit in UNITS if value % unit == 0)
        return f"{value // unit}{UNITS[unit]}"
    return f"{value:g}" if isinstance(value, float) else str(value)
