"""Enumerations of a model, whose Python source the server does not have.

torch makes a value of a TorchScript enumeration from any object with a `name` and a `value`. To
return such a value, it asks for the Python class. This module has stand-ins for object and class.
Objects of TorchScript classes can't be replaced so.
"""

import ast
import re
import zipfile
from enum import Enum
from os import PathLike
from typing import Any

import torch.jit._state

ENUM_CLASS = re.compile(r"^class (\w+)\(Enum\):\n((?:  .+\n)+)", re.MULTILINE)


class EnumMember:
    """A member of an enumeration, as torch takes and returns it."""

    def __init__(self, name: str, value: Any = None) -> None:
        self.name = name
        self.value = value


class StandIn(type):
    """A class that has every member that torch asks for."""

    def __getattr__(cls, name: str) -> EnumMember:
        return EnumMember(name)


class AnyEnum(metaclass=StandIn):
    """Stands in for every enumeration."""


def install_stand_ins() -> None:
    """Let torch find the stand-in for each class that Python does not know."""
    find: Any = torch.jit._state._get_python_class
    if not hasattr(find, "finds_any"):

        def find_any(name: str) -> Any:
            return find(name) or AnyEnum

        find_any.finds_any = True  # type: ignore[attr-defined]
        torch.jit._state._get_python_class = find_any


def enum_members(path: str | PathLike[str]) -> dict[str, dict[str, Any]]:
    """The members of the enumerations in a TorchScript archive, by qualified name."""
    enums = {}
    with zipfile.ZipFile(path) as archive:
        for file in archive.namelist():
            module = re.search(r"/code/(.+)\.py$", file)
            if module:
                source = archive.read(file).decode("utf-8", "replace")
                for name, body in ENUM_CLASS.findall(source):
                    enums[f"{module[1].replace('/', '.')}.{name}"] = members_of(body)
    return enums


def members_of(body: str) -> dict[str, Any]:
    assignments = (line.partition(" = ") for line in body.splitlines())
    return {name.strip(): ast.literal_eval(value) for name, _, value in assignments}


def envelope_of(value: object) -> dict[str, Any] | None:
    """The envelope of a value that is neither a tensor nor of a built-in type."""
    if isinstance(value, torch.device):
        return {"type": "string", "value": str(value)}
    if isinstance(value, EnumMember | Enum):
        return {"type": "enum", "value": value.name}
    return None
