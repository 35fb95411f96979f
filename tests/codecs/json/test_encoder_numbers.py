import json
import random
import re

import numpy as np
import pytest

from torch_serving.codecs.json._encoder import Encoder

ENCODER = Encoder(np.ndarray, lambda array: array)


def literals_of(tensor):
    """The numbers of a tensor as they were written."""
    text = ENCODER.encode(tensor).decode()
    values = text.partition('"value":[')[2].partition("]")[0]
    return values.split(",") if values else []


def significant(text):
    """The digits of a number, without zeros at either end, and the power of ten of the last."""
    whole, fraction, exponent = re.fullmatch(r"-?(\d+)\.?(\d*)(?:e([-+]?\d+))?", text).groups()
    digits = (whole + fraction).lstrip("0")
    power = int(exponent or 0) - len(fraction) + len(digits) - len(digits.rstrip("0"))
    return digits.rstrip("0"), power


def shortest(number):
    """What numpy makes of it: the fewest digits that are read back as the same number."""
    return np.format_float_scientific(number, unique=True, trim="-")


def edges(mantissa_bits, exponents, chance, count):
    """Bit patterns: powers of two and their neighbours, denormals, and others by chance."""
    step = 1 << mantissa_bits
    powers = {field * step + near for field in range(exponents) for near in (-2, -1, 0, 1, 2)}
    denormals = {(1 << shift) + near for shift in range(mantissa_bits) for near in (-1, 0, 1)}
    some = {chance.randrange(exponents * step) for _ in range(count)}
    return sorted(bits for bits in powers | denormals | some if 0 < bits < exponents * step)


def float16s():
    patterns = np.arange(1 << 16, dtype=np.uint16)
    return patterns.view(np.float16)


def float32s():
    patterns = edges(23, 255, random.Random(3), 60_000)
    return np.array(patterns, np.uint32).view(np.float32)


def float64s():
    patterns = edges(52, 2047, random.Random(5), 60_000)
    return np.array(patterns, np.uint64).view(np.float64)


@pytest.mark.parametrize("tensor", [float16s(), float32s(), float64s()], ids=lambda t: t.dtype.name)
def test_what_is_written_is_the_same_number(tensor):
    tensor = tensor[np.isfinite(tensor)]
    for numbers in (tensor, -tensor):
        values = json.loads(f"[{','.join(literals_of(numbers))}]")
        assert all(type(value) is float for value in values)
        assert np.array(values).astype(tensor.dtype).tobytes() == numbers.tobytes()


@pytest.mark.parametrize("tensor", [float16s(), float32s()], ids=lambda t: t.dtype.name)
def test_no_number_of_its_type_has_fewer_digits(tensor):
    """Of those with as few digits, the nearest is written."""
    tensor = tensor[np.isfinite(tensor) & (tensor > 0)]
    for number, text in zip(tensor, literals_of(tensor), strict=True):
        digits, power = significant(text)
        expected, expected_power = significant(shortest(number))
        assert len(digits) <= len(expected), (number, text)
        if len(digits) == len(expected):
            assert (digits, power) == (expected, expected_power), (number, text)


def test_float64_has_the_digits_of_python():
    tensor = float64s()
    for number, text in zip(tensor.tolist(), literals_of(tensor), strict=True):
        assert significant(text) == significant(repr(number))


def test_float16_that_are_not_finite():
    tensor = float16s()
    literals = literals_of(tensor)
    assert literals[0x7C00] == '"Infinity"'
    assert literals[0xFC00] == '"-Infinity"'
    nans = [index for index, text in enumerate(literals) if text == '"NaN"']
    assert nans == [*range(0x7C01, 0x8000), *range(0xFC01, 0x10000)]
    assert literals[0] == "0.0"
    assert literals[0x8000] == "-0.0"


