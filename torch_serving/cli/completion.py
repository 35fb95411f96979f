"""`torch-serving completion`: what a shell needs to complete commands, flags and files."""

from collections.abc import Sequence
from pathlib import Path

from torch_serving.cli.flag_types import one_of
from torch_serving.cli.flags import Parser

SHELL = Path(__file__).with_name("shell")
FILES = {"bash": "torch-serving", "zsh": "_torch-serving", "fish": "torch-serving.fish"}
EPILOG = """\
bash  eval "$(torch-serving completion bash)" in ~/.bashrc
zsh   eval "$(torch-serving completion zsh)" in ~/.zshrc, after compinit
fish  torch-serving completion fish > ~/.config/fish/completions/torch-serving.fish
"""


def completion(argv: Sequence[str]) -> int:
    """Print the completions for a shell."""
    arguments = build_parser().read(argv)
    print((SHELL / FILES[arguments.shell]).read_text(encoding="utf-8"), end="")
    return 0


def build_parser() -> Parser:
    parser = Parser(
        "completion",
        description="Print the completions of commands, flags and files for a shell.",
        epilog=EPILOG,
    )
    parser.add_argument(
        "shell",
        metavar=f"{{{','.join(FILES)}}}",
        type=lambda text: one_of(tuple(FILES), text),
        help="the shell",
    )
    return parser
