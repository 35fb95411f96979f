"""The view Try in a browser: what tests of it do there."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from tests.support.browser import Browser

SEND = ".try button.primary"
FIRST = '.try [type="file"]'
RECORD = """
window.answers = [];
const ask = window.fetch;
window.fetch = async (url, options) => {
  const response = await ask(url, options);
  if (options?.method === "POST") {
    const text = await response.clone().text();
    answers.push([String(url), options.body, response.status, text, options.headers]);
  }
  return response;
};
"""


class Answer(NamedTuple):
    """What was sent, and what came."""

    url: str
    body: Any
    status: int
    document: dict[str, Any]
    headers: dict[str, str]

    @property
    def result(self) -> Any:
        return self.document["result"]


class TryPage:
    def __init__(self, browser: Browser, url: str) -> None:
        self.browser = browser
        browser.open(f"{url}/#/try/")
        browser.script(RECORD)

    def open(self, model: str, method: str = "") -> None:
        query = f"?method={quote(method)}" if method else ""
        self.browser.script("location.hash = arguments[0]", f"#/try/{quote(model, safe='')}{query}")
        self.browser.wait(lambda: self.is_ready(model))

    def is_ready(self, model: str) -> bool:
        code = """
        const card = document.querySelector(".try form");
        const shown = document.querySelector(".try select")?.value;
        return Boolean(card) && !card.hidden && shown === arguments[0];
        """
        return bool(self.browser.script(code, model))

    def send(self) -> Answer:
        """Press Send, and return what came of it."""
        return self.answer_after(lambda: self.browser.click(SEND))

    def answer_after(self, action: Any) -> Answer:
        before = self.browser.script("return answers.length")
        action()
        count = "return answers.length"
        self.browser.wait(lambda: self.browser.script(count) > before)
        self.browser.wait(lambda: self.browser.one(SEND).is_enabled())
        url, body, status, text, headers = self.browser.script("return answers.at(-1)")
        return Answer(url, json.loads(body), status, json.loads(text), headers)

    def button(self, text: str) -> None:
        """Press the first visible button with a text, once it is there."""
        code = """
        const found = [...document.querySelectorAll(".try button")];
        return found.find((each) => each.textContent === arguments[0] && each.offsetParent);
        """
        self.browser.click_on(lambda: self.browser.script(code, text))

    def labelled(self, label: str) -> Any:
        """The input with a label."""
        code = """
        const inputs = [...document.querySelectorAll(".try :is(input, select, textarea)")];
        const names = (each) => [each.ariaLabel, ...[...each.labels].map((one) => one.innerText)];
        const fits = (name) => name?.trim().startsWith(arguments[0]);
        return inputs.find((each) => each.offsetParent && names(each).some(fits));
        """
        return self.browser.wait(lambda: self.browser.script(code, label))

    def write(self, label: str, text: str) -> None:
        self.browser.fill_in(lambda: self.labelled(label), text)

    def pick(self, label: str, option: str) -> None:
        self.browser.choose_in(lambda: self.labelled(label), option)

    def give(self, *paths: Path, selector: str = FIRST) -> None:
        """Choose files, as in the dialog that a button opens."""
        self.browser.one(selector).send_keys("\n".join(map(str, paths)))

    def problems(self) -> Sequence[str]:
        """What fields say is wrong with them."""
        return [each.text for each in self.browser.all(".try form .bad:not([hidden])") if each.text]
