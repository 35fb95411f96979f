"""Signatures of methods, also as plain data for workers that have not loaded the model."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from torch_serving.codecs.json._decoder import Argument, TypeSpec
from torch_serving.tensor_constraint import TensorConstraint

SignatureData = dict[str, Any]  # holds only what JSON can


class Signature(NamedTuple):
    """What a method takes and gives.

    `check` raises ServingError for arguments that don't go together, each of which is right.
    """

    arguments: tuple[Argument, ...]
    result: TypeSpec
    check: Callable[[Sequence[Any]], None] | None = None

    def __str__(self) -> str:
        arguments = ", ".join(
            f"{argument.name}: {argument.spec.type}"
            + ("" if argument.required else f" = {argument.default!r}")
            for argument in self.arguments
        )
        return f"({arguments}) -> {self.result.type}"

    def to_dict(self) -> SignatureData:
        arguments = [
            [each.name, type_to_list(each.spec), each.required, json_default(each.default)]
            for each in self.arguments
        ]
        return {"arguments": arguments, "result": type_to_list(self.result)}

    @classmethod
    def from_dict(cls, data: SignatureData) -> "Signature":
        """Undo `to_dict`, but for `check`; a default that JSON has no form for stays a string."""
        arguments = [
            Argument(name, type_from_list(spec), required, default)
            for name, spec, required, default in data["arguments"]
        ]
        return cls(tuple(arguments), type_from_list(data["result"]))


def type_to_list(spec: TypeSpec) -> list[Any]:
    data: list[Any] = [
        spec.kind,
        spec.type,
        [type_to_list(part) for part in spec.parts],
        list(spec.names),
    ]
    if spec.constraint is not None or spec.members or spec.closed or spec.kind == "constant":
        members = {key: type_to_list(part) for key, part in (spec.members or {}).items()}
        data += [spec.constraint and spec.constraint.to_dict(), members]
        data += [spec.closed, json_default(spec.value)]
    return data


def type_from_list(data: list[Any]) -> TypeSpec:
    kind, type_, parts, names, *declared = data
    constraint, members, closed, value = declared or (None, {}, False, None)
    return TypeSpec(
        kind,
        type_,
        *map(type_from_list, parts),
        names=tuple(names),
        constraint=constraint and TensorConstraint.from_dict(constraint),
        members={key: type_from_list(part) for key, part in members.items()}
        if members or closed
        else None,
        closed=closed,
        value=value,
    )


def json_default(default: Any) -> Any:
    """A default as JSON; a string for a value that JSON has no form for."""
    known = default is None or isinstance(default, bool | int | str)
    finite = isinstance(default, float) and math.isfinite(default)
    return default if known or finite else str(default)
