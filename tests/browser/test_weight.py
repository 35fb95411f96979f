"""The console is small, and takes nothing for HTML or code."""

import re
from pathlib import Path

import torch_serving.http.console

STATIC = Path(torch_serving.http.console.__file__).with_name("static")
MOST_BYTES = 135_000  # what there is, and little more: who adds also takes away
NEVER = (
    r"innerHTML|outerHTML|insertAdjacentHTML|setHTML|createContextualFragment|document\.write"
    r"|\beval\b|\bFunction\(|DOMParser|\bsrcdoc\b"
)
OTHER_HOST = r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[\w.-]+\.\w+"


def sources() -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in sorted(STATIC.iterdir())}


def test_the_console_stays_small():
    assert sum(len(text.encode()) for text in sources().values()) <= MOST_BYTES


def test_no_text_becomes_html_or_code():
    found = {name: re.findall(NEVER, text) for name, text in sources().items()}
    assert {name: each for name, each in found.items() if each} == {}


def test_nothing_comes_from_another_host():
    found = {name: re.findall(OTHER_HOST, text) for name, text in sources().items()}
    assert {name: each for name, each in found.items() if each} == {}


def test_no_file_is_long():
    assert [name for name, text in sources().items() if len(text.splitlines()) > 300] == []


def test_the_page_has_no_inline_style_or_script():
    page = sources()["index.html"]
    assert re.findall(r"\bstyle=|<style|<script(?![^>]*\ssrc=)|\son\w+=", page) == []
