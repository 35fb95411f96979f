"""JSON as RFC 8259 has it, wherever a body can hold a value.

The tables were written for this project. A folder of cases named y_*.json (valid), n_*.json
(invalid) and i_*.json (for each parser to decide) is tried as well if TORCH_SERVING_CORPORA names
it.
"""

import json
import os
from pathlib import Path

import pytest

from tests.support.json_syntax import INVALID, VALID
from torch_serving.codecs.json._decoder import Argument, Decoder, TypeSpec
from torch_serving.errors import ClientError, EmptyBody, InvalidJson

CORPORA = os.environ.get("TORCH_SERVING_CORPORA")
CORPUS = sorted(Path(CORPORA).rglob("[yni]_*.json")) if CORPORA else []

# Where the text of a case stands. The first takes no arguments: whatever is JSON does not fit it,
# but for the empty array.
LOCATIONS = {
    "body": ([], b"%b"),
    "value": ([Argument("x", TypeSpec("tensor", "Tensor"))], b'{"type":"tensor","value":%b}'),
    "ignored": (
        [Argument("x", TypeSpec("tuple", "Named", TypeSpec("tensor", "Tensor"), names=("a",)))],
        b'{"name":%b,"type":"named_tuple","value":{"a":{"type":"tensor","value":[1]}}}',
    ),
    "unknown": (
        [Argument("x", TypeSpec("tensor", "Tensor"))],
        b'{"unknown":%b,"type":"tensor","value":[1]}',
    ),
}


def short(text):
    return ascii(text[:30])


def is_accepted_as_json(text, location):
    arguments, around = LOCATIONS[location]
    try:
        Decoder(arguments, lambda array: array).decode(around % text)
    except (InvalidJson, EmptyBody):
        return False
    except ClientError:
        return True
    return True


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize("text", VALID, ids=short)
def test_valid(text, location):
    assert is_accepted_as_json(text, location)


def test_keys_that_stand_twice():
    """RFC 8259 leaves it to the parser: refused where the keys mean something, else passed over."""
    text = b'{"a":1,"a":2}'
    assert not is_accepted_as_json(text, "body")  # the keys name arguments
    assert is_accepted_as_json(text, "value")
    assert is_accepted_as_json(text, "ignored")
    test_what_is_ignored_changes_nothing(text)
    assert is_accepted_as_json(b"[%b]" % text, "body")


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize("text", INVALID, ids=short)
def test_invalid(text, location):
    assert not is_accepted_as_json(text, location)


@pytest.mark.parametrize("text", VALID, ids=short)
def test_what_is_ignored_changes_nothing(text):
    arguments, around = LOCATIONS["ignored"]
    [(array,)] = Decoder(arguments, lambda array: array).decode(around % text)
    assert array.tolist() == [1.0]


@pytest.mark.parametrize("text", [text for text in VALID if text.startswith(b'"')], ids=short)
def test_strings_mean_what_json_says(text):
    strings = Decoder([Argument("x", TypeSpec("str", "str"))], None)
    assert strings.decode(b'{"type":"string","value":%b}' % text) == [json.loads(text)]


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_corpus(path, location):
    text = path.read_bytes()
    taken = is_accepted_as_json(text, location)
    if path.name[0] != "i":
        assert taken == (path.name[0] == "y")
