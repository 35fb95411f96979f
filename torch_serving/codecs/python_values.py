"""Tensors, arrays and plain values of Python -> the arguments of a method.

What a mapping or a sequence holds is checked against the signature, as a codec checks a body, and
raises the same errors. Tensors and arrays are not copied where they can be used as they are: a
model that writes into its inputs writes into the caller's.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from torch_serving.codecs.constants import expected_constant, is_constant
from torch_serving.codecs.constraints import check_tensor
from torch_serving.codecs.interfaces import Headers, MethodInfo
from torch_serving.codecs.json._decoder import Argument, TypeSpec
from torch_serving.codecs.plain_tensors import as_plain_type, to_tensor
from torch_serving.codecs.symbols import Check
from torch_serving.errors import IncompatibleDtype, InvalidInput, ServingError

Arguments = Mapping[str, Any] | Sequence[Any]

MAX_INT64 = (1 << 63) - 1


class PythonInvocation:
    """A request that is made of Python's values; its result stays as the model returns it."""

    headers: Headers = ()

    def __init__(self, method: MethodInfo) -> None:
        self.model = method.model
        self.device = method.device
        self.batcher = method.batcher
        self.device_method = method.device_method
        self.inline = method.inline_for("python")
        self.counters = method.counters
        self.run = method.run
        self.translate = method.translate
        reader = ValueReader(method.make_enum)
        self.decode = functools.partial(
            read_arguments, reader, method.signature.arguments, method.check
        )

    @staticmethod
    def encode(outputs: Any) -> Any:
        return outputs


class ValueReader:
    """Makes values. `make_enum` makes a member of an enumeration."""

    def __init__(self, make_enum: Callable[[str, str], Any]) -> None:
        self.make_enum = make_enum

    def read(self, spec: TypeSpec, value: Any, location: str) -> Any:
        return READERS[spec.kind](self, spec, value, location)


def check_container(values: Any) -> None:
    """Raise InvalidInput for arguments that are neither a mapping nor a list or tuple."""
    if not isinstance(values, Mapping | list | tuple):
        given = type_name(values)
        raise InvalidInput(f"expected a mapping or a sequence of arguments, got {given}")


def read_arguments(
    reader: ValueReader, arguments: Sequence[Argument], check: Check | None, values: Arguments
) -> list[Any]:
    """Read a mapping by names, or a sequence by positions.

    Raises InvalidInput for an argument that is missing, unknown or of another type, and
    IncompatibleDtype for a number that the type does not hold.
    """
    given = dict(values) if isinstance(values, Mapping) else by_position(arguments, values)
    result = []
    for argument in arguments:
        if argument.name in given:
            value = given.pop(argument.name)
            result.append(reader.read(argument.spec, value, f"argument `{argument.name}`"))
        elif argument.required:
            raise InvalidInput(f"argument `{argument.name}`: {argument.spec.type} is missing")
        else:
            result.append(argument.default)
    if given:
        raise InvalidInput(f"unknown argument `{next(iter(given))}`; expected {names(arguments)}")
    if check is not None:
        check(result)
    return result


def by_position(arguments: Sequence[Argument], values: Sequence[Any]) -> dict[str, Any]:
    if len(values) > len(arguments):
        raise InvalidInput(f"expected {names(arguments)}, got {len(values)} arguments")
    return {argument.name: value for argument, value in zip(arguments, values, strict=False)}


def names(arguments: Sequence[Argument]) -> str:
    return ", ".join(argument.name for argument in arguments) or "no arguments"


def type_name(value: Any) -> str:
    return type(value).__name__


def unexpected(spec: TypeSpec, value: Any, location: str) -> InvalidInput:
    return InvalidInput(f"{location}: expected {spec.type}, got {type_name(value)}")


def read_tensor(reader: ValueReader, spec: TypeSpec, value: Any, location: str) -> torch.Tensor:
    constraint = spec.constraint
    try:
        tensor = to_tensor(value).cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        if isinstance(value, np.ndarray | np.generic):
            raise IncompatibleDtype(f"{location}: torch has no {value.dtype}") from None
        raise InvalidInput(f"{location}: no tensor can be made of this: {error}") from None
    if constraint is not None:
        if not isinstance(value, torch.Tensor | np.ndarray | np.generic):
            tensor = as_plain_type(tensor, constraint, location)
        check_tensor(tensor, constraint, location)
    return tensor


def read_number(reader: ValueReader, spec: TypeSpec, value: Any, location: str) -> Any:
    """A number, or a tensor or an array of one element."""
    if isinstance(value, torch.Tensor | np.ndarray | np.generic):
        value = single_element(value, location)
    if not isinstance(value, bool | int | float | complex):
        raise unexpected(spec, value, location)
    result = convert(spec.kind, value)
    if result is None:
        raise IncompatibleDtype(f"{location}: expected {spec.type}, got {type_name(value)} {value}")
    return result


def single_element(value: Any, location: str) -> Any:
    if int(np.prod(value.shape)) != 1:
        raise InvalidInput(f"{location}: expected one number, got shape {list(value.shape)}")
    return value.item()


