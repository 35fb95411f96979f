"""`torch-serving export`: a script that makes model files of a module, by the kind of model."""

import ast
from collections.abc import Sequence
from pathlib import Path

from torch_serving.cli.flag_types import one_of
from torch_serving.cli.flags import Parser

SCRIPTS = Path(__file__).with_name("export_scripts")
CELL = "# %% "  # begins a part of a script
EPILOG = """\
torch-serving export image > make.py; python make.py; torch-serving .

Python has to run it from a file: TorchScript reads the source of a model.

The model in a script stands for yours: put your class in its place, load your weights, and
leave the rest.
"""


def export(argv: Sequence[str]) -> int:
    """Print a script, or the list of kinds."""
    arguments = build_parser().read(argv)
    if arguments.kind is None:
        print("\n".join(lines_of_kinds()))
    else:
        print(script_of(arguments.kind, arguments.suffixes or [".pt", ".pt2"]), end="")
    return 0


def build_parser() -> Parser:
    known = kinds()
    parser = Parser(
        "export",
        description="Print a script that makes a .pt and a .pt2 file of a module.",
        epilog=EPILOG,
    )
    parser.add_argument(
        "kind",
        metavar="KIND",
        nargs="?",
        type=lambda text: one_of(tuple(known), text),
        choices=known,  # completions show them
        help=f"{', '.join(known)} (default: a list of them)",
    )
    for suffix, what in ((".pt", "TorchScript"), (".pt2", "an exported program")):
        parser.add_argument(
            f"--{suffix[1:]}",
            dest="suffixes",
            action="append_const",
            const=suffix,
            help=f"make only the {suffix} file, {what}",
        )
    return parser


def kinds() -> list[str]:
    """The kinds of models that there is a script for."""
    return sorted(path.stem for path in SCRIPTS.glob("*.py"))


def text_of(kind: str) -> str:
    return (SCRIPTS / f"{kind}.py").read_text(encoding="utf-8")


def lines_of_kinds() -> list[str]:
    width = max(map(len, kinds()))
    lines = [f"{kind:{width}}  {ast.get_docstring(ast.parse(text_of(kind)))}" for kind in kinds()]
    return [*lines, "", "torch-serving export KIND prints the script; --pt and --pt2 choose a file"]


def script_of(kind: str, suffixes: Sequence[str]) -> str:
    """Return a script without the parts that make files of other suffixes."""
    head, *cells = text_of(kind).split(CELL)
    kept = [
        cell for cell in cells if not cell.startswith(".") or cell.partition(":")[0] in suffixes
    ]
    return head + "".join(CELL + cell for cell in kept).rstrip() + "\n"
