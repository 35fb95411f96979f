import pytest

from torch_serving.codecs.json._decoder import Argument, Decoder, TypeSpec
from torch_serving.errors import IncompatibleDtype

TENSORS = Decoder([Argument("x", TypeSpec("tensor", "Tensor"))], lambda array: array)
INTS = Decoder([Argument("x", TypeSpec("int", "int"))], None)
FLOATS = Decoder([Argument("x", TypeSpec("float", "float"))], None)
BOOLS = Decoder([Argument("x", TypeSpec("bool", "bool"))], None)

RANGES = {
    "bool": (0, 1),
    "uint8": (0, 255),
    "uint16": (0, 65535),
    "uint32": (0, 4294967295),
    "uint64": (0, 18446744073709551615),
    "int8": (-128, 127),
    "int16": (-32768, 32767),
    "int32": (-2147483648, 2147483647),
    "int64": (-9223372036854775808, 9223372036854775807),
}
NOT_SCALARS = ("uint16", "uint32", "uint64")  # TorchScript's int has 64 bits with a sign
BOUNDS = {
    str(bound + step) for range_ in RANGES.values() for bound in range_ for step in (-1, 0, 1)
}


def decode(values, data_type):
    body = f'{{"type":"tensor","value":[{values}],"data_type":"{data_type}"}}'
    return TENSORS.decode(body.encode())[0]


@pytest.mark.parametrize("data_type", RANGES)
@pytest.mark.parametrize(
    "text",
    [
        *sorted(BOUNDS),
        "-0",
        "2",
        "9007199254740991",
        "9007199254740992",
        "9007199254740993",
        "-9007199254740993",
        "10000000000000000000",
        "18446744073709551617",
        "99999999999999999999",
        "-1" + "0" * 400,
    ],
)
def test_integers_keep_every_bit_or_are_refused(text, data_type):
    low, high = RANGES[data_type]
    fits = low <= int(text) <= high and not (data_type == "bool" and text == "-0")
    scalars = BOOLS if data_type == "bool" else INTS
    scalar = f'{{"type":"scalar","value":{text},"data_type":"{data_type}"}}'.encode()
    if fits:
        assert decode(f"1,{text},0", data_type).tolist() == [1, int(text), 0]
    else:
        with pytest.raises(IncompatibleDtype, match=r"^/value/1: "):
            decode(f"1,{text},0", data_type)
    if data_type in NOT_SCALARS:
        with pytest.raises(IncompatibleDtype, match=r"^/data_type: "):
            scalars.decode(scalar)
    elif fits:
        assert scalars.decode(scalar) == [int(text)]
    else:
        with pytest.raises(IncompatibleDtype, match=r"^/value: "):
            scalars.decode(scalar)


@pytest.mark.parametrize("data_type", RANGES)
@pytest.mark.parametrize(
    "text",
    [
        "1.5",
        "-1.5",
        "1.0000000000000000000000001",
        "12345e-1",
        "0.1",
        "1e-1",
        "1e-400",
        "1e400",
        "1e-99999999999999999999",
        "1e99999999999999999999",
        '"1"',
        '"true"',
        '"NaN"',
        '"Infinity"',
        '""',
        "null",
        "true",
        "false",
    ],
)
def test_what_is_no_whole_number_is_no_integer(text, data_type):
    if data_type == "bool" and text in ("true", "false"):
        assert decode(f"0,{text}", data_type).tolist() == [False, text == "true"]
        return
    with pytest.raises(IncompatibleDtype, match=r"^/value/1: "):
        decode(f"0,{text}", data_type)


@pytest.mark.parametrize("data_type", RANGES)
@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.0", 1),
        ("-1.0", -1),
        ("0.0", 0),
        ("-0.0", 0),
        ("0e0", 0),
        ("0e99999999999999999999", 0),
        ("0.000e-99999999999999999999", 0),
        ("2e0", 2),
        ("300.0", 300),
        ("1e2", 100),
        ("1E+2", 100),
        ("100e-2", 1),
        ("12.30e2", 1230),
        ("0.00001e5", 1),
        ("1" + "0" * 400 + "e-400", 1),
        ("0." + "0" * 60 + "1e61", 1),
        ("127.0", 127),
        ("128.0", 128),
        ("-128.0", -128),
        ("-129.0", -129),
        ("4294967295.000", 4294967295),
        ("9007199254740993.0", 9007199254740993),
        ("9223372036854775807.0", 9223372036854775807),
        ("9223372036854775808.0", 9223372036854775808),
        ("-9223372036854775808.0", -9223372036854775808),
        ("-9223372036854775809.0", -9223372036854775809),
        ("1844674407370955161.5e1", 18446744073709551615),
        ("18446744073709551616.0", 18446744073709551616),
        ("1e19", 10**19),
        ("2e19", 2 * 10**19),
        ("1e20", 10**20),
    ],
)
def test_whole_numbers_are_integers_however_they_are_written(text, number, data_type):
    low, high = RANGES[data_type]
    body = f'{{"type":"scalar","value":{text},"data_type":"{data_type}"}}'.encode()
    scalars = BOOLS if data_type == "bool" else INTS
    if low <= number <= high and not (data_type == "bool" and text.startswith("-")):
        assert decode(f"0,{text},1", data_type).tolist() == [0, number, 1]
        if data_type not in NOT_SCALARS:
            assert scalars.decode(body) == [number]
        return
    with pytest.raises(IncompatibleDtype, match=r"^/value/1: .* does not fit "):
        decode(f"0,{text},1", data_type)


