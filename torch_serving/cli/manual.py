"""The manual page, in the macros of man(7), made from the parsers."""

import argparse
import re
from collections.abc import Iterable, Iterator

from torch_serving.cli.commands import COMMANDS
from torch_serving.cli.flags import NAME, build_parser
from torch_serving.cli.options import OPTIONS

SECTIONS = {
    "FILES": [
        ("MODEL_ROOT/**/*.pt, *.pt2", "The models. A model's name is its path below MODEL_ROOT."),
        ("NAME.toml", "Settings of one model, beside it."),
        ("NAME.warmup.json", "Requests that warm a model up, one a line."),
        ("models.sha256", "If it is there, only models that it lists are served."),
    ],
    "SIGNALS": [
        ("SIGTERM, SIGINT", "Finish the requests that were accepted, and end; twice: end now."),
        ("SIGHUP", "Load models, keys and certificates anew, and replace the workers one by one."),
    ],
    "EXIT STATUS": [
        ("0", "It ended as it was asked to."),
        ("1", "A command failed, or --check found a model that can't be served."),
        ("2", "A setting is wrong, or the server can't start with it."),
        ("70", "The server could not go on; its log says why."),
    ],
    "EXAMPLES": [
        ("torch-serving example", "Serve two small models, to see how it looks."),
        ("torch-serving models", "Serve a folder at http://127.0.0.1:8888."),
        ("torch-serving export image > make.py", "A script that makes a model file."),
        ("torch-serving inspect models/mlp.pt", "What a model takes, and a request that works."),
    ],
}


def manual_page() -> str:
    """Return the source of the page."""
    return "\n".join(line for line in lines_of_page() if line) + "\n"


def lines_of_page() -> Iterator[str]:
    yield rf".\" Made from the parsers: python -m {__package__}.reference"
    yield f'.TH {NAME.upper()} 1 "" "{NAME}" "User Commands"'
    yield from (".SH NAME", rf"{escape(NAME)} \- serve PyTorch models over HTTP")
    yield from synopsis()
    yield ".SH DESCRIPTION"
    yield "Serves the PyTorch models in a folder, or the one in a file: TorchScript (.pt), and"
    yield "programs of torch.export and their compiled packages (.pt2)."
    yield ".SH OPTIONS"
    parser = build_parser()
    for group in parser._action_groups:
        shown = [each for each in group._group_actions if each.help != argparse.SUPPRESS]
        if shown:
            yield f'.SS "{escape((group.title or "").capitalize())}"'
            yield from arguments(shown)
    yield ".SH COMMANDS"
    for name, command in COMMANDS.items():
        yield f'.SS "{escape(f"{NAME} {name} {command.usage}".strip())}"'
        yield escape(f"{command.summary[0].upper()}{command.summary[1:]}.")
        shown = [each for each in command.build_parser()._actions if each.dest != "help"]
        yield from arguments(shown)
    yield ".SH ENVIRONMENT"
    yield "Each setting has a variable, which a flag overrules."
    yield escape(", ".join(dict.fromkeys(option.variable for option in OPTIONS))) + "."
    for title, rows in SECTIONS.items():
        yield f".SH {title}"
        yield from terms(rows)
    yield from (".SH SEE ALSO", "http://127.0.0.1:8888/docs of a running server.")


def synopsis() -> Iterator[str]:
    yield from (".SH SYNOPSIS", f".B {escape(NAME)}", "[serve] [OPTIONS] [MODEL_ROOT]")
    for name, command in COMMANDS.items():
        yield from (".br", f".B {escape(f'{NAME} {name}')}", escape(command.usage))


def arguments(actions: Iterable[argparse.Action]) -> Iterator[str]:
    """Paragraphs of arguments with what they mean."""
    yield from terms((usage_of(each), help_of(each)) for each in actions)


def terms(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, text in rows:
        yield from (".TP", rf"\fB{escape(term)}\fR", escape(text))


def usage_of(action: argparse.Action) -> str:
    value = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if action.nargs == 0:
        value = ""
    if action.nargs == "?" and action.option_strings:
        value = f"[{value}]"
    return f"{', '.join(action.option_strings)} {value}".strip()


def help_of(action: argparse.Action) -> str:
    text = (action.help or "").replace("%%", "%")
    return f"{text[0].upper()}{text[1:]}." if text else ""


def escape(text: str) -> str:
    """Text as man(7) prints it: hyphens that can be copied, no line that is a command."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("…", "...").replace("×", "x")
    return re.sub(r"^([.'])", r"\\&\1", escaped, flags=re.MULTILINE)
