"""Numbers of every length: digits are read eight at a time."""

import math
import random
import re

import pytest

from tests.support.exact_floats import bits_of, decode, nearest_bits
from torch_serving.errors import IncompatibleDtype, InvalidJson

JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def numbers_of_every_length():
    """Up to 21 digits before the point and behind it: what is read eight digits at a time."""
    chance = random.Random(17)
    for whole in range(1, 22):
        for decimals in range(22):
            digits = str(chance.randrange(10 ** (whole - 1), 10**whole))
            fraction = "".join(chance.choices("0123456789", k=decimals))
            for start in (digits, "0", "-" + digits):
                yield start + (f".{fraction}" if decimals else "")


@pytest.mark.parametrize("data_type", ["bfloat16", "float32", "float64"])
@pytest.mark.parametrize("gap", ["", " ", "\n", "  \t\r\n          "])
def test_numbers_of_every_length(gap, data_type):
    literals = list(numbers_of_every_length())
    assert bits_of([f"{gap}{text}{gap}" for text in literals], data_type) == [
        nearest_bits(text, data_type) for text in literals
    ]


@pytest.mark.parametrize("other", ["/", ":", ".", "-", "+", "e", "x", " ", "\x00", "é", ",", "0"])
def test_a_character_that_is_no_digit_is_found_anywhere(other):
    for text in [*numbers_of_every_length(), "-1.5", "12345678", "0.1234567"][::5]:
        for index in range(len(text)):
            changed = f"{text[:index]}{other}{text[index + 1 :]}0"
            parts = [part.strip() for part in changed.split(",")]
            numbers = [float(part) for part in parts if JSON_NUMBER.fullmatch(part)]
            if len(numbers) == len(parts) and all(map(math.isfinite, numbers)):
                assert decode(changed, "float64").tolist() == numbers, changed
            else:
                with pytest.raises((InvalidJson, IncompatibleDtype)):
                    decode(changed, "float64")
