"""The page around the views: tabs, keys of the keyboard, themes, the server's key, its end."""

from collections.abc import Callable
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.support.browser import Browser
from tests.support.console_stand_in import StandIn
from tests.support.process import Process

KEY = "key-0123456789abcdef"
TIMERS = """
window.timers = new Set();
const {setInterval, clearInterval} = window;
window.setInterval = (...all) => {
  const id = setInterval(...all);
  timers.add(id);
  return id;
};
window.clearInterval = (id) => clearInterval(id, timers.delete(id));
"""
STATES = """
const place = document.getElementById("connection");
window.states = [place.textContent];
new MutationObserver(() => states.push(place.textContent)).observe(place, {childList: true});
"""
IMPATIENT = """
const {setTimeout} = window;
window.setTimeout = (then, ms) => {
  if (ms !== 10_000) return setTimeout(then, ms);
  window.setTimeout = setTimeout;
  return setTimeout(then, 100);
};
"""
TIMED = """
const started = performance.now();
import("./console/api.js")
  .then(({request}) => request("GET", "models"))
  .then(({ms}) => (window.times = [ms, performance.now() - started]));
"""
GROUND = "return getComputedStyle(document.documentElement).backgroundColor"
VIEWS = ["Models", "Try", "Live"]


@pytest.fixture
def guarded(console_models: Path, start: Callable[..., Process], tmp_path: Path) -> Process:
    """A server that asks for a key."""
    keys = tmp_path / "keys"
    keys.write_text(KEY + "\n")
    return start(console_models, "--port", "0", "--api-key-file", keys)


@pytest.mark.parametrize("view", VIEWS)
def test_each_view_has_an_address(page: Browser, console: Process, view: str):
    page.open(f"{console.url}/")
    page.sees("mlp.pt")
    page.click(f"nav a[href='#/{view.lower()}']")
    page.wait(lambda: page.text("h1") == view)
    assert page.driver.title == f"{view} · torch-serving"
    assert page.text("nav [aria-current]") == view
    page.open(page.driver.current_url)
    page.wait(lambda: page.text("h1") == view)


def test_nothing_is_wider_than_the_window(page: Browser, console: Process):
    for view in VIEWS:
        page.open(f"{console.url}/#/{view.lower()}")
        page.wait(lambda view=view: page.text("h1") == view)
        assert page.script("return document.documentElement.scrollWidth - innerWidth") <= 0


def test_the_keyboard_reaches_the_content_and_the_tabs(page: Browser, console: Process):
    page.open(f"{console.url}/")
    page.sees("mlp.pt")
    page.press(Keys.TAB)
    assert page.driver.switch_to.active_element.text == "Skip to content"
    page.press(Keys.ENTER)
    assert page.driver.switch_to.active_element.tag_name == "main"
    assert page.text("h1") == "Models"
    page.script("document.querySelector('nav a').focus()")
    page.press(Keys.TAB, Keys.TAB, Keys.ENTER)
    page.wait(lambda: page.text("h1") == "Live")


def test_the_theme_follows_the_system_until_one_is_chosen(page: Browser, console: Process):
    grounds = {}
    for scheme in ("light", "dark"):
        page.look(1280, 800, scheme)
        page.open(f"{console.url}/")
        grounds[scheme] = page.script(GROUND)
    assert grounds["light"] != grounds["dark"]
    page.click("#theme")
    assert page.script(GROUND) == grounds["light"]
    page.click("#theme")
    assert page.script(GROUND) == grounds["dark"]


def test_the_key_is_asked_for_once_and_kept_nowhere(page: Browser, guarded: Process):
    page.open(f"{guarded.url}/")
    page.sees("This server asks for a key", "dialog")
    page.fill("dialog input", "not the key")
    page.press(Keys.ENTER)
    page.sees("does not know this key", "dialog")
    page.fill("dialog input", KEY)
    page.press(Keys.ENTER)
    page.sees("mlp.pt")
    page.sees("live", "#connection")
    page.click("nav a[href='#/live']")
    page.sees("Response time")
    assert page.all("dialog") == []
    assert KEY not in page.stored()
    assert KEY not in page.driver.page_source + page.driver.current_url
    assert all("401" in each for each in page.errors())  # which browsers log themselves


def test_the_time_of_a_request_is_not_that_of_the_user(page: Browser, guarded: Process):
    page.open(f"{guarded.url}/")
    page.sees("This server asks for a key", "dialog")
    page.press(Keys.ESCAPE)
    page.wait(lambda: not page.all("dialog"))
    page.script(TIMED)
    page.sees("This server asks for a key", "dialog")
    before = page.script("return performance.now()")
    page.fill("dialog input", KEY)
    after = page.script("return performance.now()")
    page.press(Keys.ENTER)
    request_ms, all_ms = page.wait(lambda: page.script("return window.times"))
    assert request_ms + (after - before) <= all_ms
    page.errors()


def test_without_a_key_the_page_says_so(page: Browser, guarded: Process):
    page.open(f"{guarded.url}/")
    page.sees("This server asks for a key", "dialog")
    page.press(Keys.ESCAPE)
    page.sees("Unauthorized", "main .error")
    for view in ("live", "models"):  # which asks the server again, and not the user
        page.click(f"nav a[href='#/{view}']")
        page.sees(view.capitalize(), "h1")
    page.sees("Unauthorized", "main .error")
    assert page.all("dialog") == []
    page.driver.get("about:blank")  # or it goes on to ask for the stream of events
    page.errors()


def test_a_lost_server_is_told_and_found_again(page: Browser, figures: StandIn):
    page.open(f"{figures.url}/")
    page.sees("live", "#connection")
    page.script(STATES)
    figures.cut()
    page.wait(lambda: page.script("return states") == ["live", "no connection", "live"])


def test_a_server_that_falls_silent_is_told_and_asked_again(page: Browser, figures: StandIn):
    page.open(f"{figures.url}/")
    page.sees("live", "#connection")
    page.script(STATES + IMPATIENT)
    figures.is_silent = True
    figures.push({})  # after this one the page is less patient
    page.wait(lambda: page.script("return states.slice(1, 3)") == ["no connection", "live"])


@pytest.mark.parametrize("fragment", ["#/toString", "#/__proto__/a", "#/nowhere", "#/%", "#"])
def test_fragments_that_are_no_view_show_the_models(page: Browser, figures: StandIn, fragment: str):
    page.open(f"{figures.url}/{fragment}")
    page.sees("Models", "h1")


def test_a_view_that_is_shown_again_asks_no_more_often(page: Browser, figures: StandIn):
    page.open(f"{figures.url}/")
    page.sees("Models", "h1")
    page.script(TIMERS)
    for fragment in ("#/models", "#/models?", "#/models/", "#/live"):
        page.script("location.hash = arguments[0]", fragment)
        page.wait(lambda f=fragment: page.driver.current_url.endswith(f))
    page.sees("Live", "h1")
    assert page.script("return timers.size") == 0


def test_without_scripts_the_page_says_what_to_do(page: Browser, figures: StandIn):
    command = page.driver.execute_cdp_cmd
    command("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.open(f"{figures.url}/")
        root = command("DOM.getDocument", {})["root"]["nodeId"]
        found = command("DOM.querySelector", {"nodeId": root, "selector": "noscript"})["nodeId"]
        assert "needs JavaScript" in command("DOM.getOuterHTML", {"nodeId": found})["outerHTML"]
        assert command("DOM.querySelector", {"nodeId": found, "selector": "a"})["nodeId"]
    finally:
        command("Emulation.setScriptExecutionDisabled", {"value": False})
