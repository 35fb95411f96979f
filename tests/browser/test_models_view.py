"""The list of models: what it shows, loading and unloading, filters, order, a thousand of them."""

import pytest
from selenium.webdriver.common.keys import Keys

from tests.support.browser import Browser
from tests.support.console_stand_in import StandIn, model, numbers
from tests.support.fetch import fetch
from tests.support.prefix_proxy import served_below
from tests.support.process import Process

NAMES = """
const names = [...document.querySelectorAll('.models bdi')];
return names.filter((each) => each.checkVisibility()).map((each) => each.textContent);
"""
CELLS = """
const row = document.querySelector(arguments[0]);
return [...row?.querySelectorAll('[role=cell]') ?? []].map((each) => each.lastChild.textContent);
"""


def row(name: str) -> str:
    return f'[data-model="{name}"]'


def names(page: Browser) -> list[str]:
    shown: list[str] = page.script(NAMES)
    return shown


def cells(page: Browser, name: str) -> list[str]:
    return list(page.script(CELLS, row(name)))


def test_models_are_shown_with_their_state(page: Browser, console: Process):
    page.open(f"{console.url}/")
    page.sees("4 models")
    assert names(page) == ["broken.pt", "echo.pt", "errs.pt", "mlp.pt"]
    page.sees("invalid", row("broken.pt"))
    page.sees("not a TorchScript archive", row("broken.pt"))
    page.sees("KiB", row("mlp.pt"))


@pytest.fixture
def available(console: Process) -> str:
    """The URL of a server in whose memory `echo.pt` is not, whatever was asked before."""
    assert fetch(console.url, "/models/echo.pt", method="DELETE")[0] in (200, 404)
    return console.url


def test_a_model_is_loaded_and_unloaded(page: Browser, available: str):
    page.open(f"{available}/")
    page.click(f"{row('echo.pt')} button")
    page.sees("loaded", row("echo.pt"))
    page.wait(lambda: page.text(f"{row('echo.pt')} button") == "Unload")
    assert "cpu ×2" in cells(page, "echo.pt")
    page.wait(lambda: page.script("return announcement.textContent") == "echo.pt is loaded")
    page.script("document.activeElement.blur()")
    page.one(f"{row('echo.pt')} button").send_keys(Keys.ENTER)
    page.sees("available", row("echo.pt"))
    page.wait(lambda: page.text(f"{row('echo.pt')} button") == "Load")


def test_an_older_list_takes_back_no_load(page: Browser, available: str):
    page.open(f"{available}/")
    page.sees("4 models")
    page.hold("/models")
    page.script("location.hash = '#/live'")
    page.sees("Live", "h1")
    page.script("location.hash = '#/models'")
    page.wait_for_held(1)
    page.click(f"{row('echo.pt')} button")
    page.sees("loaded", row("echo.pt"))
    page.release(0)
    assert "loaded" in page.text(row("echo.pt"))


def test_what_cant_be_loaded_says_why(page: Browser, console: Process):
    page.open(f"{console.url}/")
    page.click(f"{row('broken.pt')} button")
    page.sees("Invalid servable identifier: ", row("broken.pt"))
    assert all("400" in each for each in page.errors())


def test_each_model_has_a_link_to_try_it(page: Browser, console: Process):
    page.open(f"{console.url}/")
    page.click(f"{row('mlp.pt')} a")
    page.wait(lambda: page.text("h1") == "Try")
    assert page.driver.current_url.endswith("#/try/mlp.pt")


def test_behind_a_proxy_that_has_the_server_below_a_path(page: Browser, available: str):
    with served_below("/of%20a/team", available) as url:
        page.open(f"{url}/")
        page.click(f"{row('echo.pt')} button")
        page.wait(lambda: page.text(f"{row('echo.pt')} button") == "Unload")
        page.click(f"{row('echo.pt')} button")
        page.sees("available", row("echo.pt"))
        page.driver.get("about:blank")


def test_rates_and_percentiles_are_those_of_now(page: Browser, figures: StandIn):
    figures.models = [model("a.pt", "loaded"), model("b.pt")]
    figures.numbers = {"a.pt": numbers({3: 1000})}
    page.open(f"{figures.url}/")
    page.wait(lambda: cells(page, "a.pt")[3:7] == ["1", "0", "–", "–"])
    figures.push({"a.pt": numbers({3: 1000, 7: 98, 10: 2}, loads=2)})
    page.wait(lambda: cells(page, "a.pt")[3:5] == ["2", "10"])  # in ten seconds
    assert cells(page, "a.pt")[5:7] == ["7.55 ms", "75 ms"]
    for _ in range(6):
        figures.push({})
    page.wait(lambda: cells(page, "a.pt")[4] == "0")


