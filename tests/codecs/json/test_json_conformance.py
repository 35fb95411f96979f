"""JSON as RFC 8259 has it, wherever a body can hold a value.

The tables were written for this project. A folder of cases named y_*.json (valid), n_*.json
(invalid) and i_*.json (for each parser to decide) is tried as well if TORCH_SERVING_CORPORA names
it.
"""

import json
import os
from pathlib import Path

import pytest

from torch_serving.codecs.json._decoder import Argument, Decoder, TypeSpec
from torch_serving.errors import ClientError, EmptyBody, InvalidJson

CORPORA = os.environ.get("TORCH_SERVING_CORPORA")
CORPUS = sorted(Path(CORPORA).rglob("[yni]_*.json")) if CORPORA else []

# Where the text of a case stands. The first takes no arguments: whatever is JSON does not fit it,
# but for the empty array.
PLACES = {
    "body": ([], b"%b"),
    "value": ([Argument("x", TypeSpec("tensor", "Tensor"))], b'{"type":"tensor","value":%b}'),
    "ignored": (
        [Argument("x", TypeSpec("tensor", "Tensor"))],
        b'{"ignored":%b,"type":"tensor","value":[1]}',
    ),
}

VALID = [
    b"[]",
    b"{}",
    b" [ ] ",
    b"\t{\n}\r",
    b"0",
    b"-0",
    b"-0.0",
    b"1",
    b"-1",
    b"10",
    b"1234567890",
    b"0.5",
    b"-0.5",
    b"1.0",
    b"1e1",
    b"1E1",
    b"1e+1",
    b"1e-1",
    b"0e0",
    b"0E+00",
    b"1.5e007",
    b"123.456e-78",
    b"1e400",
    b"-1e400",
    b"1e-400",
    b"123456789012345678901234567890",
    b"0.00000000000000000000000000000000000001",
    b"true",
    b"false",
    b"null",
    b"[true,false,null]",
    b"[ 1 , 2 ]",
    b"[1,\n2]",
    b"[-0,0.1,1e5]",
    b"[[],[[]],{}]",
    b"[[[[[[[[]]]]]]]]",
    b'[{},{"a":{}}]',
    b'{"a":1}',
    b'{"a":[1,{"b":null}]}',
    b'{"":0}',
    b'{"a":1,"b":2}',
    b'{ "a" : 1 , "b" : 2 }',
    b'{"a\\"b":"\\\\"}',
    b'""',
    b'" "',
    b'"a"',
    b'"[1,2]"',
    b'"{\\"a\\":1}"',
    b'"//"',
    b'"\\"\\\\\\/\\b\\f\\n\\r\\t"',
    b'"\\u0000"',
    b'"\\u00e9\\u00E9"',
    b'"\\u20ac"',
    b'"\\ud83d\\ude00"',
    b'"\\uD834\\uDD1E"',
    b'"\\udbff\\udfff"',
    b'"\\uffff\\ufffe"',
    b'"\\\\u0041"',
    b'"\\\\\\\\"',
    b'"\x7f"',
    b'"\xc3\xa9"',
    b'"\xe2\x82\xac"',
    b'"\xf0\x9f\x98\x80"',
    b'"\xf4\x8f\xbf\xbf"',
    b'"\xe2\x80\xa8\xe2\x80\xa9"',
    b'"\xef\xbf\xbf"',
    b'"' + b"a" * 1000 + b'"',
    b'"' + b"\\\\" * 500 + b'"',
    b'"' + b'\\"' * 500 + b'"',
]

