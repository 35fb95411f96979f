"""Tensors that a model's TOML file declares: `[input.ids]`, `[method.encode.input."a.b"]`."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch

from torch_serving.codecs.constraints import (
    UndeclarableError,
    with_constraint,
    with_weights_type,
)
from torch_serving.codecs.json._decoder import DATA_TYPE_NAMES, MAX_RANK
from torch_serving.codecs.signature import Signature
from torch_serving.errors import InvalidServable
from torch_serving.model_config import DeclaredTensor, ModelConfig
from torch_serving.models.backends.interfaces import Program
from torch_serving.suggestions import did_you_mean
from torch_serving.tensor_constraint import MAX_SIZE, USUAL_TYPE, Dimension, TensorConstraint

KEYS = ("data_type", "shape")
BOUNDS = ("name", "min", "max")
USUAL: torch.dtype = getattr(torch, USUAL_TYPE)
SYMBOL = re.compile(r"[A-Za-z_]\w*", re.ASCII)
Keys = tuple[str, ...]  # the way to a value of the file


class TomlFile:
    """A TOML file's name and text, to say where a mistake is."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self._text = text

    def at(self, keys: Keys) -> str:
        """The file, and the line in which a value's last key stands, if that is found."""
        position = 0
        for key in keys:
            match = re.compile(
                rf"(?:^|[\[.{{,])[ \t]*[\"']?{re.escape(key)}[\"']?[ \t]*(?=[=.\]])", re.MULTILINE
            ).search(self._text, position)
            if match is not None:
                position = match.end()
        return f"{self.name} line {self._text.count(chr(10), 0, position) + 1}"

    def error(self, keys: Keys, problem: str) -> InvalidServable:
        name = ".".join(quoted(key) for key in keys)
        return InvalidServable(f"{self.at(keys)}: `{name}`: {problem}")


def quoted(key: str) -> str:
    return key if re.fullmatch(r"[\w-]+", key) else f'"{key}"'


def read_inputs(file: TomlFile, value: Any) -> tuple[DeclaredTensor, ...]:
    """Read `input`: tables of the main method's tensors. Raises InvalidServable."""
    return tuple(inputs_at(file, ("input",), value, ""))


def read_methods(file: TomlFile, value: Any) -> tuple[DeclaredTensor, ...]:
    """Read `method`: a table for each method, which has `input`. Raises InvalidServable."""
    found: list[DeclaredTensor] = []
    for method, settings in table(file, ("method",), value).items():
        keys = ("method", method)
        for key, inputs in table(file, keys, settings).items():
            if key != "input":
                hint = did_you_mean(key, ("input",), "`")
                raise file.error((*keys, key), f"unknown key; known is input{hint}")
            found += inputs_at(file, (*keys, key), inputs, method)
    return tuple(found)


def inputs_at(file: TomlFile, keys: Keys, value: Any, method: str) -> Iterator[DeclaredTensor]:
    for name, declaration in table(file, keys, value).items():
        yield from tensors_at(file, (*keys, name), declaration, (method, name))


def tensors_at(
    file: TomlFile, keys: Keys, value: Any, tensor: tuple[str, str]
) -> Iterator[DeclaredTensor]:
    """The tensor that a table declares, and those in tables below it."""
    method, path = tensor
    own = {}
    for key, each in table(file, keys, value).items():
        if isinstance(each, dict):
            yield from tensors_at(file, (*keys, key), each, (method, f"{path}.{key}"))
        elif key in KEYS:
            own[key] = each
        else:
            known = f"{', '.join(KEYS)}{did_you_mean(key, KEYS, '`')}"
            raise file.error((*keys, key), f"unknown key; known are {known}")
    if own or not value:
        yield DeclaredTensor(file.at(keys), method, path, constraint(file, keys, own))


def table(file: TomlFile, keys: Keys, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise file.error(keys, f"expected a table, got {value!r:.80}")
    return value


def constraint(file: TomlFile, keys: Keys, own: Mapping[str, Any]) -> TensorConstraint:
    if not own:
        raise file.error(keys, f"expected {' or '.join(KEYS)}")
    data_type, shape = own.get("data_type", ""), own.get("shape")
    if "data_type" in own and data_type not in DATA_TYPE_NAMES:
        known = ", ".join(DATA_TYPE_NAMES)
        raise file.error((*keys, "data_type"), f"expected one of {known}, got {data_type!r:.40}")
    if shape is None:
        return TensorConstraint(data_type)
    if not isinstance(shape, list) or len(shape) > MAX_RANK:
        problem = f"expected a list of at most {MAX_RANK} dimensions, got {shape!r:.80}"
        raise file.error((*keys, "shape"), problem)
    try:
        return TensorConstraint(data_type, tuple([dimension(each) for each in shape]))
    except ValueError as error:
        raise file.error((*keys, "shape"), str(error)) from None


def dimension(value: Any) -> Dimension:
    """Read a size, -1, a name, or a table with `name`, `min` and `max`. Raises ValueError."""
    if isinstance(value, str):
        return Dimension(symbol=checked_name(value))
    if is_size(value):
        return Dimension(value, value)
    if type(value) is int and value == -1:
        return Dimension()
    if isinstance(value, dict) and value and value.keys() <= set(BOUNDS):
        least, most = value.get("min", 0), value.get("max")
        if is_size(least) and (most is None or (is_size(most) and least <= most)):
            name = value.get("name", "")
            return Dimension(least, most, checked_name(name) if "name" in value else "")
    raise ValueError(
        "a dimension is a size, -1 for any, a name, or a table of name, min and max; "
        f"got {value!r:.80}"
    )


def is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < MAX_SIZE


def checked_name(name: Any) -> str:
    if not isinstance(name, str) or not SYMBOL.fullmatch(name):
        raise ValueError(f"the name of a dimension has letters, digits and `_`; got {name!r:.80}")
    return name


def declared_signatures(
    program: Program, config: ModelConfig, main_name: str
) -> dict[str, Signature]:
    """The signatures of a program's methods, but for those that no request can call.

    Raises InvalidServable, with file and line, for a declaration of what is not there.
    """
    methods = program.methods()
    for tensor in config.method:
        if tensor.method not in methods:
            known = f"{', '.join(methods)}{did_you_mean(tensor.method, methods, '`')}"
            raise InvalidServable(
                f"{tensor.source}: there is no method `{tensor.method}`; known are {known}"
            )
    signatures: dict[str, Signature] = {}
    for name, method in methods.items():
        try:
            signature = method.signature
        except InvalidServable:
            continue
        declared = config.declared(name, name == main_name)
        signatures[name] = with_declarations(
            with_plain_type(signature, program.plain_dtype), declared
        )
    return signatures


def with_plain_type(signature: Signature, dtype: torch.dtype | None) -> Signature:
    data_type = str(dtype).removeprefix("torch.")
    return signature if dtype in (None, USUAL) else with_weights_type(signature, data_type)


def with_declarations(signature: Signature, tensors: Iterable[DeclaredTensor]) -> Signature:
    declared: set[str] = set()
    for tensor in tensors:
        if tensor.path in declared:
            raise InvalidServable(f"{tensor.source}: `{tensor.path}` is declared twice")
        declared.add(tensor.path)
        try:
            signature = with_constraint(signature, tensor.path, tensor.constraint)
        except UndeclarableError as error:
            raise InvalidServable(f"{tensor.source}: {error}") from None
    return signature
