"""The console draws what a server really responds."""

from collections.abc import Callable

import pytest

from tests.support.browser import Browser
from tests.support.process import Process
from tests.support.servables import scripted

ASK = """
const [model, body] = arguments;
const root = document.querySelector("main");
const { createResults } = await import("./console/result.js");
const { request } = await import("./console/api.js");
const results = createResults({ onReuse() {} });
root.replaceChildren(results.element);
const headers = { "Content-Type": "application/json", "X-Server-Timing": "1" };
const response = await request("POST", `serve?servable_identifier=${model}`, { body, headers });
const sent = { model, method: "forward", inputs: {}, sent_bytes: 1 };
await results.show({ ...sent, ...response, time: new Date(), text: response.text() });
"""
FOUND = """
    return {"boxes": x, "scores": x[:, 0], "labels": torch.ones(1, dtype=torch.int64)}"""
KINDS = """
    words = ["a", "b"]
    keys = {1: 2.5}
    return x, words, keys, None, float("nan"), torch.zeros(0, 2)"""
MODELS = {
    "found.pt": ("x: Tensor", "Dict[str, Tensor]", FOUND.lstrip("\n ")),
    "kinds.pt": (
        "x: Tensor",
        "Tuple[Tensor, List[str], Dict[int, float], Optional[int], float, Tensor]",
        KINDS.lstrip("\n "),
    ),
    "whole.pt": ("n: int", "int", "return n"),
}
ASKED = [
    (
        "whole.pt",
        '{"n": 9223372036854775807}',
        ["9223372036854775807", "int64", "Forward", "Batch of 1"],
    ),
    (
        "kinds.pt",
        '{"x": [1, 2]}',
        [
            "list, 6 members",
            "0 tensor float32 [2]",
            "1 list, 2 members",
            "“a”",
            "1 2.5 (float64)",
            "3 none",
            "4 NaN (float64)",
            "5 tensor float32 [0, 2]",
        ],
    ),
    (
        "found.pt",
        '{"x": [[1, 2, 3, 4]]}',
        ["dictionary, 3 members", "boxes tensor float32 [1, 4]"],
    ),
    ("found.pt", '{"x": [["a"]]}', ["400", "Field", "/x/0/0", "Request"]),
    ("gone.pt", "{}", ["Invalid servable identifier"]),
]


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, start_for_module: Callable[..., Process]
) -> Process:
    root = tmp_path_factory.mktemp("answers")
    for name, source in MODELS.items():
        scripted(*source).save(root / name)
    return start_for_module(root, "--port", "0")


def test_answers_of_a_server(browser: Browser, server: Process):
    browser.open(f"{server.url}/")
    browser.one("main h1")
    for model, body, shown in ASKED:
        browser.script(ASK, model, body)
        for each in shown:
            browser.sees(each, ".answer")
