"""axe-core finds nothing to blame, in any view, size or theme."""

from collections.abc import Callable

import pytest

from tests.support.axe import violations
from tests.support.browser import Browser
from tests.support.browser_window import SIZES
from tests.support.console_stand_in import StandIn, model
from tests.support.process import Process

AUTOMATIC = [("desktop", "light"), ("desktop", "dark"), ("phone", "light"), ("phone", "dark")]


@pytest.fixture(params=AUTOMATIC, ids="-".join)
def seen(request: pytest.FixtureRequest, browser: Browser) -> Callable[[str, str], list[str]]:
    """What axe-core says of an address, once a text is shown there."""
    size, scheme = request.param

    def judge(url: str, text: str) -> list[str]:
        browser.look(*SIZES[size], scheme)
        browser.open(url)
        browser.sees(text)
        for each in browser.all("main details:not([open]) summary"):
            browser.script("arguments[0].click()", each)
        return violations(browser)

    return judge


def test_models(seen: Callable[[str, str], list[str]], figures: StandIn):
    figures.models = [
        model("loaded.pt", "loaded", warning="the new file is bad"),
        model("available.pt"),
        model("broken.pt", "invalid", problem="it is no archive"),
        model("tired.pt", "quarantined", quarantine_left_s=3.0),
    ]
    assert seen(f"{figures.url}/", "4 models") == []


def test_live(seen: Callable[[str, str], list[str]], figures: StandIn):
    assert seen(f"{figures.url}/#/live", "cuda:0") == []


def test_try(seen: Callable[[str, str], list[str]], console: Process):
    assert seen(f"{console.url}/#/try/mlp.pt", "Random") == []
