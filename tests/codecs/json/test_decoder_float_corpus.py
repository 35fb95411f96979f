"""Text -> floats, as collections of hard cases have it.

A folder named by TORCH_SERVING_CORPORA is tried: each of its files of lines
`f16hex f32hex f64hex text`.
"""

import os
import re
from pathlib import Path

import pytest

from tests.support.exact_floats import FORMATS, bits_of, decode, infinity
from torch_serving.errors import IncompatibleDtype, InvalidJson

CORPORA = os.environ.get("TORCH_SERVING_CORPORA")
LINE = re.compile(r"([0-9A-Fa-f]{4}) ([0-9A-Fa-f]{8}) ([0-9A-Fa-f]{16}) (\S+)")
JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def corpus():
    """The files of lines below the folder: those that begin with one."""
    for path in sorted(Path(CORPORA).rglob("*")) if CORPORA else []:
        if path.is_file():
            with path.open(errors="replace") as lines:
                if LINE.fullmatch(lines.readline().rstrip("\n")):
                    yield path


CORPUS = list(corpus())
HEX_FORMATS = ("float16", "float32", "float64")  # in the order of a corpus line


def lines_of(path):
    """The lines of a corpus file: bits as float16, float32 and float64, and the text."""
    for line in path.read_text().splitlines():
        match = LINE.fullmatch(line)
        if match:
            *patterns, text = match.groups()
            yield dict(zip(HEX_FORMATS, (int(bits, 16) for bits in patterns), strict=True)), text


def check_line(bits, text, data_type):
    """A number reads as these bits, an infinity is refused, and text that is no JSON is too."""
    sign = 1 << (8 * FORMATS[data_type][2]().itemsize - 1)
    if not JSON_NUMBER.fullmatch(text):
        with pytest.raises((InvalidJson, IncompatibleDtype)):
            decode(text, data_type)
    elif bits & ~sign >= infinity(data_type):
        with pytest.raises(IncompatibleDtype):
            decode(text, data_type)
    else:
        assert bits_of([text], data_type) == [bits], text


def test_lines_of_a_corpus_are_read(tmp_path):
    path = tmp_path / "data.txt"
    path.write_text(
        "3C00 3F800000 3FF0000000000000 1\n8000 80000000 8000000000000000 -0.0\n"
        "7C00 4F800000 41F0000000000000 4294967296e0\n7C00 7F800000 7FF0000000000000 1e999\n"
        "3C00 3F800000 3FF0000000000000 1.\nno line of numbers\n"
    )
    lines = list(lines_of(path))
    assert len(lines) == 5
    for bits, text in lines:
        check_line(bits["float64"], text, "float64")
    with pytest.raises(AssertionError):
        check_line(0x3C01, "1", "float16")
    with pytest.raises(AssertionError):
        check_line(0x4F800001, "4294967296e0", "float32")


@pytest.mark.skipif(not CORPUS, reason="TORCH_SERVING_CORPORA names no such files")
@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_corpus(path):
    for bits, text in lines_of(path):
        for data_type in HEX_FORMATS:
            check_line(bits[data_type], text, data_type)
