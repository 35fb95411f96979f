"""The pages that describe the code name what is there."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MIRRORS = ("ext/cython", "tests")  # one sentence stands for all folders below them
LEAVES = ("tests/fuzz/corpus", "benchmarks/peers/apps", "benchmarks/server/apps")


def folders() -> list[str]:
    """The folders that hold files of the repository, below the four roots of code."""
    command = ["git", "ls-files", "torch_serving", "ext", "tests", "benchmarks"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted({str(Path(file).parent) for file in listed.stdout.split()})


def test_every_folder_has_its_sentence():
    page = (ROOT / "docs" / "architecture.md").read_text()
    described = set(re.findall(r"^\| `([^`]+)` \| [A-Z]", page, re.MULTILINE))
    covered = described | {"torch_serving", "ext", "benchmarks"}
    missing = [
        folder
        for folder in folders()
        if folder not in covered and not folder.startswith((*MIRRORS, *LEAVES))
    ]
    assert missing == []
    assert [each for each in described if not (ROOT / each).is_dir()] == []


def test_every_word_of_the_glossary_is_where_it_says():
    rows = re.findall(
        r"^\| ([a-z -]+) \| .+\. \| `([^`]+)` \|$",
        (ROOT / "docs" / "glossary.md").read_text(),
        re.MULTILINE,
    )
    assert len(rows) > 40
    assert [word for word, _ in rows] == sorted(word for word, _ in rows)
    assert [path for _, path in rows if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/architecture.md"])
def test_paths_on_a_page_exist(page: str):
    named = re.findall(
        r"`((?:torch_serving|ext|tests|benchmarks|docs)/[\w./-]+)`", (ROOT / page).read_text()
    )
    missing = [
        path for path in named if not list(ROOT.glob(path)) and not list(ROOT.glob(f"{path}.*"))
    ]
    assert missing == []
