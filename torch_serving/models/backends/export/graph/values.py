"""Values in the JSON graph of a program -> expressions of TorchScript.

A new kind of argument is a new row in `KINDS`. All text in a graph is foreign: names become
identifiers or are refused, strings are quoted, and numbers are spelled anew.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch

from torch_serving.models.backends.export.archive.payloads import DTYPES

Json = Any
Type = Any  # torch's type of a parameter, or None where nobody knows it

# Numbers of the file format, which differ from torch's own.
LAYOUTS: Mapping[int, str] = {
    1: "sparse_coo", 2: "sparse_csr", 3: "sparse_csc", 4: "sparse_bsr", 5: "sparse_bsc",
    6: "_mkldnn", 7: "strided",
}  # fmt: skip
MEMORY_FORMATS: Mapping[int, str] = {
    1: "contiguous_format", 2: "channels_last", 3: "channels_last_3d", 4: "preserve_format",
}  # fmt: skip
# Attributes of the module: literals would become whole numbers where an operator takes any number.
TRUE, FALSE, ONE = "self.is_true", "self.is_false", "self.one"
MAX_SHOWN = 60
OPTIONAL_TENSORS = "List[Optional[Tensor]]"


class Untranslatable(Exception):
    """Why a program can't become TorchScript, in words."""


class Context(NamedTuple):
    """What the text of a value depends on besides the value."""

    names: Mapping[str, str]  # of the values in a graph -> their expressions
    device: torch.device
    type: Type = None  # that an operator wants

    @property
    def kind(self) -> str:
        """The kind of the type, where it may be missing too."""
        inner = self.type
        if inner is not None and inner.kind() == "OptionalType":
            inner = inner.getElementType()
        return inner.kind() if inner is not None else ""

    def element(self) -> "Context":
        """The context of what is in a list."""
        inner = self.type
        if inner is not None and inner.kind() == "OptionalType":
            inner = inner.getElementType()
        is_list = inner is not None and inner.kind() == "ListType"
        return self._replace(type=inner.getElementType() if is_list else None)


def expression(argument: Json, context: Context) -> str:
    """The text of an argument. Raises Untranslatable."""
    kind, value = member_of(argument)
    render = KINDS.get(kind)
    if render is None:
        raise Untranslatable(f"an argument is a {kind.removeprefix('as_')}")
    return render(value, context)


def member_of(union: Json) -> tuple[str, Json]:
    """The kind and value of a union, which is an object with one key."""
    ((kind, value),) = union.items()
    return kind, value


def identifier(name: str, prefix: str) -> str:
    """A name as an identifier of TorchScript that hides nothing."""
    if not (name.isidentifier() and name.isascii()):
        raise Untranslatable(f"a value is named {name[:MAX_SHOWN]!r}, which is no identifier")
    return f"{prefix}_{name}"


def whole(value: int, context: Context) -> str:
    if context.kind == "FloatType":  # TorchScript makes no float of it
        return number(value, context)
    return repr(int(value))


def number(value: Any, context: Context) -> str:
    real = float(value)  # infinities are spelled with letters
    return repr(real) if math.isfinite(real) else f'float("{real}")'


def truth(value: bool, context: Context) -> str:
    if context.kind in ("NumberType", "TensorType"):
        return TRUE if value else FALSE
    return "True" if value else "False"


def complex_number(value: Json, context: Context) -> str:
    real, imaginary = (number(value[part], context) for part in ("real", "imag"))
    return f"complex({real}, {imaginary})"


def text(value: str, context: Context) -> str:
    """A quoted string; TorchScript knows octal escapes, and none of Unicode."""
    return '"' + "".join(map(character, value)) + '"'


def character(letter: str) -> str:
    if letter in '"\\' or ord(letter) < ord(" ") or ord(letter) == 127:
        return f"\\{ord(letter):03o}"
    return letter


def tensor(value: Json, context: Context) -> str:
    return name_of(value["name"], context)


def name_of(name: str, context: Context) -> str:
    found = context.names.get(name)
    if found is None:
        raise Untranslatable(f"`{name[:MAX_SHOWN]}` is used before it is there")
    return found


def symbol(value: Json, context: Context) -> str:
    """A number that is a name or a constant."""
    kind, inner = member_of(value)
    if kind != "as_name":
        return KINDS[kind](inner, context)
    name = name_of(inner, context)
    return f"float({name})" if context.kind == "FloatType" else name


def optional_tensor(value: Json, context: Context) -> str:
    kind, inner = member_of(value)
    return "None" if kind == "as_none" else tensor(inner, context)


def device(value: Json, context: Context) -> str:
    """A device of a file is wherever the program runs, but for one without memory."""
    name = "meta" if value["type"] == "meta" else str(context.device)
    return f"torch.device({text(name, context)})"


def constant_of(
    table: Mapping[int, Any], what: str, prefix: str = ""
) -> Callable[[int, Context], str]:
    def render(value: int, context: Context) -> str:
        if value not in table:
            raise Untranslatable(f"{what} {value} is not known here")
        return f"{prefix}{table[value]}"

    return render


def list_of(
    render: Callable[[Any, Context], str], type_: str
) -> Callable[[list[Any], Context], str]:
    """Lists; TorchScript must be told the type of an empty one."""

    def render_all(values: list[Any], context: Context) -> str:
        inner = context.element()
        items = f"[{', '.join(render(each, inner) for each in values)}]"
        if inner.type is not None and inner.type.kind() == "OptionalType" and "Tensor" in type_:
            return annotated(OPTIONAL_TENSORS, items)
        if values and type_ != OPTIONAL_TENSORS:
            return items
        known = inner.kind == "FloatType"
        return annotated("List[float]" if known else type_, items)

    return render_all


def annotated(type_: str, items: str) -> str:
    return f"torch.jit.annotate({type_}, {items})"


KINDS: Mapping[str, Callable[[Any, Context], str]] = {
    "as_none": lambda value, context: "None",
    "as_int": whole,
    "as_float": number,
    "as_bool": truth,
    "as_complex": complex_number,
    "as_string": text,
    "as_tensor": tensor,
    "as_optional_tensor": optional_tensor,
    "as_sym_int": symbol,
    "as_sym_float": symbol,
    "as_sym_bool": symbol,
    "as_scalar_type": constant_of(DTYPES, "data type"),
    "as_memory_format": constant_of(MEMORY_FORMATS, "memory format", "torch."),
    "as_layout": constant_of(LAYOUTS, "layout", "torch."),
    "as_device": device,
    "as_ints": list_of(whole, "List[int]"),
    "as_floats": list_of(number, "List[float]"),
    "as_bools": list_of(truth, "List[bool]"),
    "as_strings": list_of(text, "List[str]"),
    "as_tensors": list_of(tensor, "List[Tensor]"),
    "as_optional_tensors": list_of(optional_tensor, OPTIONAL_TENSORS),
    "as_sym_ints": list_of(symbol, "List[int]"),
    "as_sym_floats": list_of(symbol, "List[float]"),
    "as_sym_bools": list_of(symbol, "List[bool]"),
    "as_nested_tensors": list_of(list_of(tensor, "List[Tensor]"), "List[List[Tensor]]"),
    "as_int_lists": list_of(list_of(whole, "List[int]"), "List[List[int]]"),
    "as_float_lists": list_of(list_of(number, "List[float]"), "List[List[float]]"),
}
