"""A headless Chromium, driven by Selenium.

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


class Window:
    """A window, and the page in it. `driver` is Selenium's."""

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
