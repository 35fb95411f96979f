"""How long the console's page takes to load, in a headless Chromium on the same machine.

`python -m benchmarks.pages.console`. From the click to the list of models; the first visit has an
empty cache, the next ones ask whether the files have changed.
"""

import statistics
import tempfile
from pathlib import Path

from benchmarks.support.payloads import mlp
from benchmarks.support.process import start
from tests.support.browser import Browser

VISITS = 15
SHOWN = """
const done = arguments[arguments.length - 1];
const shown = () => document.querySelector("[data-model]");
const look = () => shown() ? done(performance.now()) : setTimeout(look);
look();
"""
SENT = """
const kinds = ["navigation", "resource"].flatMap((each) => performance.getEntriesByType(each));
const files = kinds.filter((each) => /\\/(console\\/.*\\..*)?$/.test(new URL(each.name).pathname));
return [files.length, files.reduce((sum, each) => sum + each.decodedBodySize, 0)];
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        root, profile = Path(name) / "models", Path(name) / "profile"
        root.mkdir()
        profile.mkdir()
        mlp().save(root / "mlp.pt")
        browser = Browser(profile)
        try:
            with start("torch_serving", str(root), "--port", "{port}") as server:
                measure(browser, server.url("/"))
        finally:
            browser.close()


def measure(browser: Browser, url: str) -> None:
    browser.open(url)  # starts what Chromium starts once
    firsts, nexts = [], []
    for _ in range(VISITS):
        browser.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
        firsts.append(visit(browser, url))
        nexts.append(visit(browser, url))
    files, size = browser.script(SENT)
    print(f"files read by the view of models: {files}, {size:,} bytes")
    for what, times in (("first visit", firsts), ("next visit", nexts)):
        print(f"{what}: {statistics.median(times):.0f} ms to the list (worst {max(times):.0f})")


def visit(browser: Browser, url: str) -> float:
    """Milliseconds from the start of the navigation until the first model is shown."""
    browser.open(url)
    return float(browser.driver.execute_async_script(SHOWN))


if __name__ == "__main__":
    main()
