"""Bodies that no client of the Open Inference Protocol sends, each with a part of its error."""

import gzip
import struct
import zlib
from typing import Any, NamedTuple

import numpy as np

from tests.support.oip import binary, body_of, byte_strings, entry

LENGTH = "Inference-Header-Content-Length"
FLOATS = np.arange(3, dtype="float32")
BUFFER = FLOATS.tobytes()
BIG = 2**63


class Case(NamedTuple):
    problem: str  # a part of the error
    body: bytes
    headers: dict[str, str]
    model: str = "echo.pt"


def said(problem: str, *inputs: Any, buffers: tuple = (BUFFER,), **others: Any) -> Case:
    """JSON that describes its buffers wrongly."""
    return Case(problem, *body_of(inputs, *buffers, **others))


def sized(size: Any, **others: Any) -> dict[str, Any]:
    return entry(parameters={"binary_data_size": size}, **others)


def lengths(problem: str, length: str, body: bytes = b"") -> Case:
    """A good body, or another, with a header that is not its JSON's length."""
    return Case(problem, body or body_of([binary(FLOATS)], BUFFER)[0], {LENGTH: length})


def plain(problem: str, text: str | bytes, **headers: str) -> Case:
    return Case(problem, text if isinstance(text, bytes) else text.encode(), headers)


def data(problem: str, text: str, shape: str = "[3]", datatype: str = "FP32") -> Case:
    """Numbers in JSON."""
    described = f'"name":"x","shape":{shape},"datatype":"{datatype}","data":{text}'
    return plain(problem, f'{{"inputs":[{{{described}}}]}}')


def strings(problem: str, buffer: bytes, count: int = 1) -> Case:
    size = {"binary_data_size": len(buffer)}
    described = entry("s", [count], "BYTES", parameters=size)
    return Case(problem, *body_of([described], buffer), "str.pt")


def coded(problem: str, body: bytes, coding: str) -> Case:
    length = str(len(body_of([binary(FLOATS)])[0]))
    return Case(problem, body, {"Content-Encoding": coding, LENGTH: length})