def test_unloading_asks_where_it_hurts(page: Browser, figures: StandIn):
    figures.models = [model("a.pt", "loaded")]
    page.open(f"{figures.url}/")
    page.sees("a.pt")
    figures.push({"a.pt": numbers({3: 1000})})
    page.wait(lambda: cells(page, "a.pt")[4] == "100")
    page.click(f"{row('a.pt')} button")
    page.sees("It answers 100 requests a second", "dialog")
    page.press(Keys.ESCAPE)
    page.wait(lambda: not page.all("dialog"))
    page.sees("loaded", row("a.pt"))


def test_the_list_is_filtered_and_sorted(page: Browser, figures: StandIn):
    figures.models = [
        model("big.pt", "loaded", bytes=3e9),
        model("deep/small.pt", bytes=10),
        model("odd.pt2", "invalid", kind="package", problem="it is for another machine"),
        model("tired.pt", "quarantined", quarantine_left_s=12.0, warning="the new file is bad"),
    ]
    page.open(f"{figures.url}/")
    page.sees("4 models")
    page.sees("quarantined, 12 s")
    page.sees("the new file is bad")
    for text, found in {
        "SMALL": ["deep/small.pt"],
        "pt2": ["odd.pt2"],
        "machine": ["odd.pt2"],
    }.items():
        page.fill("input[type=search]", text)
        page.sees("1 of 4 models")
        assert names(page) == found
    page.fill("input[type=search]", "nothing like it")
    page.sees("0 of 4 models")
    page.script("document.querySelector('input[type=search]').select()")
    page.press(Keys.DELETE)
    page.choose("select", "loaded")
    page.sees("1 of 4 models")
    assert names(page) == ["big.pt"]
    page.choose("select", "All states")
    size = "//*[@role='columnheader'][.='Size']/button"
    page.click_on(lambda: page.driver.find_element("xpath", size))
    assert names(page)[0] == "big.pt"
    page.click_on(lambda: page.driver.find_element("xpath", size))
    assert names(page)[-1] == "big.pt"
    sorts = "return [...document.querySelectorAll('[aria-sort]')].map((e) => e.ariaSort)"
    assert page.script(sorts).count("descending") == 1


def test_a_thousand_models_stay_smooth(page: Browser, figures: StandIn):
    figures.models = [model(f"family {i % 7}/model-{i:04}.pt") for i in range(1000)]
    page.open(f"{figures.url}/")
    page.sees("1,000 models", ".bar")
    page.fill("input[type=search]", "model-0999")
    page.sees("1 of 1,000 models", ".bar")
    page.script("document.querySelector('input[type=search]').select()")
    page.press(Keys.DELETE)
    page.sees("1,000 models", ".bar")
    page.script(WATCH)
    figures.push({figures.models[3]["identifier"]: numbers({5: 10})})
    page.wait(lambda: page.script("return window.changed.length"))
    assert page.script("return window.changed") == ["family 3/model-0003.pt"]


WATCH = """
window.changed = [];
new MutationObserver((all) => {
  for (const {target} of all) window.changed.push(target.closest("[data-model]").dataset.model);
  window.changed = [...new Set(window.changed)];
}).observe(
  document.querySelector(".models > :last-child"),
  {childList: true, characterData: true, subtree: true},
);
"""


@pytest.mark.parametrize(
    "part", ["2 workers", "3 of 8 threads busy", "1 queued", "cuda:1 left out"]
)
def test_what_runs_where_is_told_at_a_glance(page: Browser, figures: StandIn, part: str):
    page.open(f"{figures.url}/")
    page.sees(part, "details summary")


def test_what_runs_where_is_told_of_each_worker_and_device(page: Browser, figures: StandIn):
    page.open(f"{figures.url}/")
    page.sees("2 workers")
    page.click("details summary")
    rows = [each.text for each in page.all("details tbody tr")]
    assert rows[0] == "0 4310 1 of 4 0 2 763 MiB 1.3 GiB"
    assert rows[3] == "cuda:0 5 GiB 12 GiB of 80 GiB 37 %"
    assert rows[4] == "cuda:1 0 B left out: absent or in error –"
