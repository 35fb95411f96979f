"""The console's result area in a page of its own, with answers that a test makes."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.browser import Browser
from torch_serving.http.console.files import FOLDER, TYPES
from torch_serving.http.console.policy import HEADERS

HOSTILE = "<img src=x onerror=\"document.title='executed'\"><u>bold</u>"

PAGE = Path(__file__).parents[1] / "browser/results_page"
STEPS = "queue;dur=1, decode;dur=2, copy;dur=0, forward;dur=30, encode;dur=4, total;dur=40"
CELLS = """
const rows = [...document.querySelector(".answer table").rows];
return rows.map((row) => [...row.cells].map((each) => each.textContent));
"""
SLIDE = """
const labels = [...document.querySelectorAll(".answer label")];
const input = labels.find((each) => each.textContent === arguments[0]).control;
input.value = arguments[1];
input.dispatchEvent(new Event("input"));
"""
Value = Any  # what JSON has


def tensor(shape: list[int], value: list[Value], data_type: str = "float32") -> Value:
    return {"type": "tensor", "shape": shape, "value": value, "data_type": data_type}


def scalar(value: Value, data_type: str = "float64") -> Value:
    return {"type": "scalar", "data_type": data_type, "value": value}


def string(value: str) -> Value:
    return {"type": "string", "value": value}


def strings(*values: str) -> Value:
    return [string(each) for each in values]


def dictionary(**members: Value) -> Value:
    return {"type": "generic_dict", "value": members}


class Answers:
    """What the result area shows of outcomes. `picture`: the size of an image that was sent."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.browser = browser
        browser.open(url)
        browser.wait(lambda: browser.script("return window.ready"))

    def show(self, result: Value, **outcome: Value) -> None:
        self.show_text(json.dumps({"code": 200, "result": result}), **outcome)

    def show_error(self, status: int, document: Value, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.show_text(json.dumps(document), status=status, headers=named)

    def show_text(self, text: str, **outcome: Value) -> None:
        known = {"text": text, "headers": {"server-timing": STEPS}}
        self.browser.script("return show(arguments[0])", known | outcome)

    def select(self, name: str, option: str) -> None:
        self.browser.choose(f".answer select[aria-label='{name}']", option)

    def slide(self, name: str, value: float) -> None:
        """Move a slider, the first of that name."""
        self.browser.script(SLIDE, name, value)

    def cells(self) -> list[list[str]]:
        """The first table, row by row."""
        rows: list[list[str]] = self.browser.script(CELLS)
        return rows

    def drawing(self) -> str:
        """The text alternative of the first picture."""
        return self.browser.attribute(".answer canvas", "aria-label")

    def pixel(self, x: int, y: int) -> list[int]:
        found: list[int] = self.browser.script("return pixel(...arguments)", x, y)
        return found


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        folder = FOLDER if self.path.startswith("/console/") else PAGE
        file = folder / (self.path.rpartition("/")[2] or "page.html")
        self.send_response(200)
        for name, value in {**HEADERS, "content-type": TYPES[file.suffix]}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(file.read_bytes())


@contextmanager
def answers_page() -> Iterator[str]:
    """The URL of the page."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