GOOD_BODY, GOOD_HEADERS = body_of([binary(FLOATS)], BUFFER)
SHAPE = "shape"
CASES = {
    # the length of the JSON
    "length beyond the body": lengths("the body has", str(len(GOOD_BODY) + 1)),
    "length far beyond": lengths("the body has", "999999999999"),
    "length of more digits": lengths("expected a whole number", "9" * 30),
    "length negative": lengths("expected a whole number", "-1"),
    "length empty": lengths("expected a whole number", ""),
    "length a fraction": lengths("expected a whole number", "12.0"),
    "length in hexadecimal": lengths("expected a whole number", "0x10"),
    "length with a sign": lengths("expected a whole number", "+10"),
    "length and a list": lengths("expected a whole number", "10, 10"),
    "length that cuts the JSON": lengths("Invalid JSON", "10"),
    "length of one byte": lengths("Invalid JSON", "1"),
    "length that takes from the buffer": lengths("", str(int(GOOD_HEADERS[LENGTH]) + 1)),
    "length of the whole": lengths("", str(len(GOOD_BODY))),
    "no length": Case("Invalid JSON", GOOD_BODY, {}),
    "length 0 and text": lengths("no FP32 of 4 bytes each", "0", b"xyz"),
    "length 0 for two inputs": Case("is one input", BUFFER, {LENGTH: "0"}, "two.pt"),
    # sizes of buffers
    "size too small": said("announce 8 bytes", sized(8)),
    "size too large": said("announce 16 bytes", sized(16)),
    "size negative": said("expected a size, got -12", sized(-12)),
    "sizes that make up for each other": said("expected a size", sized(-12), sized(24, name="y")),
    "size 2^63": said("does not fit int64", sized(BIG)),
    "size 2^63 - 1": said("announce", sized(BIG - 1)),
    "sizes whose sum overflows": said("announce", sized(BIG - 1), sized(BIG - 1, name="y")),
    "size a fraction": said("", sized(12.0)),
    "size a string": said("expected an integer", sized("12")),
    "size a boolean": said("expected an integer", sized(True)),
    "size null": said("got neither", sized(None)),
    "size a list": said("expected an integer", sized([12])),
    "size 0 for numbers": said("takes 12 bytes", sized(0), buffers=()),
    "buffer too short": said("announce", binary(FLOATS), buffers=(BUFFER[:-1],)),
    "buffer too long": said("announce", binary(FLOATS), buffers=(BUFFER + b"x",)),
    "buffer missing": said("announce", binary(FLOATS), buffers=()),
    "buffer that nobody announces": said("announce", entry(data=[1, 2, 3])),
    "size and data": said("got both", sized(12, data=[1, 2, 3])),
    "neither size nor data": said("got neither", entry(), buffers=()),
    # shapes
    "shape too small": said("takes 8 bytes", sized(12, shape=[2])),
    "shape too large": said("takes 16 bytes", sized(12, shape=[4])),
    "shape negative": said(SHAPE, sized(12, shape=[-3])),
    "shape of two negatives": said(SHAPE, sized(12, shape=[-3, -1])),
    "shape with 2^63": said(SHAPE, sized(12, shape=[BIG])),
    "shape with 2^62": said("", sized(12, shape=[2**62])),
    "shape whose product wraps to 3": said("", sized(12, shape=[3, 2**32, 2**32])),
    "shape whose product overflows": said("", sized(12, shape=[2**31, 2**31, 2**31])),
    "shape that a zero hides": said("", sized(0, shape=[0, 2**40, 2**40]), buffers=()),
    "shape of fractions": said(SHAPE, sized(12, shape=[3.0])),
    "shape of strings": said(SHAPE, sized(12, shape=["3"])),
    "shape of booleans": said(SHAPE, sized(12, shape=[True, 3])),
    "shape nested": said("", sized(12, shape=[[3]])),
    "shape of 33 dimensions": said("dimensions", sized(12, shape=[3, *[1] * 32])),
    "shape of a million": said("dimensions", sized(12, shape=[1] * 1_000_000)),
    "shape a number": plain("", '{"inputs":[{"name":"x","shape":3,"datatype":"FP32","data":[1]}]}'),
    "shape missing": plain("`shape`", '{"inputs":[{"name":"x","datatype":"FP32","data":[1]}]}'),
    "shape null": data(SHAPE, "[1,2,3]", "null"),
    # data types
    "datatype unknown": said("expected one of BOOL", sized(12, datatype="FP8")),
    "datatype in lower case": said("expected one of BOOL", sized(12, datatype="fp32")),
    "datatype of another size": said("takes 24 bytes", sized(12, datatype="FP64")),
    "datatype a number": said("expected a string", sized(12, datatype=32)),
    "datatype BYTES for a tensor": said("expected one of", sized(12, datatype="BYTES")),
    "datatype long": said("expected one of", sized(12, datatype="x" * 100_000)),
    "BOOL of 2": said("neither 0 nor 1", sized(3, datatype="BOOL"), buffers=(b"\0\1\2",)),
    # names
    "name missing": plain("`name`", '{"inputs":[{"shape":[1],"datatype":"FP32","data":[1]}]}'),
    "name a number": said("expected a string", binary(FLOATS, 7)),  # type: ignore[arg-type]
    "name unknown": said("is missing", binary(FLOATS, "y")),
    "name twice": said("stands twice", binary(FLOATS), binary(FLOATS), buffers=(BUFFER, BUFFER)),
    "name with a part": said("is missing", binary(FLOATS, "x.0")),
    "no inputs": said("is missing", buffers=()),
    "two thousand inputs": said(
        "2000 tensors", *[entry(str(i), data=[1]) for i in range(2000)], buffers=()
    ),
    "two thousand parameters": said(
        "2000 members", binary(FLOATS), parameters={str(i): i for i in range(2000)}
    ),
    # what is asked for
    "output unknown": said("output `y`", binary(FLOATS), outputs=[{"name": "y"}]),
    "output twice": said("twice", binary(FLOATS), outputs=[{"name": "output_0"}] * 2),
    "output without a name": said("`name`", binary(FLOATS), outputs=[{}]),
    "outputs an object": said("expected an array", binary(FLOATS), outputs={"name": "output_0"}),
    "binary_data a number": said(
        "true or false",
        binary(FLOATS),
        outputs=[{"name": "output_0", "parameters": {"binary_data": 1}}],
    ),
    "binary_data_output a string": said(
        "true or false", binary(FLOATS), parameters={"binary_data_output": "yes"}
    ),
    "id a number": said("expected a string", binary(FLOATS), id=7),
    "parameters a list": said("expected an object", binary(FLOATS), parameters=[]),
    "shared memory": said(
        "no extension",
        entry(parameters={"shared_memory_region": "r", "shared_memory_byte_size": 12}),
        buffers=(),
    ),
    # JSON
    "empty": plain("Empty body", ""),
    "no JSON": plain("Invalid JSON", "x"),
    "an array": plain("expected an object", "[]"),
    "null": plain("expected an object", "null"),
    "an empty object": plain("`inputs`", "{}"),
    "inputs null": plain("the key `inputs` is missing", '{"inputs":null}'),
    "inputs an object": plain("expected an array", '{"inputs":{}}'),
    "input a number": plain("expected an object", '{"inputs":[1]}'),
    "input null": plain("expected an object", '{"inputs":[null, {}]}'),
    "a key twice": plain("twice", '{"inputs":[],"inputs":[]}'),
    "text behind": plain("Invalid JSON", '{"inputs":[]} x'),
    "cut in the middle": plain("Invalid JSON", '{"inputs":[{"name":"x"'),
    "not UTF-8": plain("Invalid JSON", b'{"inputs":[{"name":"\xff"}]}'),
    "half of a surrogate": plain("Invalid JSON", '{"inputs":[{"name":"\\ud800"}]}'),
    "a byte order mark": plain("is missing", '\ufeff{"inputs":[]}'),
    "UTF-16": plain("Invalid JSON", '{"inputs":[]}'.encode("utf-16")),
    "deep": plain("Invalid JSON", '{"inputs":' + "[" * 100_000 + "]" * 100_000 + "}"),
    "deep objects": plain("Invalid JSON", '{"a":' * 10_000 + "1" + "}" * 10_000),
    "a bad number that nobody wants": plain("Invalid JSON", '{"inputs":[],"x":[1,02]}'),
    # numbers in JSON
    "too few numbers": data("has 2", "[1,2]"),
    "too many numbers": data("has 4", "[1,2,3,4]"),
    "numbers nested otherwise": data("nested as", "[[1,2],[3,4]]", "[4,1]"),
    "numbers ragged": data("Incompatible tensor shapes", "[[1,2],[3]]"),
    "a string among numbers": data("got the string", '[1,"2",3]'),
    "null among numbers": data("got null", "[1,null,3]"),
    "an object among numbers": data("got an object", "[1,{},3]"),
    "numbers an object": data("", "{}"),
    "a number that is none": data("Invalid JSON", "[1,-,3]"),
    "an infinity among integers": data(
        "-Infinity does not fit int32", "[1,-Infinity,3]", datatype="INT32"
    ),
    "an infinity among truths": data("-Infinity does not fit bool", "[-Infinity]", "[1]", "BOOL"),
    "another word": data("Invalid JSON", "[1,nan,3]"),
    "a float too large": data("does not fit float32", "[1,1e39,3]"),
    "an integer too large": data("does not fit int8", "[1,128,3]", datatype="INT8"),
    "a negative of no sign": data("does not fit uint8", "[1,-1,3]", datatype="UINT8"),
    "a fraction for an integer": data("does not fit int64", "[1,1.5,3]", datatype="INT64"),
    "NaN for an integer": data("fit", "[1,NaN,3]", datatype="INT64"),
    "-Infinity for an integer": data("fit", "[1,-Infinity,3]", datatype="INT64"),
    "a digit of 100,000": data("", "[1," + "9" * 100_000 + ",3]", datatype="INT64"),
    # strings
    "string beyond the buffer": strings("lengths", struct.pack("<I", 9) + b"abc"),
    "string of 4 GiB": strings("lengths", struct.pack("<I", 0xFFFFFFFF) + b"abc"),
    "string without a length": strings("lengths", b"abc"),
    "strings too few": strings("lengths", byte_strings(b"abc"), 2),
    "strings too many": strings("lengths", byte_strings(b"abc", b"d"), 1),
    "strings of 2^58": strings("lengths", byte_strings(b"abc"), 2**58),
    "string not UTF-8": strings("UTF-8", byte_strings(b"\xff\xfe")),
    "string with a byte behind": strings("lengths", byte_strings(b"abc") + b"x"),
    "strings for one": strings("expected shape [] or [1]", byte_strings(b"a", b"b"), 2),
    # codings
    "gzip that is none": coded("Invalid content encoding", GOOD_BODY, "gzip"),
    "gzip that is cut": coded("Invalid content encoding", gzip.compress(GOOD_BODY)[:-9], "gzip"),
    "deflate that is none": coded("Invalid content encoding", b"\x78\x9c" + BUFFER, "deflate"),
    "deflate of less": coded("announce", zlib.compress(GOOD_BODY[:-1]), "deflate"),
}
