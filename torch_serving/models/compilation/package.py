"""An exported program -> its AOTInductor package, and a file of both."""

import copy
import importlib
import os
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from torch_serving.models.compilation.toolchain import first_error

AUTOCAST = "wrap_with_autocast"  # its first argument is a kind of device
MODEL = "model"  # its name inside the file
# The sources of the library hold paths of this machine, and nothing reads them.
LEFT_OUT = (".cpp", ".cu", ".h", ".py", ".kernel_metadata.json")
MAX_REASON = 500
# An index out of range in a thread of OpenMP ends the process; the server runs requests beside each
# other instead. Nothing is compiled in other processes: there are few files.
ON_CPU: dict[str, Any] = {"cpp.threads": 1, "compile_threads": 1}


class CompilationFailed(Exception):
    """torch can't compile a program; one line says why."""


def compile_program(program: ExportedProgram, device: str, is_only_one: bool = False) -> list[Any]:
    """Compile a program for a device; return the files of its package. Raises CompilationFailed.

    For several programs, the headers of torch are compiled once, which takes longer for one.
    """
    moved = on_device(program, device)
    options: dict[str, Any] = {"aot_inductor.package": True}
    options["aot_inductor.precompile_headers"] = not is_only_one
    if device == "cpu":
        options |= ON_CPU
    try:
        files = compile_for_all_sizes(moved, options)
    except Exception as error:
        raise CompilationFailed(reason_of(error)) from error
    return [each for each in files if not (isinstance(each, str) and each.endswith(LEFT_OUT))]


def compile_for_all_sizes(program: ExportedProgram, options: dict[str, Any]) -> list[Any]:
    """Compile for dimensions of one, too, where a program allows them.

    The compiler would rather have none; what it makes for them is some percent slower.
    """
    from torch._inductor import aot_compile

    args, kwargs = program.example_inputs
    config: Any = importlib.import_module("torch.fx.experimental._config")
    may_be_one = any(bounds.lower < 2 for bounds in program.range_constraints.values())

    def compile_once() -> Any:
        return aot_compile(program.module(check_guards=False), args, kwargs, options=dict(options))

    try:
        with config.patch(backed_size_oblivious=may_be_one):
            return list(compile_once())
    except Exception:
        if not may_be_one:
            raise
        return list(compile_once())  # not every program can be compiled so


def on_device(program: ExportedProgram, device: str) -> ExportedProgram:
    """The program, or a copy of it on another device."""
    from torch.export.passes import move_to_device_pass

    tensors = [*program.state_dict.values(), *program.constants.values()]
    args, kwargs = program.example_inputs
    tensors += torch.utils._pytree.tree_leaves((args, kwargs))
    tensors = [each for each in tensors if isinstance(each, torch.Tensor)]
    devices = {each.device.type for each in tensors}
    if devices <= {device}:
        return program
    apart = copy.deepcopy(program, {id(each): each for each in tensors})  # but for its weights
    moved = move_to_device_pass(apart, device)
    graphs = [each.graph for each in moved.graph_module.modules() if hasattr(each, "graph")]
    for node in [node for graph in graphs for node in graph.nodes]:
        if str(node.target) == AUTOCAST and node.args[0] in devices:
            node.args = (torch.device(device).type, *node.args[1:])
    return moved


def reason_of(error: BaseException) -> str:
    """What an error of the compiler says, in one line."""
    output = getattr(error, "output", "")
    if isinstance(output, str) and output:
        return first_error(output)[:MAX_REASON]
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:MAX_REASON]


def write_package(path: Path, program: ExportedProgram, files: list[Any]) -> None:
    """Write a program and its package, with the program's example inputs."""
    from torch.export.pt2_archive._package import package_pt2

    package_pt2(os.fspath(path), exported_programs={MODEL: program}, aoti_files={MODEL: files})
