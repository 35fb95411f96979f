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
        "1.0",
        "1.5",
        "-1.0",
        "0.0",
        "0e0",
        "1e0",
        "1e2",
        "100e-2",
        "1E1",
        "1e-1",
        "1e400",
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
def test_integers_are_written_as_integers(text, data_type):
    if data_type == "bool" and text in ("true", "false"):
        assert decode(f"0,{text}", data_type).tolist() == [False, text == "true"]
        return
    with pytest.raises(IncompatibleDtype, match=r"^/value/1: "):
        decode(f"0,{text}", data_type)


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
