"""The commands beside serving: what each is for, and where it is.

None is imported before it runs.
"""

import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from torch_serving.cli.flags import Parser

PACKAGE = __name__.rpartition(".")[0]


class Command(NamedTuple):
    """A command of a module of this package, which has `build_parser` and `function`."""

    module: str
    function: str
    usage: str
    summary: str

    def run(self, argv: Sequence[str]) -> int:
        """Run it, and return the exit code."""
        return cast(Callable[[Sequence[str]], int], self._attribute(self.function))(argv)

    def build_parser(self) -> "Parser":
        """Return the parser of its arguments."""
        return cast("Callable[[], Parser]", self._attribute("build_parser"))()

    def _attribute(self, name: str) -> Any:
        return getattr(importlib.import_module(f"{PACKAGE}.{self.module}"), name)


COMMANDS = {
    "example": Command("example", "example", "", "small models, made and served: a start"),
    "export": Command("export", "export", "[KIND]", "a script that makes model files of a module"),
    "inspect": Command("inspect", "inspect", "MODEL", "what a model takes and gives"),
    "run": Command("run", "run", "MODEL --data @BODY", "one request, without a server"),
    "compile": Command(
        "compile", "compile_model", "MODEL", "an exported program with its compiled package"
    ),
    "bench": Command("bench", "bench", "MODEL|URL", "throughput and latency under load"),
    "haproxy": Command(
        "haproxy", "haproxy", "--node HOST:PORT …", "a configuration for several servers"
    ),
    "ray": Command("ray", "ray", "up FOLDER", "a server on each machine of a Ray cluster"),
    "completion": Command("completion", "completion", "SHELL", "completions for a shell"),
    "man": Command("man", "man", "", "the manual page"),
}


def table_of_commands() -> str:
    """A line for each command, as `--help` shows them."""
    rows = {f"{name} {each.usage}": each.summary for name, each in COMMANDS.items()}
    width = max(map(len, rows))
    lines = [f"  torch-serving {usage:{width}}  {rows[usage]}" for usage in rows]
    return "\n".join([*lines, "  torch-serving help [COMMAND], torch-serving version"])
