"""Pictures of the console for docs/: `make screenshots` writes them there."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.browser import Browser
from tests.support.console_stand_in import StandIn, model, numbers
from tests.support.process import Process

WIDTH, HEIGHT = 1180, 760
MOST_BYTES = 150_000
PRESS = """
const buttons = [...document.querySelectorAll("main button")];
buttons.find((each) => each.textContent === arguments[0]).click();
"""
SCHEMES = ["light", "dark"]
CARD = {"device": "cuda:0", "version": "1", "weights_bytes": 1, "runs": "", "workers": 2}


@pytest.fixture
def shoot(browser: Browser, tmp_path: Path) -> Callable[[str, str], None]:
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))

    def save(name: str, scheme: str) -> None:
        path = folder / f"console-{name}-{scheme}.png"
        browser.driver.save_screenshot(str(path))
        assert path.stat().st_size < MOST_BYTES

    return save


def busy(figures: StandIn) -> None:
    """A server at work."""
    figures.models = [
        model("image/resnet50.pt2", kind="package", bytes=102e6, loaded=[CARD], state="loaded"),
        model("image/segment.pt", bytes=244e6),
        model("mlp.pt", "loaded", bytes=27e3),
        model("tabular/churn.pt", "loaded", bytes=1.8e6, warning="the new file is no archive"),
        model("text/encoder.pt2", kind="exported program", bytes=438e6, loaded=[CARD])
        | {"state": "loaded"},
        model("text/translate.pt", bytes=1.2e9),
        model("upload.pt", "invalid", bytes=0, problem="an empty file"),
    ]
    counted = ("image/resnet50.pt2", "mlp.pt", "tabular/churn.pt", "text/encoder.pt2")
    figures.numbers = {name: numbers({}) for name in counted}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_models(browser: Browser, figures: StandIn, scheme: str, shoot: Callable[[str, str], None]):
    busy(figures)
    browser.look(WIDTH, HEIGHT, scheme)
    browser.open(f"{figures.url}/")
    browser.sees("7 models")
    browser.click("details summary")
    browser.sees("37 %")
    latencies = [{7: 310, 8: 80, 9: 3}, {3: 1700, 4: 300, 7: 9}, {4: 420, 5: 61}, {8: 160, 9: 70}]
    figures.push({n: numbers(each) for n, each in zip(figures.numbers, latencies, strict=True)})
    browser.sees("µs", ".models")
    browser.script("document.activeElement.blur()")
    shoot("models", scheme)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_live(browser: Browser, figures: StandIn, scheme: str, shoot: Callable[[str, str], None]):
    browser.look(WIDTH, 880, scheme)
    browser.open(f"{figures.url}/#/live")
    browser.sees("cuda:0")
    shoot("live", scheme)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_try(browser: Browser, console: Process, scheme: str, shoot: Callable[[str, str], None]):
    browser.look(WIDTH, 600, scheme)
    browser.open(f"{console.url}/#/try/mlp.pt")
    browser.sees("Random")
    browser.script(PRESS, "Random")
    for requests in (1, 2):  # the first loads the model
        browser.script(PRESS, "Send")
        browser.wait(lambda n=requests: len(browser.all(".history li")) == n)
    browser.script("document.activeElement.blur(); scrollTo(0, 0)")
    shoot("try", scheme)
