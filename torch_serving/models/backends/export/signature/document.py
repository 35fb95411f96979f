"""The inputs and outputs of a program, as its document tells them: types, sizes and ranges."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from torch_serving.codecs.json._decoder import DATA_TYPE_NAMES, MAX_RANK, TypeSpec
from torch_serving.errors import InvalidServable
from torch_serving.models.backends.export.signature.arithmetic import Expression
from torch_serving.models.backends.export.signature.expressions import NotArithmetic, parse
from torch_serving.models.backends.export.signature.ranges import bounds
from torch_serving.models.backends.export.signature.tree import constant_spec
from torch_serving.tensor_constraint import MAX_SIZE, Dimension, TensorConstraint

logger = logging.getLogger(__name__)

Json = Mapping[str, Any]

# torch's numbers of data types in a program -> their names
DATA_TYPES = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32",
    8: "float64", 9: "complex32", 10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16",
    28: "uint16", 29: "float8_e4m3fn", 30: "float8_e5m2", 31: "float8_e4m3fnuz",
    32: "float8_e5m2fnuz", 33: "float8_e8m0fnu", 34: "uint32", 35: "uint64",
}  # fmt: skip
SYMBOLIC = {"as_sym_int": "int", "as_sym_float": "float", "as_sym_bool": "bool"}
CONSTANTS = ("as_none", "as_bool", "as_int", "as_float", "as_string")
NOT_FINITE = {"Infinity": float("inf"), "-Infinity": float("-inf"), "NaN": float("nan")}


class Values:
    """The inputs and outputs of a program's graph."""

    def __init__(self, document: Json) -> None:
        module = document["graph_module"]
        self._graph = module["graph"]
        self._signature = module["signature"]
        self.ranges = {
            symbol: dimension_of_range(each)
            for symbol, each in document.get("range_constraints", {}).items()
        }
        self.expressions: dict[str, Expression] = {}  # of sizes, by what their dimensions say

    def inputs(self) -> Iterator[tuple[str, TypeSpec]]:
        """The user's inputs in order: placeholder's name and type."""
        for entry in self._signature["input_specs"]:
            kind, data = only(entry)
            if kind == "constant_input":
                yield data["name"], self.type_of(data["value"], data["name"])
            elif kind == "user_input":
                name = name_of(data["arg"])
                yield name, self.type_of(data["arg"], name)

    def outputs(self) -> Iterator[TypeSpec]:
        """The user's outputs in order."""
        for index, entry in enumerate(self._signature["output_specs"]):
            kind, data = only(entry)
            if kind == "user_output":
                yield self.type_of(data["arg"], f"output {index}")
            elif kind == "loss_output":
                yield self.tensor(data["arg"]["name"])

    def type_of(self, argument: Json, name: str) -> TypeSpec:
        """The type of an input or output. Raises InvalidServable for what no request can hold."""
        kind, data = only(argument)
        if kind == "as_tensor":
            return self.tensor(data["name"])
        if kind in SYMBOLIC:
            inner, value = only(data)
            if inner == "as_name":
                return TypeSpec(SYMBOLIC[kind], SYMBOLIC[kind])
            return constant_spec(value)
        if kind in CONSTANTS:
            return constant_spec(constant(kind, data))
        raise InvalidServable(f"`{name}` is of a kind that no request can hold: {kind[3:]}")

    def tensor(self, name: str) -> TypeSpec:
        meta = self._graph["tensor_values"][name]
        data_type = DATA_TYPES.get(meta["dtype"], "")
        shape = tuple([self.dimension(size) for size in meta["sizes"]])
        if len(shape) > MAX_RANK:
            raise InvalidServable(f"`{name}` has {len(shape)} dimensions; the limit is {MAX_RANK}")
        if data_type not in DATA_TYPE_NAMES:  # a request can't name it
            data_type = ""
        return TypeSpec("tensor", "Tensor", constraint=TensorConstraint(data_type, shape))

    def dimension(self, size: Json) -> Dimension:
        kind, data = only(size)
        if kind == "as_int":
            return fixed(data)
        expression = expression_in(data["expr_str"])
        if expression is None:
            return Dimension()
        if expression.name == "number":
            return fixed(expression.leaf)
        text = str(expression)
        self.expressions[text] = expression
        return bounds(expression, self.ranges)._replace(symbol=text)

    def size(self, dimension: Dimension) -> Expression | None:
        """A dimension of a tensor in symbols; None where that is not known."""
        if dimension.is_fixed and not dimension.symbol:
            return Expression("number", leaf=dimension.least)
        return self.expressions.get(dimension.symbol)

    def integer(self, name: str) -> Expression | None:
        """What an integer among the inputs amounts to, in symbols."""
        known = self._graph.get("sym_int_values", {}).get(name)
        if known is None:
            return None
        kind, data = only(known)
        text = str(data) if kind == "as_int" else data["expr_str"]
        return expression_in(text)


def only(union: Json) -> tuple[str, Any]:
    """Which of its kinds a value is, and the value."""
    ((kind, data),) = union.items()
    return kind, data


def name_of(argument: Json) -> str:
    kind, data = only(argument)
    if isinstance(data, Mapping):
        return str(data.get("name") or data.get("as_name") or kind)
    return kind


def constant(kind: str, data: Any) -> Any:
    if kind == "as_none":
        return None
    if kind == "as_float":
        return NOT_FINITE[data] if isinstance(data, str) else float(data)
    return data


def fixed(size: Any) -> Dimension:
    """A dimension of one size. Raises ValueError for what is no size."""
    if type(size) is not int or not 0 <= size < MAX_SIZE:
        raise ValueError("a size")
    return Dimension(size, size)


def dimension_of_range(constraint: Json) -> Dimension:
    """The sizes of a symbol; a bound that is infinite, or as good as that, is none.

    Raises ValueError for a range without sizes.
    """
    least, most = constraint.get("min_val"), constraint.get("max_val")
    low = least if type(least) is int and least > 0 else 0
    high = most if type(most) is int and most < MAX_SIZE else None
    if low >= MAX_SIZE or (high is not None and high < low):
        raise ValueError("a range")
    return Dimension(low, high)


def expression_in(text: str) -> Expression | None:
    """The arithmetic in a text; None, with a line of the log, where it is none."""
    try:
        return parse(text)
    except NotArithmetic as error:
        logger.debug("not checked: %s: %s", text[:200], error)
        return None
