"""The reference's readers of values that hold other values."""

from typing import Any, NamedTuple

from tests.support.reference_leaves import (
    EXACT,
    KEYS,
    SCALARS,
    is_none,
    members_of_envelope,
    read_enum,
    read_none,
    read_scalar,
    read_str,
    read_tensor,
)
from tests.support.reference_values import (
    Object,
    is_container,
    members_of,
    refuse,
)
from torch_serving import errors
from torch_serving.errors import InvalidInput, InvalidJson


def may_be_array(spec: Any) -> bool:
    if spec.kind in ("optional", "union"):
        return any(may_be_array(part) for part in spec.parts)
    return spec.kind in ("list", "tuple", "any")


def first_that_fits(*readings: Any) -> Any:
    furthest = None
    for reading in readings:
        try:
            return reading()
        except InvalidJson:  # noqa: PERF203
            raise
        except errors.ServingError as error:
            if furthest is None or error.depth > furthest.depth:
                furthest = error
    raise furthest


def value_of(spec: Any, value: Any, path: tuple[Any, ...], plain: bool) -> Any:
    """The value that a spec asks for; `plain`: it may stand without an envelope."""
    if spec.kind in SCALARS:
        return read_scalar(spec.kind, value, path, plain)
    return READERS[spec.kind](spec, value, path, plain)


def read_optional(spec: Any, value: Any, path: tuple[Any, ...], plain: bool) -> Any:
    return None if is_none(value, path) else value_of(spec.parts[0], value, path, plain)


def read_union(spec: Any, value: Any, path: tuple[Any, ...], plain: bool) -> Any:
    """Parts are first tried with `1.0` as a float only, then with `1.0` as an integer, too."""

    def first() -> Any:
        return first_that_fits(
            *[lambda part=part: value_of(part, value, path, plain) for part in spec.parts]
        )

    if EXACT:
        return first()
    EXACT.append(True)
    try:
        return first()
    except InvalidJson:
        raise
    except errors.ServingError:
        pass
    finally:
        EXACT.pop()
    return first()


def read_list(spec: Any, value: Any, path: tuple[Any, ...], plain: bool) -> list[Any]:
    if isinstance(value, Object) and spec.parts[0].kind == "tensor":
        value, path = members_of_envelope(value, path, "tensor_list")["value"], (*path, "value")
    if type(value) is not list:
        raise refuse(InvalidInput, path, value)
    return elements_of(spec.parts[0], value, path, plain)


def elements_of(part: Any, value: list[Any], path: tuple[Any, ...], plain: bool) -> list[Any]:
    return [value_of(part, each, (*path, i), plain) for i, each in enumerate(value)]


def read_tuple(spec: Any, value: Any, path: tuple[Any, ...], plain: bool) -> tuple[Any, ...]:
    if spec.names and isinstance(value, Object):
        if not plain or is_envelope(value, ("named_tuple",), spec.names):
            value, path = members_of_envelope(value, path, "named_tuple")["value"], (*path, "value")
        if not isinstance(value, Object) or members_of(value).keys() != set(spec.names):
            raise refuse(InvalidInput, path)
        fields = members_of(value)
        parts = zip(spec.names, spec.parts, strict=True)
        return tuple(value_of(part, fields[name], (*path, name), plain) for name, part in parts)
    if type(value) is not list or len(value) != len(spec.parts):
        raise refuse(InvalidInput, path, value)
    return tuple(value_of(spec.parts[i], v, (*path, i), plain) for i, v in enumerate(value))


def read_dict(spec: Any, value: Any, path: tuple[Any, ...], plain: bool) -> dict[Any, Any]:
    keys, values = spec.parts
    types = ["generic_dict", *(["tensor_dict"] if values.kind == "tensor" else [])]
    if not plain or (isinstance(value, Object) and is_envelope(value, types)):
        members = members_of_envelope(value, path, *types)
        check_key_type(members, keys.kind, path)
        value, path = members["value"], (*path, "value")
    return dict_of(keys, values, value, path, plain)


def is_envelope(value: Object, types: Any, fields: Any = ()) -> bool:
    """Whether an object is no plain value: one may have a key `type`, too."""
    members = members_of(value)
    if not isinstance(members.get("type"), str):
        return False
    if members["type"] in types:
        return True
    return "type" not in fields and is_container(members.get("value"))


def check_key_type(members: dict[str, Any], kind: str, path: tuple[Any, ...]) -> None:
    if "key_type" not in members:
        if kind != "str":
            raise refuse(InvalidInput, path)
    elif members["key_type"] != kind:
        raise refuse(InvalidInput, (*path, "key_type"), members["key_type"])


def dict_of(
    keys: Any, values: Any, value: Any, path: tuple[Any, ...], plain: bool
) -> dict[Any, Any]:
    if keys.kind == "str":
        if not isinstance(value, Object):
            raise refuse(InvalidInput, path)
        members = members_of(value).items()
        return {key: value_of(values, member, (*path, key), plain) for key, member in members}
    if type(value) is not list:
        raise refuse(InvalidInput, path, value)
    result: dict[Any, Any] = {}
    for index, pair in enumerate(value):
        if type(pair) is not list or len(pair) != 2:
            raise refuse(InvalidInput, (*path, index), pair)
        key = value_of(keys, pair[0], (*path, index, 0), True)
        if key in result:
            raise refuse(InvalidInput, (*path, index, 0))
        result[key] = value_of(values, pair[1], (*path, index, 1), plain)
    return result


class Spec(NamedTuple):
    kind: str
    parts: tuple[Any, ...] = ()
    names: tuple[str, ...] = ()


TENSORS = Spec("tensor")
SELF_SAYING = {
    "tensor": TENSORS, "image": TENSORS, "tensor_list": Spec("list", (TENSORS,)),
    "tensor_dict": Spec("dict", (Spec("str"), TENSORS)), "scalar": Spec("number"),
    "string": Spec("str"),
}  # fmt: skip


def read_any(spec: Any, value: Any, path: tuple[Any, ...], plain: bool) -> Any:
    if is_none(value, path):
        return None
    if type(value) is list:
        return elements_of(spec, value, path, plain)
    if not isinstance(value, Object) or "type" not in members_of(value):
        raise refuse(InvalidInput, path)
    members = members_of(value)
    if members["type"] == "generic_dict":
        keys = members.get("key_type", "str")
        if keys not in KEYS:
            raise refuse(InvalidInput, (*path, "key_type"), keys)
        return read_dict(Spec("dict", (Spec(keys), spec)), value, path, plain)
    if not isinstance(members["type"], str) or members["type"] not in SELF_SAYING:
        raise refuse(InvalidInput, (*path, "type"), members["type"])
    return value_of(SELF_SAYING[members["type"]], value, path, plain)


READERS = {
    "any": read_any, "dict": read_dict, "enum": read_enum, "list": read_list, "none": read_none,
    "optional": read_optional, "str": read_str, "tensor": read_tensor, "tuple": read_tuple,
    "union": read_union,
}  # fmt: skip
