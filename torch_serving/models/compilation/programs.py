"""A file -> the exported program that is to be compiled."""

from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from torch_serving.errors import ServingError, StartupError
from torch_serving.models.backends.export.archive import contents
from torch_serving.models.compilation.sizes import (
    dimensions_of,
    expected_values,
    symbol_of,
)

NO_EXAMPLE = "it holds no example inputs: torch.export.save them with the program, and compile that"
EXPORT_BATCH = (
    'torch.export.export(model, (x,), dynamic_shapes={{"x": {{0: Dim("batch", min=1, max={})}}}})'
)


def check_program(path: Path) -> None:
    """Raise StartupError for a file that holds no program, or a damaged one."""
    try:
        contents.verify(path)
        held = contents.contents(path)
    except ServingError as error:
        raise StartupError(f"{path.name}: {error.detail}") from None
    if held.program is None:
        raise StartupError(
            f"{path.name} is a package already, without the program that it was compiled from; "
            "compile the program's file"
        )


def load_program(path: Path) -> ExportedProgram:
    """Load the program of a file that was checked, and that its owner trusts.

    Raises StartupError.
    """
    try:
        program = torch.export.load(path)
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise StartupError(f"torch can't load {path.name}: {reason}") from error
    if program.example_inputs is None:
        raise StartupError(f"{path.name}: {NO_EXAMPLE}")
    return program


def bound_batch(program: ExportedProgram, max_batch: int) -> None:
    """Let the first dimension of the inputs have at most so many rows. Raises StartupError."""
    tensors = [each for each in expected_values(program) if isinstance(each, torch.Tensor)]
    first = [dimensions_of(each)[0] for each in tensors if each.dim()]
    symbols = {symbol_of(size) for size in first}
    if not tensors or len(first) < len(tensors) or None in symbols or len(symbols) > 1:
        sizes = ", ".join(map(str, first)) or "none"
        raise StartupError(
            f"--max-batch: the program has no batch dimension that all its tensors share (their "
            f"first dimensions are {sizes}); export it with one: {EXPORT_BATCH.format(max_batch)}"
        )
    narrow(program, symbols.pop(), first[0].node.shape_env, max_batch)


def narrow(program: ExportedProgram, symbol: Any, shape_env: Any, most: int) -> None:
    from torch.utils._sympy.value_ranges import ValueRanges

    bounds = program.range_constraints[symbol]
    if most > bounds.upper:
        raise StartupError(
            f"--max-batch: the program was exported for batches of {bounds.lower} to "
            f"{bounds.upper}; export it again for up to {most}: "
            f"{EXPORT_BATCH.format(most)}"
        )
    if most < bounds.lower:
        raise StartupError(
            f"--max-batch: the program was exported for batches of at least {bounds.lower}"
        )
    narrowed = ValueRanges(bounds.lower, most)
    program.range_constraints[symbol] = narrowed
    shape_env.constrain_symbol_range(symbol, int(bounds.lower), most)
