"""Names and problems of models are text, whatever is in them."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.support.browser import Browser
from tests.support.console_stand_in import StandIn, model
from tests.support.hostile_names import NAMES
from tests.support.process import Process

SHOWN = "return [...document.querySelectorAll('.models bdi')].map((e) => e.textContent)"
LABELS = "return [...document.querySelectorAll('[data-model] button')].map((e) => e.textContent)"
BUTTON = """
const name = document.querySelectorAll('.models bdi')[arguments[0]];
return name.closest('[role=row]').querySelector('button');
"""


@pytest.fixture(scope="module")
def hostile(hostile_models: Path, start_for_module: Callable[..., Process]) -> Process:
    flags = ["--port", "0", "--model-capacity", str(len(NAMES))]
    return start_for_module(hostile_models, *flags)


def test_names_are_text_and_work(page: Browser, hostile: Process):
    page.open(f"{hostile.url}/")
    page.sees(f"{len(NAMES)} models")
    shown = page.script(SHOWN)
    assert sorted(shown) == sorted(NAMES)
    for i in range(len(shown)):
        page.script("arguments[0].click()", page.script(BUTTON, i))
    page.wait(lambda: page.script(LABELS) == ["Unload"] * len(NAMES))
    assert len(page.all(".badge.ok")) == len(NAMES)
    for i in range(len(shown)):
        page.script("arguments[0].click()", page.script(BUTTON, i))
    page.wait(lambda: not page.all(".badge.ok"))
    unharmed(page)


def test_links_lead_to_the_same_name(page: Browser, hostile: Process):
    page.open(f"{hostile.url}/")
    page.sees(f"{len(NAMES)} models")
    links = [each.get_attribute("href") for each in page.all(".models a")]
    assert sorted(unquote(each.split("#/try/")[1]) for each in links) == sorted(NAMES)


def test_problems_are_text(page: Browser, figures: StandIn):
    figures.models = [model("a.pt", "invalid", problem=NAMES[0]), model("b.pt", warning=NAMES[1])]
    figures.models += [model("c.pt", kind=NAMES[2]), model("d.pt", state=NAMES[3])]
    page.open(f"{figures.url}/")
    page.sees("4 models")
    for name in NAMES[:4]:
        page.sees(name, ".models")
    figures.push({}, errors={NAMES[0]: 50}, device_bytes={NAMES[2]: 1})
    page.click("nav a[href='#/live']")
    page.sees(NAMES[0], ".chart:nth-child(3)")
    page.sees(NAMES[2], ".chart:nth-child(7)")
    unharmed(page)


def unharmed(page: Browser) -> None:
    """Nothing was executed, nothing became an element, and nothing is too wide."""
    assert page.driver.title.endswith("· torch-serving")
    assert page.all("main :is(img, script, [onerror], [onload])") == []
    assert page.script("return document.documentElement.scrollWidth - innerWidth") <= 0
