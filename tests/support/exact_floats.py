"""Floats as exact arithmetic has them, to compare with what the decoder reads."""

from fractions import Fraction

import numpy as np

from torch_serving.codecs.json._decoder import Argument, Decoder, TypeSpec, ValueFactory


def widened(array):
    """The bits of bfloat16 as float32, of which they are the upper half."""
    return (array.astype(np.uint32) << 16).view(np.float32)


FACTORY = ValueFactory(lambda array: array, bfloat16=widened)
TENSORS = Decoder([Argument("x", TypeSpec("tensor", "Tensor"))], FACTORY)

# significant bits, smallest exponent of a normal number, and the integer of the same size
FORMATS = {
    "float16": (11, -14, np.uint16),
    "bfloat16": (8, -126, np.uint16),
    "float32": (24, -126, np.uint32),
    "float64": (53, -1022, np.uint64),
}


def decode(values, data_type):
    body = f'{{"type":"tensor","value":[{values}],"data_type":"{data_type}"}}'
    return TENSORS.decode(body.encode())[0]


def bits_of(literals, data_type):
    array = decode(",".join(literals), data_type)
    if data_type == "bfloat16":
        return (array.view(np.uint32) >> 16).tolist()
    return array.view(FORMATS[data_type][2]).tolist()


def infinity(data_type):
    """The bit pattern of infinity: that of the largest number, and one."""
    precision, lowest, _ = FORMATS[data_type]
    return (3 - 2 * lowest) << (precision - 1)


def nearest_bits(text, data_type):
    """The bit pattern that a decimal number rounds to, half to even, in exact arithmetic."""
    precision, lowest, unsigned = FORMATS[data_type]
    magnitude = abs(Fraction(text))
    exponent = lowest
    if magnitude:
        exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
        exponent -= magnitude < Fraction(2) ** exponent
    exponent = max(exponent, lowest)
    significand = round(magnitude / Fraction(2) ** (exponent - precision + 1))
    sign = text.startswith("-") << (8 * unsigned().itemsize - 1)
    return sign | ((exponent - lowest) << (precision - 1)) + significand


def halfway(bits, data_type):
    """What lies exactly between a positive number and the next, as digits and a power of ten."""
    precision, lowest, _ = FORMATS[data_type]
    field, fraction = divmod(bits, 1 << (precision - 1))
    significand = fraction + (field > 0) * (1 << (precision - 1))
    power = lowest + max(field, 1) - precision - 1  # of two, of half a unit in the last place
    digits = (2 * significand + 1) * (2**power if power >= 0 else 5**-power)
    return digits, min(power, 0)


def spellings(digits, power):
    """The same number, written in ways that readers of numbers treat differently."""
    text = str(digits)
    yield f"{text}e{power}"
    yield f"{text[0]}.{text[1:] or '0'}E{power + len(text) - 1:+}"
    yield f"0.00{text}00e{power + len(text) + 2}"
    if -400 < power <= 0:
        padded = text.rjust(1 - power, "0")
        yield f"{padded[: len(padded) + power]}.{padded[len(padded) + power :]}0"
