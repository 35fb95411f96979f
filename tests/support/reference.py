"""The contract's reader and writer once more: slow, in plain Python, and without the codec's code.

Every reader is given the path of its value. Errors are the classes of torch_serving.errors, with
the JSON Pointer to the value as their detail.
"""

from typing import Any

from tests.support.reference_containers import first_that_fits, may_be_array, value_of
from tests.support.reference_leaves import is_none
from tests.support.reference_values import Object, members_of, parse, refuse
from torch_serving import errors
from torch_serving.errors import InvalidInput, InvalidJson


def read(arguments: Any, body: bytes) -> list[Any]:
    """The values of the arguments in a body."""
    root = parse(body)
    if isinstance(root, Object) and is_named(arguments, root):
        return read_members(arguments, root)
    try:
        return read_enveloped(arguments, root)
    except InvalidJson:
        raise
    except errors.ServingError as error:
        return read_plain(arguments, root, error)


def read_members(arguments: Any, root: Object) -> list[Any]:
    """By name, or the members of the only argument, none of which has its name."""
    try:
        return read_named(arguments, members_of(root))
    except InvalidJson:
        raise
    except errors.ServingError as error:
        furthest = error
    if len(arguments) != 1 or not may_be_object(arguments[0].spec):
        raise furthest
    if arguments[0].name in members_of(root):
        raise furthest
    try:
        return [value_of(arguments[0].spec, root, (), True)]
    except InvalidJson:
        raise
    except errors.ServingError as error:
        raise max(furthest, error, key=lambda each: place(root, each.path)) from None


def place(root: Any, path: tuple[Any, ...]) -> tuple[int, list[int]]:
    """How deep a value lies, and which of the members or elements lead to it."""
    steps = []
    for step in path:
        keys = [key for key, _ in root.pairs] if isinstance(root, Object) else range(len(root))
        steps.append(list(keys).index(step))
        root = root.pairs[steps[-1]][1] if isinstance(root, Object) else root[step]
    return len(path), steps


def may_be_object(spec: Any) -> bool:
    if spec.kind in ("optional", "union"):
        return any(may_be_object(part) for part in spec.parts)
    if spec.kind == "dict":
        return spec.parts[0].kind == "str"
    return spec.kind == "tuple" and bool(spec.names)


def is_named(arguments: Any, root: Object) -> bool:
    names = [argument.name for argument in arguments]
    if "type" not in members_of(root):
        return True
    if "type" not in names or not set(members_of(root)) <= set(names):
        return False
    if len(arguments) > 1:
        return True
    may_be_none = arguments[0].spec.kind in ("none", "optional", "union", "any")
    return not (may_be_none and is_none(root, ()))


def read_plain(arguments: Any, root: Any, furthest: Any) -> list[Any]:
    """The one reading that fits where values may stand without envelopes."""
    found = []
    readings = [lambda: read_positional(arguments, root, True)]
    is_list = isinstance(root, list)
    may_be_numbers = root and not any(isinstance(each, Object) for each in root) if is_list else 1
    if len(arguments) == 1 and (may_be_array(arguments[0].spec) or may_be_numbers):
        readings.append(lambda: [value_of(arguments[0].spec, root, (), True)])
    for reading in reversed(readings):
        try:
            found.append(reading())
        except InvalidJson:  # noqa: PERF203
            raise
        except errors.ServingError as error:
            furthest = max(furthest, error, key=lambda each: place(root, each.path))
    if len(found) > 1:
        raise refuse(InvalidInput, (0,))
    if not found:
        raise furthest
    return found[0]


def read_enveloped(arguments: Any, root: Any) -> list[Any]:
    if len(arguments) != 1:
        return read_positional(arguments, root)
    spec = arguments[0].spec
    if type(root) is not list or (may_be_array(spec) and len(root) > 1):
        return [value_of(spec, root, (), False)]
    if not may_be_array(spec):
        return read_positional(arguments, root)
    if not root:
        return [value_of(spec, root, (), False)] if arguments[0].required else []
    return first_that_fits(
        lambda: read_positional(arguments, root), lambda: [value_of(spec, root, (), False)]
    )


def read_positional(arguments: Any, root: Any, plain: bool = False) -> list[Any]:
    required = sum(argument.required for argument in arguments)
    if type(root) is not list or not required <= len(root) <= len(arguments):
        raise refuse(InvalidInput, ())
    return [
        value_of(argument.spec, value, (index,), plain)
        for index, (argument, value) in enumerate(zip(arguments, root, strict=False))
    ]


def read_named(arguments: Any, members: dict[str, Any]) -> list[Any]:
    for name in members:
        if name not in [argument.name for argument in arguments]:
            raise refuse(InvalidInput, (name,))
    values = []
    for argument in arguments:
        if argument.name in members:
            values.append(value_of(argument.spec, members[argument.name], (argument.name,), True))
        elif argument.required:
            raise refuse(InvalidInput, ())
        else:
            values.append(argument.default)
    return values