@pytest.mark.parametrize(
    ("bits", "expected"), [(0x7F800001, "NaN"), (0xFFC00000, "NaN"), (0xFF800000, "-Infinity")]
)
def test_float32_that_are_not_finite(bits, expected):
    assert literals_of(np.array([bits], np.uint32).view(np.float32)) == [f'"{expected}"']


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1, "1.0"),
        (-1.5, "-1.5"),
        (10, "10.0"),
        (100, "100.0"),
        (123456, "123456.0"),
        (0.1, "0.1"),
        (0.001, "0.001"),
        (0.0001, "0.0001"),
        (0.00012, "0.00012"),
        (0.00001, "1e-5"),
        (0.000012, "1.2e-5"),
        (1e15, "1000000000000000.0"),
        (1e16, "1e16"),
        (-1e16, "-1e16"),
        (1.5e16, "1.5e16"),
        (1e30, "1e30"),
        (1e-30, "1e-30"),
    ],
)
def test_forms(number, expected):
    for data_type in ("float32", "float64"):
        assert literals_of(np.array([number], data_type)) == [expected]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("21.711061", "21.711061"),
        ("16777216", "16777216.0"),
        ("16777217", "16777216.0"),
        ("8388609.5", "8388610.0"),
        ("3.4028235e38", "3.4028235e38"),
        ("1.1754944e-38", "1.1754944e-38"),
        ("1.1754942e-38", "1.1754942e-38"),
        ("1.4e-45", "1e-45"),
        ("9.8e-45", "1e-44"),
        ("33554432", "33554432.0"),
        ("8.5899346e9", "8589935000.0"),
        ("1.2621774483536189e-29", "1.2621775e-29"),
        ("5.8774718e-39", "5.877472e-39"),
    ],
)
def test_float32(number, expected):
    assert literals_of(np.array([number]).astype(np.float32)) == [expected]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (5e-324, "5e-324"),
        (2.2250738585072014e-308, "2.2250738585072014e-308"),
        (1.7976931348623157e308, "1.7976931348623157e308"),
        (9007199254740993, "9007199254740992.0"),
        (9007199254740991.0, "9007199254740991.0"),
        (12345678901234567.0, "1.2345678901234568e16"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1 / 3, "0.3333333333333333"),
        (123456789.12345678, "123456789.12345678"),
        (1e22, "1e22"),
        (1e23, "1e23"),
        (9.5e-5, "9.5e-5"),
    ],
)
def test_float64(number, expected):
    assert literals_of(np.array([number], np.float64)) == [expected]
    scalar = json.loads(ENCODER.encode(float(number)), parse_float=str)
    assert scalar["value"] == expected


@pytest.mark.parametrize("data_type", ["uint8", "int8", "int16", "int32", "int64"])
def test_integers(data_type):
    limits = np.iinfo(data_type)
    powers = [
        sign * 10**power + near for power in range(19) for sign in (-1, 1) for near in (-1, 0)
    ]
    values = [value for value in powers if limits.min <= value <= limits.max]
    values += [limits.min, limits.min + 1, limits.max - 1, limits.max, 0]
    assert literals_of(np.array(values, data_type)) == [str(value) for value in values]


def test_integers_of_python():
    for value in (2**53 + 1, 2**63 - 1, -(2**63), *(10**power for power in range(19))):
        assert ENCODER.encode(value) == (
            b'{"type":"scalar","data_type":"int64","value":%d}' % value
        )


@pytest.mark.parametrize(
    "numbers",
    [
        np.arange(100) % 3 == 0,
        np.arange(-50, 50, dtype=np.int8),
        np.array([(-7) ** (power % 6) for power in range(100)], np.int16),
        np.array([(-7) ** (power % 12) for power in range(100)], np.int32),
        np.array([(-7) ** (power % 23) for power in range(100)]),
        np.array([7 ** (power % 23) for power in range(100)], np.uint64),
        float16s()[::649].copy(),
        float32s()[::600].copy(),
        float64s()[::600].copy(),
        np.array([0.0, np.nan, -np.inf, 1e-40, -0.0, 2.5e-20, 1e15] * 15, np.float32),
        np.array([0.0, np.nan, -np.inf, 1e-310, -0.0, 2.5e-20, 2.0**60] * 15),
    ],
    ids=lambda numbers: numbers.dtype.name,
)
def test_numbers_are_written_alike_alone_and_together(numbers):
    """They are converted in blocks."""
    alone = [literals_of(numbers[i : i + 1])[0] for i in range(100)]
    for count in range(1, 101):
        assert literals_of(numbers[:count]) == alone[:count]
