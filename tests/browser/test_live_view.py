"""The last ten minutes: lines, the read-out for mouse and keys, tables beside them."""

import re

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.support.browser import Browser
from tests.support.console_stand_in import StandIn
from tests.support.process import Process

TITLES = ["Requests a second", "Response time", "Errors a second, by reason", "Queue"]
TITLES += ["Requests in a batch", "Threads and cores", "Memory"]
CHART = "section.chart:nth-child({})"


def spoken(page: Browser, chart: int) -> str:
    return page.attribute(f"{CHART.format(chart)} svg", "aria-valuetext")


def opened(page: Browser, url: str) -> None:
    page.open(f"{url}/#/live")
    page.wait(lambda: len(page.all(".chart h2")) == len(TITLES))
    page.sees("live", "#connection")


def test_ten_minutes_back_are_there_at_once(page: Browser, figures: StandIn):
    opened(page, figures.url)
    assert [each.text for each in page.all(".chart h2")] == TITLES
    for chart in range(1, 1 + len(TITLES)):
        line = page.attribute(f"{CHART.format(chart)} path.line", "d")
        assert len(re.findall("[ML]", line)) > 200
    for text in ("p50", "p95", "p99"):
        page.sees(text, CHART.format(2))
    for text in ("overloaded", "invalid input"):
        page.sees(text, CHART.format(3))
    for text in ("processes", "cuda:0"):
        page.sees(text, CHART.format(7))


def test_a_new_sample_moves_the_lines(page: Browser, figures: StandIn):
    opened(page, figures.url)
    codes = figures.samples[-1]["codes"]
    figures.push({}, codes={**codes, "200": codes["200"] + 2468})
    page.sees("all 1,234", CHART.format(1))


def test_a_server_that_starts_again_leaves_a_gap(page: Browser, figures: StandIn):
    opened(page, figures.url)
    figures.push({}, codes={"200": 1})
    page.sees("all –", CHART.format(1))
    figures.push({}, codes={"200": 7})
    page.sees("all 3", CHART.format(1))


def test_the_mouse_reads_values(page: Browser, figures: StandIn):
    opened(page, figures.url)
    svg = page.one(f"{CHART.format(1)} svg")
    page.script("arguments[0].scrollIntoView({block: 'center'})", svg)
    page.sees("now", CHART.format(1))

    def reads_a_time() -> bool:
        ActionChains(page.driver).move_to_element(svg).perform()
        return bool(re.search(r"\d\d:\d\d:\d\d", page.text(f"{CHART.format(1)} .legend")))

    page.wait(reads_a_time)
    assert page.attribute(f"{CHART.format(1)} .cursor", "visibility") == "visible"


def test_keys_read_values_aloud(page: Browser, figures: StandIn):
    opened(page, figures.url)
    page.script("arguments[0].focus()", page.one(f"{CHART.format(1)} svg"))
    assert spoken(page, 1).startswith("now: all ")
    page.press(Keys.ARROW_LEFT)
    one = spoken(page, 1)
    assert re.match(r"\d\d:\d\d:\d\d: all [\d,.]+, not 200 [\d.]+", one)
    page.press(Keys.ARROW_LEFT)
    assert spoken(page, 1) != one
    page.press(Keys.ARROW_RIGHT)
    assert spoken(page, 1) == one
    page.press(Keys.HOME, Keys.ARROW_LEFT)
    first = spoken(page, 1)
    page.press(Keys.PAGE_DOWN)
    assert spoken(page, 1) != first
    page.press(Keys.ESCAPE)
    assert spoken(page, 1).startswith("now: ")


def test_each_chart_is_a_table_too(page: Browser, figures: StandIn):
    opened(page, figures.url)
    page.click(f"{CHART.format(2)} summary")
    page.one(f"{CHART.format(2)} td")
    head, *rows = [each.text for each in page.all(f"{CHART.format(2)} tr")]
    assert head == "Time p50 p95 p99"
    assert len(rows) == 10
    assert re.match(r"\d\d:\d\d:\d\d [\d.]+ ms [\d.]+ ms [\d.]+ ms", rows[-1])


def test_a_server_without_a_past_is_shown(page: Browser, figures: StandIn):
    figures.samples = figures.samples[-1:]
    opened(page, figures.url)
    page.sees("threads busy", CHART.format(6))


def test_the_figures_are_those_of_the_server(page: Browser, console: Process):
    opened(page, console.url)
    page.sees("threads 4", CHART.format(6))
    page.wait(lambda: re.search(r"processes [\d.,]+ [MG]iB", page.text(CHART.format(7))))
