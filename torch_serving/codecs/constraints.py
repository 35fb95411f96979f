"""What is declared of tensors in arguments: how it gets into a signature, and how it is checked.

A tensor is named by its path, as in binary bodies: `ids`, `features.user_id`, `images.*`, where `*`
stands for all elements of a list, or for all keys of a dictionary.
"""

from collections.abc import Callable, Iterator, Sequence

import torch

from torch_serving.codecs.json._decoder import Argument, TypeSpec
from torch_serving.codecs.signature import Signature
from torch_serving.codecs.tensor_tree.specs import EACH, fields_of, joined
from torch_serving.errors import IncompatibleDtype, IncompatibleShape
from torch_serving.tensor_constraint import TensorConstraint

Change = Callable[[TypeSpec], TypeSpec]


class UndeclarableError(Exception):
    """A declaration names no tensor of the signature; the message says what is wrong."""


def with_constraint(signature: Signature, path: str, constraint: TensorConstraint) -> Signature:
    """Return a signature in which one tensor has a constraint. Raises UndeclarableError."""
    name, *steps = path.split(".")
    if name not in [argument.name for argument in signature.arguments]:
        known = ", ".join(tensor_paths(signature)) or "none"
        raise UndeclarableError(f"there is no argument `{name}`; known tensors are {known}")

    def declare(spec: TypeSpec) -> TypeSpec:
        known = spec.constraint or TensorConstraint()
        if known.data_type and known.type_problem(constraint.data_type or known.data_type):
            raise UndeclarableError(f"`{path}` is {known.data_type}, not {constraint.data_type}")
        try:
            return rebuilt(spec, constraint=known.with_declared(constraint))
        except ValueError as error:
            raise UndeclarableError(f"`{path}`: {error}") from None

    return with_arguments(signature, lambda each: at_path(each.spec, name, steps, declare), {name})


def with_weights_type(signature: Signature, data_type: str) -> Signature:
    """Return a signature whose tensors take this data type where numbers come plain."""

    def set_type(spec: TypeSpec) -> TypeSpec:
        if spec.kind == "tensor":
            known = spec.constraint or TensorConstraint()
            return rebuilt(spec, constraint=known._replace(weights_type=data_type))
        members = {key: set_type(part) for key, part in (spec.members or {}).items()}
        return rebuilt(spec, tuple(map(set_type, spec.parts)), members=members)

    return with_arguments(signature, lambda each: set_type(each.spec))


def with_arguments(
    signature: Signature, spec_of: Callable[[Argument], TypeSpec], names: set[str] | None = None
) -> Signature:
    """Return a signature in which some arguments, or all, have other types."""
    arguments = [
        Argument(each.name, spec_of(each), each.required, each.default)
        if names is None or each.name in names
        else each
        for each in signature.arguments
    ]
    return signature._replace(arguments=tuple(arguments))


def rebuilt(
    spec: TypeSpec,
    parts: Sequence[TypeSpec] | None = None,
    constraint: TensorConstraint | None = None,
    members: dict[str, TypeSpec] | None = None,
) -> TypeSpec:
    return TypeSpec(
        spec.kind,
        spec.type,
        *(spec.parts if parts is None else parts),
        names=spec.names,
        constraint=constraint or spec.constraint,
        members=members or spec.members,
        closed=spec.closed,
        value=spec.value,
    )


def at_path(spec: TypeSpec, name: str, steps: list[str], change: Change) -> TypeSpec:
    """Change the tensor that `steps` lead to from a value called `name`."""
    if spec.kind == "optional":
        return rebuilt(spec, [at_path(spec.parts[0], name, steps, change)])
    if not steps:
        if spec.kind != "tensor":
            raise UndeclarableError(f"`{name}` is of type {spec.type}, and no tensor")
        return change(spec)
    step, *others = steps
    if spec.kind == "dict" and spec.parts[0].kind == "str":
        return in_dictionary(spec, name, steps, change)
    if spec.kind == "list":
        if step != EACH:
            raise UndeclarableError(f"`{name}.{step}`: all elements of a list are `{name}.*`")
        return rebuilt(spec, [at_path(spec.parts[0], f"{name}.*", others, change)])
    fields = [str(field) for field in fields_of(spec)] if spec.kind == "tuple" else []
    if step not in fields:
        known = f"it has {', '.join(fields)}" if fields else f"it is of type {spec.type}"
        raise UndeclarableError(f"`{name}` has no part `{step}`: {known}")
    parts = list(spec.parts)
    index = fields.index(step)
    parts[index] = at_path(parts[index], f"{name}.{step}", others, change)
    return rebuilt(spec, parts)


def in_dictionary(spec: TypeSpec, name: str, steps: list[str], change: Change) -> TypeSpec:
    keys, values = spec.parts
    if values.kind == "tensor":  # then a key may hold points
        steps = [".".join(steps)]
    step, *others = steps
    members = spec.members or {}
    if spec.closed and step not in members:
        raise UndeclarableError(f"`{name}` has no part `{step}`: it has {', '.join(members)}")
    if step == EACH:
        return rebuilt(spec, [keys, at_path(values, f"{name}.*", others, change)])
    part = at_path(members.get(step, values), f"{name}.{step}", others, change)
    return rebuilt(spec, members={**members, step: part})


def tensor_paths(signature: Signature) -> list[str]:
    """The tensors that may be declared."""
    return [
        name
        for argument in signature.arguments
        for name, _ in tensors_of_type(argument.spec, argument.name)
    ]


def tensors_of_type(spec: TypeSpec, name: str) -> Iterator[tuple[str, TypeSpec]]:
    """The tensors in a value of a type, by path."""
    if spec.kind == "tensor":
        yield name, spec
    elif spec.kind == "optional":
        yield from tensors_of_type(spec.parts[0], name)
    elif spec.kind == "list":
        yield from tensors_of_type(spec.parts[0], joined(name, EACH))
    elif spec.kind == "tuple":
        for part, field in zip(spec.parts, fields_of(spec), strict=True):
            yield from tensors_of_type(part, joined(name, field))
    elif spec.kind == "dict":
        for key, part in (spec.members or {}).items():
            yield from tensors_of_type(part, joined(name, key))
        if not spec.closed:
            yield from tensors_of_type(spec.parts[1], joined(name, EACH))


def constraints_of(argument: Argument) -> dict[str, TensorConstraint]:
    """What is declared of the tensors of an argument, by path."""
    return constraints_in(argument.spec, argument.name)


def constraints_in(type_spec: TypeSpec, name: str) -> dict[str, TensorConstraint]:
    """What is declared of the tensors in a value of a type, by path."""
    return {
        name: spec.constraint
        for name, spec in tensors_of_type(type_spec, name)
        if spec.constraint is not None and spec.constraint.is_declared
    }


def check_tensor(tensor: torch.Tensor, constraint: TensorConstraint, location: str) -> None:
    """Raise IncompatibleDtype or IncompatibleShape for a tensor that is not as declared."""
    problem = constraint.type_problem(str(tensor.dtype).removeprefix("torch."))
    if problem:
        raise IncompatibleDtype(f"{location}: {problem}")
    problem = constraint.shape_problem(tensor.shape)
    if problem:
        raise IncompatibleShape(f"{location}: {problem}")
