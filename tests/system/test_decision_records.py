"""The records in docs/decisions: their sections, their index, and the code that they name."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "decisions"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))
SECTIONS = ["Status", "Context", "Decision", "Consequences", "Evidence"]
STATUS = re.compile(r"(Accepted|Superseded by \[(\d{4})\]\(([^)]+)\)), 2\d{3}-\d{2}\.")
PATH = re.compile(r"`((?:torch_serving|ext|tests|benchmarks)/[\w./*-]+)`")
PAGES = [*RECORDS, ROOT / "docs" / "internals" / "numbers.md"]


def status_of(record: Path) -> re.Match[str]:
    text = record.read_text()
    status = STATUS.match(text.partition("## Status\n\n")[2])
    assert status, record.name
    return status


def test_records_are_numbered_without_a_gap():
    assert RECORDS
    assert [int(record.name[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name[:4])
def test_a_record_has_the_sections_in_their_order(record: Path):
    text = record.read_text()
    assert text.startswith(f"# {int(record.name[:4])}. ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name[:4])
def test_the_index_has_its_title_and_status(record: Path):
    number = record.name[:4]
    title = record.read_text().partition("\n")[0].partition(". ")[2]
    _, other, name = status_of(record).groups()
    status = f"superseded by [{other}]({name})" if other else "accepted"
    index = (FOLDER / "README.md").read_text()
    assert f"| [{number}]({record.name}) | {title} | {status} |" in index


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name[:4])
def test_a_superseded_record_is_named_by_its_successor(record: Path):
    name = status_of(record)[3]
    if name:
        successor = (FOLDER / name).read_text().partition("## Context")[0]
        assert f"Supersedes [{record.name[:4]}]({record.name})" in successor


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_that_a_page_names_is_there(page: Path):
    named = set(PATH.findall(page.read_text()))
    assert {path for path in named if not list(ROOT.glob(path))} == set()
