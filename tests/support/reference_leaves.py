"""The reference's readers of values that hold no other values."""

from typing import Any

from tests.support.reference_values import (
    COMPLEX,
    FLOATS,
    INTEGERS,
    Number,
    Object,
    Tensor,
    declared,
    is_container,
    is_run,
    measure,
    members_of,
    refuse,
    to_numpy,
    without_pairs,
)
from torch_serving.errors import IncompatibleDtype, InvalidInput

WHOLE = {"int": "int64", "uint8": "uint8"} | {
    f"int{bits}": f"int{bits}" for bits in (8, 16, 32, 64)
}
BROKEN = {"float": "float64"} | {f"float{bits}": f"float{bits}" for bits in (16, 32, 64)}
PAIRED = {name: name for name in COMPLEX}
ALL = WHOLE | BROKEN | PAIRED | {"bool": "bool"}
# what a scalar of each kind may call itself, and the name where it says nothing
SCALARS = {
    "bool": ({"bool": "bool"}, "bool"), "int": (WHOLE, "int"), "float": (WHOLE | BROKEN, "float"),
    "complex": (WHOLE | BROKEN | PAIRED, "complex128"), "number": (ALL, None),
}  # fmt: skip
# which keys an envelope of each type may have, beside its type and value
ENVELOPE_KEYS = {
    "tensor": {"data_type", "shape"}, "scalar": {"data_type"}, "named_tuple": {"name"},
    "tensor_dict": {"key_type"}, "generic_dict": {"key_type"},
    "image": {"data_type", "mode", "layout", "batch"},
}  # fmt: skip
EXACT: list[bool] = []  # holds something while `1.0` is no integer
KEYS = ("str", "int", "float", "bool", "complex", "tensor")


def members_of_envelope(value: Any, path: tuple[Any, ...], *types: str) -> dict[str, Any]:
    """The members of an envelope of one of these types."""
    if not isinstance(value, Object):
        raise refuse(InvalidInput, path)
    members = members_of(value)
    if "type" not in members:
        raise refuse(InvalidInput, path)
    if members["type"] not in types:
        raise refuse(InvalidInput, (*path, "type"), members["type"])
    check_keys(members, path)
    if "value" not in members:
        raise refuse(InvalidInput, path)
    return members


def check_keys(members: dict[str, Any], path: tuple[Any, ...]) -> None:
    for key in members:
        if key not in {"type", "value"} | ENVELOPE_KEYS.get(members["type"], set()):
            raise refuse(InvalidInput, (*path, key))


def read_tensor(spec: Any, value: Any, path: tuple[Any, ...], plain: bool) -> Tensor:
    if plain and not isinstance(value, Object):
        return Tensor(to_numpy(value, measure(value, path), "float32", path), "float32")
    members = members_of_envelope(value, path, "tensor", "image")
    data_type = members.get("data_type", "float32")
    if not isinstance(data_type, str) or data_type not in ALL | INTEGERS | FLOATS:
        raise refuse(IncompatibleDtype, (*path, "data_type"))
    if data_type in ("int", "float"):  # names of scalars only
        raise refuse(IncompatibleDtype, (*path, "data_type"))
    if members["type"] == "image":
        raise refuse(InvalidInput, path)  # nobody reads them here
    value, inside = members["value"], (*path, "value")
    shape = measure(value, inside)
    if data_type in COMPLEX:
        shape = without_pairs(shape, inside)
    if "shape" in members:
        shape = declared(members["shape"], shape, is_run(value), (*path, "shape"))
    return Tensor(to_numpy(value, shape, data_type, inside), data_type)


def read_scalar(kind: str, value: Any, path: tuple[Any, ...], plain: bool) -> Any:
    names, widest = SCALARS[kind]
    pointer = path
    if plain and not isinstance(value, Object):
        data_type = names[plain_name(kind, value)]
        refuse_broken(kind, value, path)
    else:
        members = members_of_envelope(value, path, "scalar")
        data_type = names[scalar_name(members, names, widest, path)]
        value, pointer = members["value"], (*path, "value")
        if "data_type" not in members:
            refuse_broken(kind, value, pointer)
    if data_type in COMPLEX:
        if type(value) is not list or len(value) != 2:
            raise refuse(InvalidInput, pointer, value)
        for index, part in enumerate(value):
            if is_container(part):
                raise refuse(InvalidInput, (*pointer, index), part)
    elif is_container(value):
        raise refuse(InvalidInput, pointer, value)
    number = to_numpy(value, (), data_type, pointer).item()
    if kind in ("float", "complex"):
        if isinstance(number, int) and int(float(number)) != number:
            raise refuse(IncompatibleDtype, path)
        return float(number) if kind == "float" else complex(number)
    return number


def refuse_broken(kind: str, value: Any, path: tuple[Any, ...]) -> None:
    broken = isinstance(value, Number) and set(value.text) & set(".eE")
    if EXACT and kind in ("int", "bool") and broken:
        raise refuse(IncompatibleDtype, path)


def plain_name(kind: str, value: Any) -> str:
    if kind == "complex" and isinstance(value, Number):
        return "float"
    if kind != "number":
        return SCALARS[kind][1]
    if isinstance(value, bool):
        return "bool"
    whole = isinstance(value, Number) and not set(value.text) & set(".eE")
    return "int" if whole else "float"


def scalar_name(
    members: dict[str, Any], names: dict[str, str], widest: str | None, path: tuple[Any, ...]
) -> str:
    if "data_type" not in members:
        if widest is None:
            raise refuse(InvalidInput, path)
        return widest
    name = members["data_type"]
    if isinstance(name, str) and name in names:
        return name
    known = isinstance(name, str) and name in ALL
    raise refuse(InvalidInput if known else IncompatibleDtype, (*path, "data_type"))


def read_str(spec: Any, value: Any, path: tuple[Any, ...], plain: bool) -> str:
    if plain and isinstance(value, str):
        return value
    value = members_of_envelope(value, path, "string")["value"]
    if not isinstance(value, str):
        raise refuse(InvalidInput, (*path, "value"), value)
    return value


def read_enum(spec: Any, value: Any, path: tuple[Any, ...], plain: bool) -> tuple[str, str]:
    if not (plain and isinstance(value, str)):
        value, path = members_of_envelope(value, path, "enum")["value"], (*path, "value")
    if not isinstance(value, str) or value not in spec.names:
        raise refuse(InvalidInput, path, value)
    return spec.type, value


def is_none(value: Any, path: tuple[Any, ...]) -> bool:
    if not isinstance(value, Object) or members_of(value).get("type") != "none":
        return value is None
    check_keys(members_of(value), path)
    if members_of(value).get("value") is not None:
        raise refuse(InvalidInput, (*path, "value"), members_of(value)["value"])
    return True


def read_none(spec: Any, value: Any, path: tuple[Any, ...], plain: bool) -> None:
    if not is_none(value, path):
        raise refuse(InvalidInput, path)
