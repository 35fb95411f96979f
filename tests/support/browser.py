"""A headless Chromium, driven by Selenium: pages as people see them.

Chromium and its driver come from the system (Debian: chromium, chromium-driver). Without them, or
without Selenium, the tests that use them are skipped by name.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from tests.support.client import LIMIT_S

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
DRIVER = "chromedriver"
SIZES = {"desktop": (1280, 800), "phone": (360, 740)}
PHONE = 500  # pixels of width: what is narrower is one
GONE = "ode with given id"  # "Node …", "No node …": the driver's words for what goes while it looks
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # root has none; only pages of the tests' own servers are opened
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--use-fake-device-for-media-stream",  # a camera, which pages may use without a question
    "--use-fake-ui-for-media-stream",
    "--window-size=1280,2000",
)

AIM = """
window.hit?.();
const kinds = ["pointerdown", "mousedown", "pointerup", "mouseup", "click"];
let reached = false;
const guard = (event) => {
  if (!event.isTrusted) return;
  if (arguments[0].contains(event.target)) reached ||= event.type === "click";
  else {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
};
for (const each of kinds) addEventListener(each, guard, true);
window.hit = () => {
  for (const each of kinds) removeEventListener(each, guard, true);
  return reached;
};
"""
HIT = "return window.hit ? hit() : true"  # another page has come: it was a link
HOLD = """
window.held = [];
const ask = window.fetch;
window.fetch = async (url, options) => {
  const response = await ask(url, options);
  if (new URL(url).pathname === arguments[0]) await new Promise((go) => held.push(go));
  return response;
};
"""
RELEASE = """
held[arguments[0]]();
return new Promise((resolve) => setTimeout(resolve, 100));
"""


class Browser:
    """One window. `driver` is Selenium's."""

    def __init__(self, profile: Path) -> None:
        """Start Chromium; skip the test where there is none."""
        webdriver = pytest.importorskip("selenium.webdriver")
        binary = next(filter(None, map(shutil.which, CHROMIUM)), None)
        executable = shutil.which(DRIVER)
        if binary is None or executable is None:
            pytest.skip("there is no Chromium with its driver (Debian: chromium, chromium-driver)")
        options = webdriver.ChromeOptions()
        options.binary_location = binary
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        with (profile / "driver.log").open("wb") as log:
            self.driver = webdriver.Chrome(options, service_of(webdriver, executable, log))
        self.driver.set_page_load_timeout(LIMIT_S)
        self.driver.set_script_timeout(LIMIT_S)

    def close(self) -> None:
        self.driver.quit()

    def leave(self) -> None:
        """Have no page, at the size of a desktop: nothing asks a server that ends."""
        self.driver.get("about:blank")
        self.look(*SIZES["desktop"])

    def open(self, url: str) -> None:
        self.driver.get("about:blank")  # the same page with another fragment would not load
        self.errors()
        self.driver.get(url)

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Wait until a condition is true, and return its value; elements may come and go."""
        from selenium.common.exceptions import StaleElementReferenceException
        from selenium.webdriver.support.ui import WebDriverWait

        ignored = (StaleElementReferenceException,)
        waiting = WebDriverWait(self.driver, LIMIT_S, 0.05, ignored)
        return waiting.until(lambda _: self._now(condition))

    def _now(self, condition: Callable[[], Any]) -> Any:
        from selenium.common.exceptions import WebDriverException

        try:
            return condition()
        except WebDriverException as error:
            if GONE not in str(error.msg):
                raise
            return None

    def all(self, selector: str) -> list[Any]:
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str) -> Any:
        """The first element of a selector, once it is there."""
        return self.wait(lambda: next(iter(self.all(selector)), None))

    def click(self, selector: str) -> None:
        """Click as a mouse does, once the element is there and nothing lies over it."""
        self.click_on(lambda: self.one(selector))

    def click_on(self, find: Callable[[], Any]) -> None:
        """Click on what is found. Where the page moves it away just then, click again: what was
        hit in its place hears nothing of it."""
        self.wait(lambda: self._hits(find()))

    def _hits(self, element: Any) -> bool:
        from selenium.common.exceptions import (
            ElementClickInterceptedException,
            ElementNotInteractableException,
        )

        if element is None:
            return False
        self.script("arguments[0].scrollIntoView({block: 'center'})", element)
        self.script(AIM, element)
        try:
            element.click()
        except (ElementClickInterceptedException, ElementNotInteractableException):
            return False
        return bool(self.script(HIT))

    def choose(self, selector: str, text: str) -> None:
        """Choose an option of a list by the text that it shows."""
        self.choose_in(lambda: self.one(selector), text)

    def choose_in(self, find: Callable[[], Any], text: str) -> None:
        self.wait(lambda: self._choose(find(), text))

    def _choose(self, element: Any, text: str) -> bool:
        from selenium.webdriver.support.ui import Select

        Select(element).select_by_visible_text(text)
        return True

    def script(self, code: str, *arguments: Any) -> Any:
        return self.driver.execute_script(code, *arguments)

    def hold(self, path: str) -> None:
        """From now on, have the page wait for responses of a path until each is released."""
        self.script(HOLD, path)

    def release(self, number: int) -> None:
        """Let the page have the response that was held as this one, and take it."""
        self.wait_for_held(number + 1)
        self.script(RELEASE, number)

    def wait_for_held(self, count: int) -> None:
        self.wait(lambda: self.script("return held.length") >= count)

    def look(self, width: int, height: int, scheme: str = "light") -> None:
        """Have a window of this size, and a system of this colour scheme."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < PHONE}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def press(self, *keys: str) -> None:
        """Press keys, as `Keys.TAB`, where the focus is."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def fill(self, selector: str, text: str) -> None:
        """Have this text in a field, and no other."""
        self.fill_in(lambda: self.one(selector), text)

    def fill_in(self, find: Callable[[], Any], text: str) -> None:
        """Write into what is found; into its successor where the page makes it anew."""
        self.wait(lambda: self._fill(find(), text))

    def _fill(self, field: Any, text: str) -> bool:
        field.clear()
        field.send_keys(text)
        return True

    def text(self, selector: str) -> str:
        """The text of an element, as people see it."""
        [text] = self.wait(lambda: [self.one(selector).text])
        return str(text)

    def attribute(self, selector: str, name: str) -> str:
        """The attribute of an element, or its property."""
        [value] = self.wait(lambda: [self.one(selector).get_attribute(name)])
        return str(value)

    def sees(self, text: str, selector: str = "body") -> None:
        """Wait until a text is shown within an element."""
        self.wait(lambda: text in self.text(selector))

    def stored(self) -> str:
        """All that the page keeps beyond its memory."""
        code = "return JSON.stringify([localStorage, sessionStorage, document.cookie])"
        return str(self.script(code))

    def errors(self) -> list[str]:
        """What the page wrote to the console as errors since the last call."""
        entries = self.driver.get_log("browser")
        return [each["message"] for each in entries if each["level"] == "SEVERE"]


def service_of(webdriver: Any, executable: str, log: BinaryIO) -> Any:
    """The driver at a port that it chooses itself, as one that was free may be taken meanwhile."""

    class Service(webdriver.ChromeService):  # type: ignore[misc]
        def command_line_args(self) -> list[str]:
            return ["--port=0"]

        def is_connectable(self) -> bool:
            told = re.search(r"started successfully on port (\d+)", Path(log.name).read_text())
            if told:
                self.port = int(told[1])
            return told is not None and super().is_connectable()

    return Service(executable, log_output=log)
