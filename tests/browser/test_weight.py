"""The console is small, loads what a view needs and no more, and takes nothing for HTML or code."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import torch_serving.http.console
from tests.support.browser import Browser
from tests.support.process import Process
from tests.support.try_page import SEND, TryPage

STATIC = Path(torch_serving.http.console.__file__).with_name("static")
MOST_IN_ALL = 131_300  # what there is, and little more: who adds also takes away
NEVER = (
    r"innerHTML|outerHTML|insertAdjacentHTML|setHTML|createContextualFragment|document\.write"
    r"|\beval\b|\bFunction\(|DOMParser|\bsrcdoc\b"
)
OTHER_HOST = r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[\w.-]+\.\w+"
MOST_BYTES = {"models": 40_000, "live": 40_000, "try": 60_600}
LOADED = """
const kinds = ["navigation", "resource"].flatMap((each) => performance.getEntriesByType(each));
const all = kinds.map((each) => [new URL(each.name).pathname, each.decodedBodySize]);
return all.filter(([path]) => /\\/(console\\/[^/]*\\.\\w+)?$/.test(path));
"""


def sources() -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in sorted(STATIC.iterdir())}


def imports(name: str) -> set[str]:
    """The modules that a module names in its first lines, and those that they name."""
    found, left = set(), [name]
    while left:
        text = sources()[f"{left.pop()}.js"]
        named = set(re.findall(r'^import .* from "\./(.*)\.js";$', text, re.M))
        left += named - found
        found |= named
    return found


def test_the_console_stays_small():
    assert sum(len(text.encode()) for text in sources().values()) <= MOST_IN_ALL


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


def test_no_module_waits_until_another_one_names_it():
    preloaded = set(re.findall(r'"modulepreload" href="console/(.*)\.js"', sources()["index.html"]))
    assert imports("main") <= preloaded
    views = re.findall(r'^  (\w+): (\["[A-Z].*\]),$', sources()["main.js"], re.M)
    assert {name for name, _ in views} == set(MOST_BYTES)
    for name, modules in views:
        assert imports(name) <= preloaded | set(json.loads(modules))


@contextmanager
def uncached(browser: Browser) -> Iterator[None]:
    """What has not changed since an earlier visit would have no size."""
    command = browser.driver.execute_cdp_cmd
    command("Network.enable", {})
    command("Network.setCacheDisabled", {"cacheDisabled": True})
    try:
        yield
    finally:
        command("Network.setCacheDisabled", {"cacheDisabled": False})


@pytest.mark.parametrize("view", MOST_BYTES)
def test_a_view_loads_no_more_than_it_shows(browser: Browser, console: Process, view: str):
    shown = {"models": "4 models", "live": "Memory", "try": "Random"}
    with uncached(browser):
        browser.open(f"{console.url}/#/{view}" + ("/mlp.pt" if view == "try" else ""))
        browser.sees(shown[view])
    files = browser.script(LOADED)
    names = [name for name, _ in files]
    assert len(set(names)) == len(names) > 8
    assert all(size for _, size in files)
    assert sum(size for _, size in files) <= MOST_BYTES[view], files


@pytest.mark.parametrize(
    ("missing", "selector"),
    [("result", "button.primary"), ("snippets", "summary"), ("files", '[type="file"]')],
)
def test_what_cannot_be_loaded_is_said_and_asked_for_again(
    browser: Browser, console: Process, tmp_path: Path, missing: str, selector: str
):
    view = TryPage(browser, console.url)
    view.open("mlp.pt")
    (tmp_path / "x.npy").write_bytes(b"no numpy")

    def act() -> None:
        if missing == "files":
            view.give(tmp_path / "x.npy")
        else:
            browser.click(f".try form {selector}")

    command = browser.driver.execute_cdp_cmd
    command("Network.enable", {})
    command("Network.setBlockedURLs", {"urls": [f"*/{missing}.js"]})
    try:
        act()
        browser.sees("This part of the page could not be loaded", ".try")
        browser.wait(lambda: browser.one(SEND).is_enabled())
    finally:
        command("Network.setBlockedURLs", {"urls": []})
    browser.errors()
    for _ in range(2 if missing == "snippets" else 1):  # which folds, and unfolds again
        act()
    done = {"result": "Raw answer", "snippets": "curl", "files": "reads images, .npy"}
    browser.sees(done[missing], ".try")


def test_a_view_that_cannot_be_loaded_is_said(browser: Browser, console: Process):
    command = browser.driver.execute_cdp_cmd
    command("Network.enable", {})
    command("Network.setBlockedURLs", {"urls": ["*/chart.js"]})
    try:
        browser.open(f"{console.url}/#/live")
        browser.sees("This part of the page could not be loaded", "main [role=alert]")
    finally:
        command("Network.setBlockedURLs", {"urls": []})
    browser.errors()
    browser.click("nav a[href='#/models']")
    browser.sees("4 models")
    browser.click("nav a[href='#/live']")
    browser.sees("Memory")
