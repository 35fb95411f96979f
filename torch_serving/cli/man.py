"""`torch-serving man`: the manual page, shown or printed."""

import os
import shutil
import sys
from collections.abc import Sequence

from torch_serving.cli.completion import SHELL
from torch_serving.cli.flags import Parser

PAGE = SHELL / "torch-serving.1"


def man(argv: Sequence[str]) -> int:
    """Show the page with `man` on a terminal, and print its source elsewhere."""
    build_parser().read(argv)
    if sys.stdout.isatty() and shutil.which("man"):
        os.execlp("man", "man", "-l", str(PAGE))
    print(PAGE.read_text(encoding="utf-8"), end="")
    return 0


def build_parser() -> Parser:
    return Parser(
        "man",
        description="Show the manual page; where the output is no terminal, print its source.",
    )
