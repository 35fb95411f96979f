"""Hypothesis strategies for requests: random schemas, values that mostly fit them, and damage."""

import json
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.support.reference_values import FLOATS, INTEGERS, Number, Object
from torch_serving.codecs.json._decoder import Argument, TypeSpec

DATA_TYPES = ["bool", *INTEGERS, *FLOATS, "complex64", "complex128"]
SCALARS = {
    "bool": ["bool"],
    "int": ["int", "int8", "int64", "uint8"],
    "float": ["float", "float16", "float32", "float64", "int", "int8"],
    "complex": ["complex64", "complex128", "float32", "int"],
}
SCALARS["number"] = sorted({name for names in SCALARS.values() for name in names})
HARD_NUMBERS = [
    "-0", "0", "1", "-1", "-0.0", "1.0", "1e0", "0.1", "127", "128", "-128", "-129", "255", "256",
    "2147483648", "4294967295", "9007199254740993", "9223372036854775807", "9223372036854775808",
    "-9223372036854775808", "-9223372036854775809", "18446744073709551615",
    "18446744073709551616", "1" + "0" * 30, "1" + "0" * 70, "65504", "65519.999", "65520", "6e-8",
    "2.9802322387695312e-8", "2.98023223876953125000000000000000001e-8", "3.4028235e38",
    "3.4028235677973366e38", "1e-45", "7.006492321624085e-46", "7.0064923216240854e-46",
    "1.7976931348623157e308", "1.7976931348623159e308", "1e309", "5e-324",
    "2.4703282292062327e-324",
    "1e-400", "1e400", "-1e99999999999999999999", "0e99999999999999999999", "1E+2", "1e-9999999999",
    "3.3895314e38", "3.3961775292304e38", "1.00390625", "1.01171875", "16777217", "33554435",
    "0." + "0" * 60 + "1e61", "1" + "0" * 400 + "e-400", "0.30000000000000004",
    "01", "1.", ".5", "+1", "-", "1e", "NaN", "1_0", "0x1", "--1", "1e5.5",
]  # fmt: skip
NUMBERS = st.one_of(
    st.sampled_from(HARD_NUMBERS),
    st.integers(-300, 300).map(str),
    st.integers(-(2**65), 2**65).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"\A-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][-+]?[0-9]{1,3})?\Z"),
).map(Number)
KIND_NUMBERS = st.integers(0, 100).map(lambda number: Number(str(number)))
STRINGS = st.text(max_size=4) | st.sampled_from(
    ["NaN", "Infinity", "-Infinity", "a/b~c", "cpu", "type"]
)
ENVELOPE_KEYS = ["type", "value", "shape", "data_type", "key_type", "name", "mode"]
JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, STRINGS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(st.tuples(STRINGS, inner), max_size=3).map(Object)
    ),
    max_leaves=4,
)


def spec_of(kind: str, *parts: TypeSpec, names: tuple[str, ...] = ()) -> TypeSpec:
    return TypeSpec(kind, kind, *parts, names=names)


LEAVES = st.sampled_from(
    [spec_of(f) for f in ("tensor", "tensor", "bool", "int", "float", "complex", "number", "str")]
    + [spec_of("none"), spec_of("any"), spec_of("enum", names=("RED", "é"))]
)
KEYS = st.sampled_from(["str", "str", "int", "float", "bool", "complex", "tensor"]).map(spec_of)


def grown(inner: st.SearchStrategy[TypeSpec]) -> st.SearchStrategy[TypeSpec]:
    parts = st.lists(inner, max_size=3)
    return st.one_of(
        inner.map(lambda part: spec_of("list", part)),
        inner.map(lambda part: spec_of("optional", part)),
        parts.map(lambda parts: spec_of("tuple", *parts)),
        parts.filter(len).map(
            lambda parts: spec_of("tuple", *parts, names=("x", "y/", "type")[: len(parts)])
        ),
        parts.filter(len).map(lambda parts: spec_of("union", *parts)),
        st.builds(lambda key, value: spec_of("dict", key, value), KEYS, inner),
    )


