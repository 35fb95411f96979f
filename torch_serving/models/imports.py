"""Imports of modules whose libraries register the operators and classes that models use.

Any module may be named on the command line. The file beside a model may name installed ones, but
none below the model root: what is put there is never run as Python.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from torch_serving.engine.precision import SWITCH
from torch_serving.errors import InvalidServable, StartupError


def import_at_start(names: Iterable[str]) -> None:
    """Import what `--import` names. Raises StartupError."""
    for name in names:
        if problem := problem_of_import(name):
            raise StartupError(f"--import {name}: {problem}")


def import_for_model(names: Iterable[str], source: str, root: str) -> None:
    """Import what the file `source` beside a model names. Raises InvalidServable."""
    for name in names:
        if name in sys.modules:
            continue
        if is_below(name, root):
            problem = f"it lies below the model root; start the server with --import {name}"
        else:
            problem = problem_of_import(name)
            SWITCH.forget()  # many modules turn TF32 on
        if problem:
            raise InvalidServable(f"{source}: import `{name}`: {problem}")


def problem_of_import(name: str) -> str:
    """Import a module, and say what is wrong with it in one line; empty if nothing is."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        return str(error)
    except (Exception, SystemExit) as error:  # a module runs anything when it is imported
        return f"{type(error).__name__}: {error}".partition("\n")[0]
    return ""


def is_below(name: str, root: str) -> bool:
    """Whether the files of a module are in a folder."""
    spec = importlib.util.find_spec(name.partition(".")[0])
    if spec is None:
        return False
    places = [spec.origin or "", *(spec.submodule_search_locations or ())]
    return any(Path(os.path.realpath(each)).is_relative_to(root) for each in places if each)
