"""axe-core, which judges how accessible a page is; `make test-browser` fetches it with npm."""

from pathlib import Path

import pytest

from tests.support.browser import Browser

SOURCE = Path(__file__).parents[2] / ".build/browser/node_modules/axe-core/axe.min.js"
RUN = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ["violations"]}).then(
  (found) => done(found.violations.flatMap((each) =>
    each.nodes.map((node) => `${each.id}: ${each.help}: ${node.html} ${node.failureSummary}`))),
  (error) => done([String(error)]),
);
"""


def violations(browser: Browser) -> list[str]:
    """What is wrong with the page as it stands. Skips the test where axe-core is not there."""
    if not SOURCE.exists():
        pytest.skip("there is no axe-core: `make test-browser` fetches it, with npm")
    if not browser.script("return 'axe' in window"):
        browser.script(SOURCE.read_text())
    found: list[str] = browser.driver.execute_async_script(RUN)
    return found
