"""What a model uses and torch does not know, as torch's message tells it."""

import re

import torch

MISSING = {
    "operator": re.compile(r"Unknown builtin op: (\w+)(::)(\w+)"),
    "class": re.compile(r"Unknown type name '__torch__\.torch\.classes\.(\w+)(\.)(\w+)'"),
}
TORCHS_OWN = ("aten", "prim", "prims", "quantized")


def missing_in(message: str) -> str:
    """What is missing and what to do about it; empty if the message is about something else."""
    for kind, pattern in MISSING.items():
        if found := pattern.search(message):
            return missing(kind, found[1], "".join(found.groups()))
    return ""


def missing(kind: str, library: str, name: str) -> str:
    """What to say of an operator or a class that is not here."""
    if library in TORCHS_OWN:
        return f"torch {torch.__version__} does not have its {kind} {name}"
    return (
        f"its {kind} {name} is of a library that is not imported here: start the server "
        f"with --import {library}, or whatever module has it"
    )