@pytest.mark.parametrize(
    ("body", "expected"),
    [('{"x":1.0}', 1), ('{"x":-0.0}', 0), ('{"type":"scalar","value":3e2}', 300)],
)
def test_plain_and_untyped_integers_may_have_a_point(body, expected):
    assert INTS.decode(body.encode()) == [expected]
    assert type(INTS.decode(body.encode())[0]) is int


INT, FLOAT, STR = TypeSpec("int", "int"), TypeSpec("float", "float"), TypeSpec("str", "str")
LISTS = [TypeSpec("list", f"List[{part.type}]", part) for part in (INT, FLOAT)]


@pytest.mark.parametrize(
    ("parts", "value", "expected"),
    [
        ((INT, FLOAT), "1", 1),
        ((INT, FLOAT), "1.0", 1.0),
        ((INT, FLOAT), '{"type":"scalar","value":1.0}', 1.0),
        ((INT, FLOAT), '{"type":"scalar","value":1.0,"data_type":"int"}', 1),
        ((INT, STR), "1.0", 1),
        ((STR, INT), "1.0", 1),
        ((TypeSpec("bool", "bool"), FLOAT), "1.0", 1.0),
        (tuple(LISTS), "[1,2]", [1, 2]),
        (tuple(LISTS), "[1,2.0]", [1.0, 2.0]),
        ((TypeSpec("union", "Union", INT, STR), FLOAT), "1.0", 1.0),
        ((TypeSpec("union", "Union", INT, STR), STR), "1.0", 1),
    ],
)
def test_in_a_union_a_number_with_a_point_is_a_float_where_one_fits(parts, value, expected):
    decoder = Decoder([Argument("x", TypeSpec("union", "Union", *parts))], None)
    [found] = decoder.decode(f'{{"x":{value}}}'.encode())
    assert repr(found) == repr(expected)


@pytest.mark.parametrize(
    ("parts", "value", "expected"),
    [
        ((INT, FLOAT), "9223372036854775807", (1 << 63) - 1),
        ((INT, FLOAT), "9223372036854775808", None),
        ((INT, FLOAT), "-9223372036854775809", None),
        ((INT, FLOAT), '{"type":"scalar","value":9223372036854775808}', None),
        (
            (INT, FLOAT),
            '{"type":"scalar","value":9223372036854775808,"data_type":"float64"}',
            2.0**63,
        ),
        ((INT, FLOAT), "9223372036854775808.0", 2.0**63),
        ((INT, FLOAT), "1e19", 1e19),
        ((STR, INT, FLOAT), "9223372036854775808", None),
        ((FLOAT, INT), "9223372036854775808", 2.0**63),
        ((FLOAT, STR), "9223372036854775808", 2.0**63),
        ((TypeSpec("union", "Union", INT, STR), FLOAT), "9223372036854775808", None),
        (tuple(LISTS), "[9223372036854775808,1.5]", [2.0**63, 1.5]),
    ],
)
def test_in_a_union_an_integer_that_is_too_large_is_no_float(parts, value, expected):
    decoder = Decoder([Argument("x", TypeSpec("union", "Union", *parts))], None)
    if expected is not None:
        [found] = decoder.decode(f'{{"x":{value}}}'.encode())
        assert repr(found) == repr(expected)
        return
    with pytest.raises(IncompatibleDtype, match=r"^/x.*does not fit int64 \("):
        decoder.decode(f'{{"x":{value}}}'.encode())


def test_a_fraction_is_refused_for_what_it_is():
    for body in ('{"x":1.5}', '{"type":"scalar","value":1.5}'):
        with pytest.raises(
            IncompatibleDtype, match=r"1\.5 does not fit int64: it is not a whole n"
        ):
            INTS.decode(body.encode())


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("9007199254740992", True),
        ("9007199254740993", False),
        ("-9007199254740993", False),
        ("9007199254740994", True),
        ("9223372036854775807", False),
        ("-9223372036854775808", True),
    ],
)
def test_integers_for_a_float_keep_every_bit_or_are_refused(text, fits):
    body = f'{{"type":"scalar","data_type":"int64","value":{text}}}'.encode()
    if fits:
        [number] = FLOATS.decode(body)
        assert type(number) is float
        assert int(number) == int(text)
        return
    with pytest.raises(IncompatibleDtype, match=f"{text} does not fit float64 exactly"):
        FLOATS.decode(body)
