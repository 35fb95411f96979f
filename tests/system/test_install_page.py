"""The page about installing names each extra that users may want, once."""

import re

from tests.support.pages import ROOT

FOR_DEVELOPMENT = ["bench", "check", "deploy", "test"]


def test_each_extra_has_a_row():
    project = (ROOT / "pyproject.toml").read_text().partition("[project.optional-dependencies]")[2]
    extras = re.findall(r"^(\w+) = \[", project.partition("\n[")[0], re.MULTILINE)
    table = (ROOT / "docs/install.md").read_text().partition("## Extras")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert sorted([*rows, *FOR_DEVELOPMENT]) == sorted(extras)