INVALID = [
    b" ",
    b"\n",
    b"\x00",
    b"nul",
    b"nulll",
    b"null0",
    b"True",
    b"FALSE",
    b"tru e",
    b"truth",
    b"NaN",
    b"nan",
    b"-NaN",
    b"Infinity",
    b"-Infinity",
    b"inf",
    b"undefined",
    b"00",
    b"01",
    b"-01",
    b"-00",
    b"+1",
    b"++1",
    b"--1",
    b"-",
    b"- 1",
    b".5",
    b"-.5",
    b"1.",
    b"1.e1",
    b"1.5.5",
    b"1e",
    b"1E+",
    b"1e-",
    b"1e1.5",
    b"1e1e1",
    b"1 000",
    b"1_000",
    b"0x10",
    b"0b1",
    b"1f",
    b"1a",
    b"-a",
    b"\xef\xbc\x91",
    b"1\x00",
    b"[1\x002]",
    b"[01]",
    b"[1,01]",
    b"[1.]",
    b"[.5]",
    b"[+1]",
    b"[-]",
    b"[1e]",
    b"[1e+]",
    b"[0x1]",
    b"[1a]",
    b"[NaN]",
    b"[-Infinity]",
    b"[",
    b"]",
    b"[]]",
    b"[[]",
    b"[1",
    b"[1,",
    b"[,]",
    b"[,1]",
    b"[1,]",
    b"[1,,2]",
    b"[1 2]",
    b"[1:2]",
    b"[1;2]",
    b'["a":1]',
    b'["a"',
    b'["a" "b"]',
    b'["a"1]',
    b'[1"a"]',
    b'[true"a"]',
    b"[truefalse]",
    b"[true false]",
    b"[}",
    b"(1)",
    b"{",
    b"}",
    b"{]",
    b"{}}",
    b"{1}",
    b"{1:1}",
    b"{a:1}",
    b"{'a':1}",
    b'{"a"}',
    b'{"a",1}',
    b'{"a" 1}',
    b'{"a"::1}',
    b'{"a":}',
    b'{"a":1',
    b'{"a":1,',
    b'{"a":1,}',
    b'{,"a":1}',
    b'{"a":1,,"b":2}',
    b'{"a":1 "b":2}',
    b'{"a":1;"b":2}',
    b'{"a":1]',
    b"{[]:1}",
    b"{null:1}",
    b"[1]2",
    b"[1][2]",
    b"{}[]",
    b'"a""b"',
    b'"a"b',
    b"1 2",
    b"[1]//",
    b"/**/1",
    b"[1]#",
    b'"',
    b'"a',
    b'"\\"',
    b'"\\',
    b"'a'",
    b"`a`",
    b"a",
    b'"\\a"',
    b'"\\\'"',
    b'"\\0"',
    b'"\\x41"',
    b'"\\U0041"',
    b'"\\u"',
    b'"\\u004"',
    b'"\\u00g0"',
    b'"\\u+041"',
    b'"\\ 0041"',
    b'"\\\n"',
    b'"\n"',
    b'"\t"',
    b'"\r"',
    b'"\x00"',
    b'"\x1f"',
    b'["a\x08"]',
    b"[1\x0c]",
    b"[\x0b1]",
    b"[1\xc2\xa0]",
    b"\xef\xbb\xbf1",
    b"\xff\xfe[\x00]\x00",
    b"[\x00]\x00",
    b'"\x80"',
    b'"\xff"',
    b'"\xc0\xaf"',
    b'"\xc3"',
    b'"\xc3\x28"',
    b'"\xe2\x82"',
    b'"\xed\xa0\x80"',
    b'"\xf4\x90\x80\x80"',
    b'"\xf8\x88\x80\x80\x80"',
    b"[\xc3\xa9]",
    b'"\\ud800"',
    b'"\\udc00"',
    b'"\\ud800a"',
    b'"\\ud800\\n"',
    b'"\\ud800\\ud800"',
    b'"\\udc00\\ud800"',
    b'{"\\ud800":1}',
    b"[" * 65 + b"]" * 65,
    b"[" * 10_000,
    b'{"a":' * 65 + b"1" + b"}" * 65,
]


def short(text):
    return ascii(text[:30])


def is_taken_for_json(text, place):
    arguments, around = PLACES[place]
    try:
        Decoder(arguments, lambda array: array).decode(around % text)
    except (InvalidJson, EmptyBody):
        return False
    except ClientError:
        return True
    return True


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", VALID, ids=short)
def test_valid(text, place):
    assert is_taken_for_json(text, place)


def test_keys_that_stand_twice():
    """RFC 8259 leaves it to the parser: refused where the keys mean something, else passed over."""
    text = b'{"a":1,"a":2}'
    assert not is_taken_for_json(text, "body")  # the keys name arguments
    assert is_taken_for_json(text, "value")
    assert is_taken_for_json(text, "ignored")
    test_what_is_ignored_changes_nothing(text)
    assert is_taken_for_json(b"[%b]" % text, "body")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", INVALID, ids=short)
def test_invalid(text, place):
    assert not is_taken_for_json(text, place)


@pytest.mark.parametrize("text", VALID, ids=short)
def test_what_is_ignored_changes_nothing(text):
    arguments, around = PLACES["ignored"]
    [array] = Decoder(arguments, lambda array: array).decode(around % text)
    assert array.tolist() == [1.0]


@pytest.mark.parametrize("text", [text for text in VALID if text.startswith(b'"')], ids=short)
def test_strings_mean_what_json_says(text):
    strings = Decoder([Argument("x", TypeSpec("str", "str"))], None)
    assert strings.decode(b'{"type":"string","value":%b}' % text) == [json.loads(text)]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_corpus(path, place):
    text = path.read_bytes()
    taken = is_taken_for_json(text, place)
    if path.name[0] != "i":
        assert taken == (path.name[0] == "y")
