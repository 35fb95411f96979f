"""Text -> floats, each rounded once. The tables were written for this project."""

import math
import random
from fractions import Fraction

import numpy as np
import pytest

from tests.support.exact_floats import (
    FORMATS,
    bits_of,
    decode,
    halfway,
    infinity,
    nearest_bits,
    spellings,
)
from torch_serving.codecs.json._decoder import Argument, Decoder, TypeSpec
from torch_serving.errors import IncompatibleDtype

FLOATS = Decoder([Argument("x", TypeSpec("float", "float"))], None)


@pytest.mark.parametrize("data_type", FORMATS)
@pytest.mark.parametrize(
    "text",
    ["true", "false", "null", '"1"', '"nan"', '"-NaN"', '"+Infinity"', '"inf"', '""', '"NaN "'],
)
def test_floats_are_written_as_numbers(text, data_type):
    with pytest.raises(IncompatibleDtype, match=r"^/value/1: "):
        decode(f"0,{text}", data_type)


@pytest.mark.parametrize("data_type", FORMATS)
def test_numbers_that_are_not_finite_are_words(data_type):
    array = decode('"NaN","Infinity","-Infinity", "NaN" ,1', data_type)
    assert np.isnan(array[[0, 3]]).all()
    assert array[[1, 2, 4]].tolist() == [math.inf, -math.inf, 1]


@pytest.mark.parametrize("data_type", FORMATS)
def test_words_may_be_spelt_with_escapes(data_type):
    array = decode(r'"N\u0061N","\u0049nfinity","\u002dInfinity"', data_type)
    assert np.isnan(array[0])
    assert array[1:].tolist() == [math.inf, -math.inf]


@pytest.mark.parametrize(
    "text", ["-0", "-0.0", "-0e0", "-0.000E+5", "-0e-400", "-0e400", "-1e-400"]
)
def test_zero_keeps_its_sign(text):
    for data_type in FORMATS:
        array = decode(f"{text},{text[1:]}", data_type)
        assert array.tolist() == [0, 0]
        assert np.signbit(array).tolist() == [True, False]
    [scalar] = FLOATS.decode(f'{{"type":"scalar","value":{text}}}'.encode())
    assert math.copysign(1, scalar) == -1


@pytest.mark.parametrize("data_type", FORMATS)
@pytest.mark.parametrize(
    "text",
    [
        "0.1",
        "0.30000000000000004",
        "1e1",
        "1e22",
        "1e23",
        "8.5e37",
        "123456789012345678901234567890e-10",
        "3.14159265358979323846264338327950288419716939937510",
        "0.000000000000000000000000000000000000000000000000000000000000000000000000001e75",
        "1" + "0" * 400 + "e-400",
        "0." + "0" * 400 + "1e401",
        "9" * 800 + "e-799",
        "0." + "9" * 800,
        "1." + "0" * 800 + "1",
        "9007199254740993",
        "9007199254740993.00000000000000000000000000000000001",
        "9007199254740992.99999999999999999999999999999999999",
        "9223372036854775807",
        "9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "18446744073709551617",
        "16777217",
        "16777217.000000000000000001",
        "16777216.999999999999999999",
        "16777219",
        "8589973000.0000000000001",
        "2049",
        "2049.00000000000000000000000000001",
        "2048.99999999999999999999999999999",
        "2051",
        "65504",
        "65519.999999999999999999999",
        "65520",
        "65520.00000000000000000000001",
        "65536",
        "1.00000005960464477539062500",
        "1.00000005960464477539062501",
        "1.00000005960464477539062499",
        "1.0009765625",
        "1.00048828125",
        "1.00048828125000000000000000001",
        "5.9604644775390625e-8",
        "2.98023223876953125e-8",
        "2.980232238769531250000000000000000001e-8",
        "6.103515625e-5",
        "6.0975551605224609375e-5",
        "6.103515624999999999999999999e-5",
        "3.40282346638528859811704183484516925440e38",
        "3.4028235677973366e38",
        "3.402823567797336616375393954581425684479e38",
        "3.402823567797336616375393954581425684480e38",
        "1.1754943508222875e-38",
        "1.175494280757364291727882991035766513322858992758990427682963118425e-38",
        "1.40129846432481707092372958328991613128026194187651577175706828388979e-45",
        "7.00649232162408535461864791644958065640130970938257885878534141944895e-46",
        "7.00649232162408535461864791644958065640130970938257885878534141944896e-46",
        "7.0064923216240853e-46",
        "7.0064923216240854e-46",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "179769313486231580793728971405301e276",
        "2.2250738585072011e-308",
        "2.2250738585072012e-308",
        "2.2250738585072014e-308",
        "2.225073858507201136057409796709131975934819546351645648023426109724822222021e-308",
        "4.9e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "7.4109846876186981e-324",
        "1e308",
        "1e309",
        "0.0000001e316",
        "1e400",
        "1e-400",
        "123e-405",
    ],
)
def test_floats_are_rounded_once(text, data_type):
    for sign in ("", "-"):
        expected = nearest_bits(sign + text, data_type)
        if nearest_bits(text, data_type) < infinity(data_type):
            assert bits_of([sign + text], data_type) == [expected]
        else:
            with pytest.raises(IncompatibleDtype, match=rf"^/value/0: {sign}.* does not fit"):
                bits_of([sign + text], data_type)


