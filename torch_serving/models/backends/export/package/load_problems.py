"""What keeps a package's library from loading, as the dynamic linker and torch say it."""

import re

import torch

from torch_serving.engine.device_errors import explain
from torch_serving.models.backends.torchscript.missing import missing

SYMBOL = re.compile(r"undefined symbol: (\w+)")
LIBRARY = re.compile(r"([\w.+-]+\.so[\w.]*): cannot open shared object file")
OPERATOR = re.compile(
    r"(?:Could not find schema for|No such operator|Unknown builtin op:?|operator) "
    r"['`]?(\w+::\w+)"
)
NOT_EXECUTABLE = ("failed to map segment", "cannot enable executable stack")
DAMAGED = ("file too short", "invalid ELF header", "ELF file's phentsize", "cannot read file data")
TORCHS_OWN = "aoti_"
NO_PLACE = (
    "its package's library can't be executed where it was unpacked: set TMPDIR to a folder of the "
    "server's own on a disk that is not mounted noexec"
)


def load_problem(error: Exception) -> str:
    """What is wrong and what to do about it."""
    text = str(error)
    if found := SYMBOL.search(text):
        return symbol_problem(found[1])
    if found := LIBRARY.search(text):
        return (
            f"its package needs {found[1]}, which is not loaded here: start the server with "
            "--import of the module that loads it"
        )
    if found := OPERATOR.search(text):
        return missing("operator", found[1].partition("::")[0], found[1])
    if any(words in text for words in NOT_EXECUTABLE):
        return NO_PLACE
    if any(words in text for words in DAMAGED):
        return "the library in its package is damaged, or for another machine"
    reason = explain(error).partition("\n")[0]
    return f"its package can't be loaded here: {reason}"


def symbol_problem(symbol: str) -> str:
    if symbol.startswith(TORCHS_OWN):
        return (
            f"its package uses {symbol}, which torch {torch.__version__} does not have: compile "
            "it again with the torch of this server"
        )
    return (
        f"its package uses the function {symbol}, which nothing that is loaded here has: start "
        "the server with --import of the module that has it"
    )
