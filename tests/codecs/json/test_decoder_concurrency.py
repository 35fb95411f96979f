"""Decoding in several threads: values do not mix, and the GIL is released for large bodies."""

import threading
from collections.abc import Callable

import pytest

from tests.support.gil import lets_others_run
from torch_serving.codecs.json._decoder import Argument, Decoder, TypeSpec

TENSOR = TypeSpec("tensor", "Tensor")
STR = TypeSpec("str", "str")

ONE = '{"type": "tensor", "value": [1]}'


def decoder(*specs, required=None):
    required = len(specs) if required is None else required
    arguments = [Argument("abc"[i], spec, i < required) for i, spec in enumerate(specs)]
    return Decoder(arguments, lambda array: array)


def test_threads_get_their_own_values():
    shared = decoder(TENSOR, STR)
    wrong = []

    def work(number):
        for size in (1, 10, 100, 20_000) * 10:
            values = ",".join([str(number)] * size)
            body = (
                f'[{{"type":"tensor","value":[{values}]}},{{"type":"string","value":"{number}"}}]'
            )
            array, text = shared.decode(body.encode())
            if text != str(number) or array.tolist() != [number] * size:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_large_bodies_are_decoded_side_by_side():
    body = b'{"type":"tensor","value":[0.5' + b",0.12345678901" * 1_500_000 + b"]}"
    assert lets_others_run(lambda _: decoder(TENSOR).decode(body))


NAMED = TypeSpec("tuple", "Named", TENSOR, names=("n",))
IGNORED = b'{"type":"named_tuple","value":{"n":{"type":"tensor","value":[0]}},"name":%b}'


def marked(mark: Callable[[], None]) -> Decoder:
    """One that marks when the text is parsed and the tensor is made."""
    return Decoder([Argument("a", NAMED)], lambda _: mark())


@pytest.mark.parametrize(
    "ignored",
    [b'"' + b"x" * 60_000_000 + b'"', b"[0.5" + b",0.12345678901" * 1_500_000 + b"]"],
    ids=["string", "numbers"],
)
def test_large_bodies_are_parsed_side_by_side(ignored):
    body = IGNORED % ignored
    parsing = 0
    assert lets_others_run(lambda mark: marked(mark).decode(body), parsing)


def test_many_numbers_are_read_side_by_side():
    """Bodies of this size keep the GIL until their numbers are read."""
    body = b'{"type":"tensor","value":[0' + b",0.125" * 5000 + b"]}"
    assert lets_others_run(lambda _: [decoder(TENSOR).decode(body) for _ in range(1000)])


def test_what_is_ignored_is_checked_side_by_side():
    """That comes last, when the tensor has been made."""
    body = IGNORED % (b"[0.5" + b",0.12345678901" * 1_500_000 + b"]")
    checking = 1
    assert lets_others_run(lambda mark: marked(mark).decode(body), checking)


def test_others_are_let_in_by_nothing_but_the_decoder():
    assert not lets_others_run(lambda _: [ONE.encode() for _ in range(100_000)])