def convert(kind: str, value: bool | int | float | complex) -> Any:
    """A number as another kind of number, or None where that would change it."""
    if kind == "bool":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool):
        return None
    if isinstance(value, int) and not -MAX_INT64 - 1 <= value <= MAX_INT64:
        return None
    if kind == "complex":
        return complex(value)
    if isinstance(value, complex):
        return None
    if kind == "number":
        return value
    if kind == "float":
        return float(value)
    return value if isinstance(value, int) else None


def read_text(reader: ValueReader, spec: TypeSpec, value: Any, location: str) -> str:
    if isinstance(value, str):
        return value
    raise unexpected(spec, value, location)


def read_device(reader: ValueReader, spec: TypeSpec, value: Any, location: str) -> torch.device:
    try:
        return torch.device(value)
    except (RuntimeError, TypeError):
        raise unexpected(spec, value, location) from None


def read_enum(reader: ValueReader, spec: TypeSpec, value: Any, location: str) -> Any:
    """A member, or its name."""
    name = getattr(value, "name", value)
    if name not in spec.names:
        raise InvalidInput(f"{location}: expected one of {', '.join(spec.names)}, got {name!r:.40}")
    return reader.make_enum(spec.type, name)


def read_none(reader: ValueReader, spec: TypeSpec, value: Any, location: str) -> None:
    if value is not None:
        raise unexpected(spec, value, location)


def read_optional(reader: ValueReader, spec: TypeSpec, value: Any, location: str) -> Any:
    return None if value is None else reader.read(spec.parts[0], value, location)


def read_union(reader: ValueReader, spec: TypeSpec, value: Any, location: str) -> Any:
    """The first of the types that the value has."""
    for part in spec.parts:
        with contextlib.suppress(ServingError):
            return reader.read(part, value, location)
    raise unexpected(spec, value, location)


def read_list(reader: ValueReader, spec: TypeSpec, value: Any, location: str) -> list[Any]:
    if isinstance(value, np.ndarray) and spec.parts[0].kind != "tensor":
        value = value.tolist()
    if not isinstance(value, list | tuple):
        raise unexpected(spec, value, location)
    part = spec.parts[0]
    return [reader.read(part, each, f"{location}[{at}]") for at, each in enumerate(value)]


def read_tuple(reader: ValueReader, spec: TypeSpec, value: Any, location: str) -> tuple[Any, ...]:
    """A sequence, or a mapping from the fields of a named tuple, or an object that has them."""
    if dataclasses.is_dataclass(value) and spec.names:
        value = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping) and spec.names:
        known = dict(zip(spec.names, spec.parts, strict=True))
        value = list(members_of(known, value, location, "fields").values())
    if not isinstance(value, list | tuple) or len(value) != len(spec.parts):
        raise unexpected(spec, value, location)
    pairs = zip(spec.parts, value, strict=True)
    return tuple(
        [reader.read(part, each, f"{location}[{at}]") for at, (part, each) in enumerate(pairs)]
    )


def read_dict(reader: ValueReader, spec: TypeSpec, value: Any, location: str) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise unexpected(spec, value, location)
    keys, values = spec.parts
    members = spec.members or {}
    if spec.closed:
        given = members_of(members, value, location, "keys")
        return {
            key: reader.read(part, given[key], f"{location}[{key!r}]")
            for key, part in members.items()
        }
    return {
        reader.read(keys, key, f"a key of {location}"): reader.read(
            members.get(key, values), each, f"{location}[{key!r}]"
        )
        for key, each in value.items()
    }


def members_of(
    known: Mapping[str, TypeSpec], value: Mapping[Any, Any], location: str, what: str
) -> dict[str, Any]:
    """The known members of a mapping; constants may be left out."""
    missing = [key for key, part in known.items() if key not in value and part.kind != "constant"]
    if missing or set(value) - set(known):
        given = ", ".join(map(str, value))[:200] or "none"
        raise InvalidInput(f"{location}: expected the {what} {', '.join(known)}, got {given}")
    return {key: value.get(key, part.value) for key, part in known.items()}


def read_constant(reader: ValueReader, spec: TypeSpec, value: Any, location: str) -> Any:
    with contextlib.suppress(ServingError):
        if is_constant(reader.read(spec.parts[0], value, location), spec.value):
            return spec.value
    raise InvalidInput(f"{location}: expected {expected_constant(spec.value)}, got {value!r:.60}")


def read_any(reader: ValueReader, spec: TypeSpec, value: Any, location: str) -> Any:
    if isinstance(value, torch.Tensor | np.ndarray):
        return read_tensor(reader, spec, value, location)
    return value


READERS: dict[str, Callable[[ValueReader, TypeSpec, Any, str], Any]] = {
    "any": read_any,
    "bool": read_number,
    "complex": read_number,
    "constant": read_constant,
    "device": read_device,
    "dict": read_dict,
    "enum": read_enum,
    "float": read_number,
    "int": read_number,
    "list": read_list,
    "none": read_none,
    "number": read_number,
    "optional": read_optional,
    "str": read_text,
    "tensor": read_tensor,
    "tuple": read_tuple,
    "union": read_union,
}
