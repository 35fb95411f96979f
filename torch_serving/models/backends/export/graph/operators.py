"""Targets of the nodes in a program's graph -> what TorchScript calls.

A new function of Python is a new row in `PYTHON`.
"""

import importlib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch

from torch_serving.errors import InvalidServable
from torch_serving.models.backends.export.graph.values import (
    MAX_SHOWN,
    ONE,
    Context,
    Json,
    Untranslatable,
    expression,
)
from torch_serving.models.backends.torchscript.missing import missing

OPERATOR = re.compile(r"torch\.ops\.([A-Za-z]\w*)\.(\w+)\.(\w+)", re.ASCII)
POSITIONAL, KEYWORD = 1, 2

# Libraries of operators that torch has, and registers when this module is imported.
OF_TORCH = {"quantized_decomposed": "torch.ao.quantization.fx._decomposed"}
# Checks of what is known of shapes and types: they hold wherever the export was right.
DROPPED = frozenset(
    f"torch.ops.aten.{name}.default"
    for name in (
        "_assert_tensor_metadata",
        "sym_constrain_range",
        "sym_constrain_range_for_size",
    )
)
ASSERTIONS = frozenset(
    f"torch.ops.aten.{name}"
    for name in ("_assert_scalar.default", "_assert_async.default", "_assert_async.msg")
)
# Arithmetic with sizes, and numbers that are taken out of tensors.
PYTHON: Mapping[str, str] = {
    "_operator.add": "({0} + {1})",
    "_operator.sub": "({0} - {1})",
    "_operator.mul": "({0} * {1})",
    "_operator.floordiv": "({0} // {1})",
    "_operator.truediv": "({0} / {1})",
    "_operator.mod": "({0} % {1})",
    "_operator.neg": "(-{0})",
    "_operator.pos": "{0}",
    "_operator.lshift": "({0} << {1})",
    "_operator.rshift": "({0} >> {1})",
    "_operator.eq": "({0} == {1})",
    "_operator.ne": "({0} != {1})",
    "_operator.lt": "({0} < {1})",
    "_operator.le": "({0} <= {1})",
    "_operator.gt": "({0} > {1})",
    "_operator.ge": "({0} >= {1})",
    "torch.sym_not": "(not {0})",
    "torch.sym_int": "int({0})",
    "torch.sym_float": "float({0})",
    "torch.sym_max": "max({0}, {1})",
    "torch.sym_min": "min({0}, {1})",
    "torch.sym_ite": "({1} if {0} else {2})",
    "torch.sym_sum": "sum({0})",
    "torch.sym_sqrt": "math.sqrt({0})",
    "torch._sym_sqrt": "math.sqrt({0})",
    "math.trunc": "int({0})",
    "math.floor": "math.floor({0})",
    "math.ceil": "math.ceil({0})",
    "torch.ops.aten.sym_size.int": "torch.ops.aten.size({0}, {1})",
    "torch.ops.aten.sym_stride.int": "torch.ops.aten.stride({0}, {1})",
    "torch.ops.aten.sym_numel.default": "torch.ops.aten.numel({0})",
    "torch.ops.aten.sym_storage_offset.default": "torch.ops.aten.storage_offset({0})",
}
ITEMS = ("torch.ops.aten.item.default", "torch.ops.aten._local_scalar_dense.default")
# By the kind of result: other functions exist, which torch's types do not tell apart.
ITEM_AS = {"as_sym_int": "int", "as_sym_float": "float", "as_sym_bool": "bool"}
TRUTHS = {"_operator.and_": ("and", "&"), "_operator.or_": ("or", "|")}
POWER = "_operator.pow"
# With constants for both factors, TorchScript would run it as two operators, with other bits.
ADDMM, ADDMM_INPUTS = "torch.ops.aten.addmm.default", ("self", "mat1", "mat2")
MAX_PRODUCT = 8  # a power of a whole number up to this one is a product, and stays whole


def call(node: Json, context: Context) -> str:
    """The text of what a node computes. Raises Untranslatable, or InvalidServable for an operator
    that is missing here."""
    target: str = node["target"]
    values = [each["arg"] for each in node["inputs"]]
    result = next(iter(node["outputs"][0])) if node["outputs"] else ""
    if target in ITEMS and result in ITEM_AS:
        return f"{ITEM_AS[result]}({expression(values[0], context)})"
    if target in PYTHON:
        return PYTHON[target].format(*(expression(each, context) for each in values))
    if target in TRUTHS:
        left, right = (expression(each, context) for each in values)
        return f"({left} {TRUTHS[target][result != 'as_sym_bool']} {right})"
    if target == POWER:
        return power(values, result, context)
    found = OPERATOR.fullmatch(target)
    if found is None:
        raise Untranslatable(f"`{target[:MAX_SHOWN]}` has no twin in TorchScript")
    schema = schema_of(*found.groups())
    if not schema.returns and not any(writes(each) for each in schema.arguments):
        raise Untranslatable(f"`{target}` gives no result, and TorchScript would leave it out")
    arguments = operator_arguments(node["inputs"], schema, context)
    if target == ADDMM and len(arguments) == len(ADDMM_INPUTS):
        arguments.append(f"beta={ONE}")
    return f"torch.ops.{found[1]}.{found[2]}({', '.join(arguments)})"


def named_inputs(target: str, inputs: Sequence[Json]) -> list[Json]:
    """Inputs that were given by position to an operator, with their names."""
    found = OPERATOR.fullmatch(target)
    if found is None:
        raise Untranslatable(f"`{target[:MAX_SHOWN]}` has no twin in TorchScript")
    names = [each.name for each in schema_of(*found.groups()).arguments]
    return [
        {**each, "name": each["name"] or name} for each, name in zip(inputs, names, strict=False)
    ]


def power(values: Sequence[Json], result: str, context: Context) -> str:
    """A power; TorchScript's own is a float."""
    base, exponent = (expression(each, context) for each in values)
    if result != "as_sym_int":
        return f"({base} ** {exponent})"
    times = values[1].get("as_int", MAX_PRODUCT + 1)
    if 0 < times <= MAX_PRODUCT:
        return f"({' * '.join([base] * times)})"
    return f"int({base} ** {exponent})"


def schema_of(library: str, name: str, overload: str) -> Any:
    """torch's schema of an operator. Raises InvalidServable for one that is not here."""
    if library in OF_TORCH:
        with suppress(ImportError):
            importlib.import_module(OF_TORCH[library])
    packet = getattr(getattr(torch.ops, library), name, None)
    found = getattr(packet, overload, None)
    if found is None:
        raise InvalidServable(missing("operator", library, f"{library}::{name}.{overload}"))
    return found._schema


def writes(argument: Any) -> bool:
    return argument.alias_info is not None and bool(argument.alias_info.is_write)


def operator_arguments(inputs: Sequence[Json], schema: Any, context: Context) -> list[str]:
    """The arguments of an operator: by keyword where they were, and where one was left out."""
    places = {each.name: (place, each) for place, each in enumerate(schema.arguments)}
    found = []
    for index, each in enumerate(inputs):
        name = each["name"]
        if name not in places:
            raise Untranslatable(f"`{schema.name}` has no argument `{name[:40]}`")
        place, parameter = places[name]
        value = expression(each["arg"], context._replace(type=parameter.real_type))
        kind = each.get("kind") or (
            KEYWORD if parameter.kwarg_only or place != index else POSITIONAL
        )
        found.append(value if kind == POSITIONAL else f"{name}={value}")
    return found