@pytest.mark.parametrize("data_type", FORMATS)
@pytest.mark.parametrize("exponent", ["2147483648", "4294967297", "9" * 20, "9" * 400])
def test_exponents_may_be_absurd(exponent, data_type):
    assert bits_of([f"1e-{exponent}", f"0e{exponent}", f"0.0e{exponent}"], data_type) == [0] * 3
    with pytest.raises(IncompatibleDtype, match=r"/value/0: 1e[0-9…]* does not fit"):
        bits_of([f"1e{exponent}"], data_type)


@pytest.mark.parametrize("data_type", FORMATS)
@pytest.mark.parametrize("zeros", [10, 170, 180, 200, 700, 800, 5000])
def test_the_last_of_many_digits_counts(zeros, data_type):
    """A number may be halfway for all but its last digit."""
    for bits in (0, 1, 2, 1 << 10, 1 << 13, infinity(data_type) - 2):
        digits, power = halfway(bits, data_type)
        above = f"{digits}{'0' * zeros}1e{power - zeros - 1}"
        below = f"{digits - 1}{'9' * zeros}e{power - zeros}"
        assert bits_of([above, below], data_type) == [bits + 1, bits]


def patterns(data_type):
    """Bit patterns of finite positive numbers: the ends of every range, and many between."""
    top = infinity(data_type)
    step = 1 << (FORMATS[data_type][0] - 1)
    if data_type == "float16":
        return range(top - 1)
    edges = {bits + offset for bits in range(0, top, step) for offset in (-2, -1, 0, 1)}
    denormals = {(1 << shift) + offset for shift in range(step.bit_length()) for offset in (-1, 0)}
    chance = random.Random(7)
    some = {chance.randrange(top) for _ in range(3000)}
    return sorted(bits for bits in edges | denormals | some if 0 <= bits < top - 1)


@pytest.mark.parametrize("data_type", FORMATS)
def test_what_lies_halfway_goes_to_the_even_neighbour(data_type):
    literals, expected = [], []
    for bits in patterns(data_type):
        digits, power = halfway(bits, data_type)
        for text in spellings(digits, power):
            literals.append(text)
            expected.append(bits + bits % 2)
    assert bits_of(literals, data_type) == expected


@pytest.mark.parametrize("data_type", FORMATS)
def test_what_lies_next_to_halfway_goes_to_the_nearer_neighbour(data_type):
    literals, expected = [], []
    for bits in patterns(data_type):
        digits, power = halfway(bits, data_type)
        for up in (0, 1):
            neighbour = digits * 10**25 + (1 if up else -1)
            text = list(spellings(neighbour, power - 25))[bits % 4 if power > -375 else bits % 3]
            literals.append(text)
            expected.append(bits + up)
    assert bits_of(literals, data_type) == expected


@pytest.mark.parametrize("data_type", FORMATS)
def test_the_largest_number_ends_halfway_to_the_next(data_type):
    largest = infinity(data_type) - 1
    digits, power = halfway(largest, data_type)
    below = f"{digits * 10**25 - 1}e{power - 25}"
    assert bits_of([below, f"-{below}"], data_type)[0] == largest
    for text in spellings(digits, power):
        with pytest.raises(IncompatibleDtype, match=r"^/value/1: "):
            bits_of(["0", text], data_type)


@pytest.mark.parametrize("data_type", FORMATS)
def test_random_decimals(data_type):
    chance = random.Random(11)
    _, lowest, _ = FORMATS[data_type]
    literals = []
    for _ in range(4000):
        digits = str(chance.randrange(10 ** chance.randint(1, 40)))
        magnitude = chance.randint(int(lowest * 0.32), int(-lowest * 0.29))
        literals.append(f"{chance.choice(['', '-'])}{digits}e{magnitude - len(digits)}")
    assert bits_of(literals, data_type) == [nearest_bits(text, data_type) for text in literals]


@pytest.mark.parametrize("zeros", [300, 70_000, 600_000, 700_000, 1_000_000])
@pytest.mark.parametrize("data_type", FORMATS)
def test_exponents_may_make_up_for_any_number_of_zeros(zeros, data_type):
    for literals, expected in [
        ((f"1{'0' * zeros}e-{zeros}", f"0.{'0' * zeros}1e{zeros + 1}"), "1"),
        (
            (
                f"12345678901234567890{'0' * zeros}e-{zeros + 19}",
                f"0.{'0' * zeros}12345678901234567890e{zeros + 1}",
            ),
            "1.2345678901234567890",
        ),
    ]:
        assert bits_of(literals, data_type) == [nearest_bits(expected, data_type)] * 2


def test_exact_arithmetic_rounds_as_python_does():
    chance = random.Random(13)
    for _ in range(2000):
        text = f"{chance.randrange(10**18)}e{chance.randint(-345, 290)}"
        assert nearest_bits(text, "float64") == np.float64(text).view(np.uint64)
    for bits in range(0x7BFF):
        low, high = np.array([bits, bits + 1], np.uint16).view(np.float16).astype(float)
        digits, power = halfway(bits, "float16")
        assert Fraction(digits) * Fraction(10) ** power == Fraction((low + high) / 2)