SPECS = st.recursive(LEAVES, grown, max_leaves=5)
ARGUMENTS = st.lists(st.tuples(SPECS, st.booleans()), max_size=3).map(
    lambda parts: [
        Argument("abc"[i], spec, required, None if required else "default")
        for i, (spec, required) in enumerate(sorted(parts, key=lambda part: not part[1]))
    ]
)


def envelope(draw: Any, **members: Any) -> Object:
    pairs = list(members.items())
    return Object(draw(st.permutations(pairs)) if draw(st.booleans()) else pairs)


def dump(value: Any) -> str:
    if isinstance(value, Number):
        return value.text
    if isinstance(value, Object):
        return "{" + ",".join(f"{json.dumps(k)}: {dump(v)}" for k, v in value.pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(dump, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def a_number(draw: Any, data_type: str) -> Any:
    if draw(st.integers(0, 9)) == 0:
        return draw(NUMBERS | st.booleans() | STRINGS)
    if data_type == "bool":
        return draw(st.booleans())
    if data_type.endswith(tuple("0123456789")) and "float" not in data_type:
        return draw(KIND_NUMBERS)
    return draw(KIND_NUMBERS | st.floats(-1000, 1000).map(lambda f: Number(repr(f))))


def nested(draw: Any, shape: list[int], data_type: str) -> Any:
    if not shape:
        return a_number(draw, data_type)
    return [nested(draw, shape[1:], data_type) for _ in range(shape[0])]


def a_tensor(draw: Any, plain: bool) -> Any:
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    if plain and draw(st.booleans()):
        return nested(draw, shape, "float32")
    data_type = draw(st.sampled_from(DATA_TYPES))
    pair = [2] if data_type.startswith("complex") else []
    members: dict[str, Any] = {"type": "tensor"}
    if draw(st.booleans()):
        count = int(np.prod(shape)) * (2 if pair else 1)
        members["value"] = nested(draw, [count], data_type)
    else:
        members["value"] = nested(draw, shape + pair, data_type)
    if draw(st.booleans()):
        members["shape"] = [Number(str(dim)) for dim in shape]
    if data_type != "float32" or draw(st.booleans()):
        members["data_type"] = data_type
    return envelope(draw, **members)


def a_scalar(draw: Any, kind: str, plain: bool) -> Any:
    name = draw(st.sampled_from(SCALARS[kind]))
    parts = [a_number(draw, "float64"), a_number(draw, "float64")]
    value = parts if name.startswith("complex") else a_number(draw, name)
    if plain and draw(st.booleans()):
        return value
    members = {"type": "scalar", "value": value}
    return envelope(draw, **members, **({"data_type": name} if draw(st.integers(0, 3)) else {}))


def a_value(draw: Any, spec: TypeSpec, plain: bool) -> Any:
    """A value that mostly fits the spec."""
    bare = plain and draw(st.booleans())
    kind = spec.kind
    if kind == "any":
        kind = draw(st.sampled_from(["none", "tensor", "number", "str", "list", "dict"]))
        bare = False
    if kind == "tensor":
        return a_tensor(draw, bare)
    if kind in SCALARS:
        return a_scalar(draw, kind, bare)
    if kind in ("str", "enum"):
        value = draw(st.sampled_from([*spec.names, "RED"]) if kind == "enum" else STRINGS)
        envelope_type = "string" if kind == "str" else kind
        return value if bare else envelope(draw, type=envelope_type, value=value)
    if kind == "none":
        return draw(st.sampled_from([None, Object([("type", "none")])]))
    if kind == "optional":
        return a_value(draw, draw(st.sampled_from([*spec.parts, spec_of("none")])), plain)
    if kind == "union":
        return a_value(draw, draw(st.sampled_from(spec.parts)), plain)
    part = spec.parts[-1] if spec.parts else spec_of("any")
    if kind == "list":
        elements = [a_value(draw, part, plain) for _ in range(draw(st.integers(0, 3)))]
        is_list = part.kind == "tensor" and draw(st.booleans())
        return envelope(draw, type="tensor_list", value=elements) if is_list else elements
    if kind == "tuple":
        elements = [a_value(draw, part, plain) for part in spec.parts]
        if not spec.names or draw(st.booleans()):
            return elements
        fields = Object(list(zip(spec.names, elements, strict=True)))
        return fields if bare else envelope(draw, type="named_tuple", value=fields)
    return a_dict(draw, spec.parts[0] if spec.kind == "dict" else spec_of("str"), part, plain, bare)


def a_dict(draw: Any, key: TypeSpec, part: TypeSpec, plain: bool, bare: bool) -> Any:
    count = draw(st.integers(0, 3))
    values = [a_value(draw, part, plain) for _ in range(count)]
    if key.kind == "str":
        names = draw(st.lists(STRINGS, min_size=count, max_size=count, unique=True))
        members: Any = Object(list(zip(names, values, strict=True)))
    else:
        members = [[a_value(draw, key, True), value] for value in values]
    if bare:
        return members
    named = draw(st.booleans()) if key.kind == "str" else True
    envelope_type = draw(
        st.sampled_from(
            ["generic_dict", "tensor_dict"] if part.kind == "tensor" else ["generic_dict"]
        )
    )
    more = {"key_type": key.kind} if named else {}
    return envelope(draw, type=envelope_type, value=members, **more)


def mutated(draw: Any, value: Any) -> Any:
    """One node of the tree made wrong."""
    children = value.pairs if isinstance(value, Object) else value
    if isinstance(children, list) and children and draw(st.integers(0, 3)):
        index = draw(st.integers(0, len(children) - 1))
        copy = list(children)
        if isinstance(value, Object):
            copy[index] = (children[index][0], mutated(draw, children[index][1]))
            return Object(copy)
        copy[index] = mutated(draw, children[index])
        return copy
    change = draw(st.sampled_from(["junk", "wrap", "unwrap", "drop", "double", "rename", "number"]))
    if change == "wrap":
        return [value]
    if change == "number" or not isinstance(children, list) or not children:
        return draw(NUMBERS if change == "number" else JUNK)
    index = draw(st.integers(0, len(children) - 1))
    copy = list(children)
    if change == "unwrap":
        return children[index][1] if isinstance(value, Object) else children[index]
    if change == "drop":
        del copy[index]
    elif change == "double":
        copy.insert(draw(st.integers(0, len(copy))), copy[index])
    elif change == "rename" and isinstance(value, Object):
        copy[index] = (draw(STRINGS | st.sampled_from(ENVELOPE_KEYS)), copy[index][1])
    return Object(copy) if isinstance(value, Object) else copy


def flipped(draw: Any, body: bytes) -> bytes:
    """A few bytes changed, dropped or doubled."""
    data = bytearray(body)
    for _ in range(draw(st.integers(1, 3))):
        index = draw(st.integers(0, max(0, len(data) - 1)))
        with_byte = draw(
            st.sampled_from(b'"\\[]{},:0-1.eENtf \n\x00\x1f\x80\xc3\xff/u') | st.integers(0, 255)
        )
        data[index : index + draw(st.integers(0, 2))] = bytes([with_byte] * draw(st.integers(0, 2)))
    return bytes(data)


@st.composite
def requests(draw: Any) -> tuple[list[Argument], bytes]:
    arguments = draw(ARGUMENTS)
    plain = draw(st.booleans())
    values = [a_value(draw, argument.spec, plain) for argument in arguments]
    if not all(argument.required for argument in arguments) and draw(st.booleans()):
        values = [v for v, argument in zip(values, arguments, strict=True) if argument.required]
    if plain:
        tree: Any = Object(list(zip("abc", values, strict=False)))
    else:
        tree = values[0] if len(values) == 1 and draw(st.booleans()) else values
    if draw(st.integers(0, 3)) == 0:
        plain_values = [a_value(draw, argument.spec, True) for argument in arguments]
        tree = plain_values[0] if len(arguments) == 1 and draw(st.booleans()) else plain_values
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        tree = mutated(draw, tree)
    body = dump(tree).encode("utf-8", "surrogatepass")
    return arguments, flipped(draw, body) if draw(st.integers(0, 3)) == 0 else body
