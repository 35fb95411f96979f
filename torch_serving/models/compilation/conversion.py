"""A TorchScript model -> an exported program, by torch's own converter.

The converter keeps neither the names of arguments nor the shape of the result, so what it makes is
exported once more, in a module that has them.
"""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch.export import Dim, ExportedProgram
from torch.utils import _pytree as pytree

from torch_serving.engine.batch_tensors import concatenate, is_close, rows_of
from torch_serving.models.compilation.package import reason_of
from torch_serving.models.compilation.sizes import dimensions_of, expected_values, symbol_of
from torch_serving.models.servable import Method

INSTEAD = "export the module that it was made of with torch.export, and compile that"


class Converted(torch.nn.Module):
    """What the converter made, with names of arguments and the shape of the result."""

    def __init__(self, graph: torch.nn.Module, names: Sequence[str], result: pytree.TreeSpec):
        super().__init__()
        self.converted = graph
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD

        def forward(*arguments: Any) -> Any:
            return pytree.tree_unflatten(pytree.tree_leaves(graph(*arguments)), result)

        forward.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(name, kind) for name in names]
        )
        self.forward = forward


class NotConverted(Exception):
    """The converter can't make a program of a model; one line says why."""


def convert(
    module: Any, method: Method, inputs: list[Any], max_batch: int | None
) -> ExportedProgram:
    """Convert a TorchScript module, with the inputs of a request that it takes.

    Raises NotConverted, and ServingError where the model refuses the inputs.
    """
    inputs = with_rows(method, inputs)
    result = result_of(method, inputs)
    names = [argument.name for argument in method.signature.arguments]
    try:
        graph = graph_of(module, inputs)
        leaves, tree = pytree.tree_flatten(result)
        if not is_close(pytree.tree_leaves(graph.module(check_guards=False)(*inputs)), leaves):
            raise NotConverted("what the converter makes of it gives other results")
        wrapped = Converted(graph.module(check_guards=False), names, tree)
        return exported(wrapped, tuple(inputs), graph, max_batch)
    except NotConverted:
        raise
    except Exception as error:
        raise NotConverted(reason_of(error)) from error


def with_rows(method: Method, inputs: list[Any]) -> list[Any]:
    """Inputs of two rows for those of one, if the model takes them row by row.

    A dimension of one is not taken for a batch.
    """
    if rows_of(inputs) != 1:
        return inputs
    try:
        twice = concatenate([inputs, inputs])
        return twice if rows_of([result_of(method, twice)]) == 2 else inputs
    except Exception:
        return inputs


def result_of(method: Method, inputs: list[Any]) -> Any:
    """What a method returns: TorchScript would remember a run with gradients in all others."""
    with torch.inference_mode():
        return method.run(inputs)


def graph_of(module: Any, inputs: Sequence[Any]) -> ExportedProgram:
    from torch._export.converter import TS2EPConverter

    return TS2EPConverter(module, tuple(inputs)).convert()


def exported(
    module: Converted, inputs: tuple[Any, ...], graph: ExportedProgram, max_batch: int | None
) -> ExportedProgram:
    """Export a module with the dimensions open that the converter found to be."""
    named: dict[Any, Any] = {}
    shapes = [shape_of(each, named, max_batch) for each in expected_values(graph)]
    for dynamic_shapes in (shapes, pytree.tree_map(automatic, shapes)):
        try:
            return torch.export.export(module, inputs, dynamic_shapes=dynamic_shapes, strict=False)
        except Exception:  # noqa: PERF203
            if dynamic_shapes is not shapes:
                raise
    raise AssertionError


def shape_of(expected: Any, named: dict[Any, Any], max_batch: int | None) -> Any:
    """The dimensions of an argument as `torch.export` takes them; those of one symbol are one."""
    if not isinstance(expected, torch.Tensor):
        return None
    found = []
    for index, size in enumerate(dimensions_of(expected)):
        symbol = symbol_of(size)
        if symbol is not None and symbol not in named:
            most = max_batch if index == 0 else None
            named[symbol] = Dim(f"size{len(named)}", min=1, max=most)
        found.append(named.get(symbol) if symbol is not None else automatic(size))
    return found


def automatic(size: Any) -> Any:
    return None if isinstance(size, int) else Dim.AUTO
