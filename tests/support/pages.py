"""What the pages print: their blocks of commands, programs and files, and running them."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md"]
PAGES += sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
FLOAT = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
TOLERANCE = 1e-4  # of numbers on other processors
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "PYTHONWARNINGS": "ignore::DeprecationWarning",  # torch.jit's own
}


class Block(NamedTuple):
    language: str
    text: str


NOTHING = Block("", "")


def blocks_of(page: str) -> list[Block]:
    return [
        Block(language, re.sub(f"^{indent}", "", text, flags=re.MULTILINE))
        for indent, language, text in FENCE.findall((ROOT / page).read_text())
    ]


def blocks_in(language: str) -> list[tuple[str, str, Block]]:
    """The page, the text, and the block that follows, of each block in a language."""
    return [
        (page, block.text, following)
        for page in PAGES
        for block, following in zip(blocks_of(page), [*blocks_of(page)[1:], NOTHING], strict=False)
        if block.language == language
    ]


def commands_of(text: str) -> list[str]:
    """The commands of a shell block; a quoted text may go on over several lines."""
    commands, open_command = [], ""
    for line in text.splitlines():
        open_command = f"{open_command}\n{line}" if open_command else line
        complete = not line.endswith("\\") and open_command.count("'") % 2 == 0
        if complete:
            commands.append(open_command.partition("  # ")[0].strip())
            open_command = ""
    return [command for command in commands if command and not command.startswith("#")]


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_shell(command: str, folder: Path) -> str:
    return run(["sh", "-ec", command], folder)


def run_python(text: str, folder: Path) -> str:
    return run([sys.executable, "-c", text], folder)


def run_files(texts: list[str], folder: Path) -> None:
    """Run programs as files in one process: TorchScript reads their sources, torch loads once."""
    files = [folder / f"program_{number}.py" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    each = "import runpy, sys; [runpy.run_path(file, run_name='page') for file in sys.argv[1:]]"
    run([sys.executable, "-c", each, *map(str, files)], folder)


def run_javascript(text: str, folder: Path) -> str:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node.js")
    return run([node, "--input-type=module", "--eval", text], folder)


def check_output(output: str, following: Block) -> None:
    """Compare with the block below, if that is one of output; … stands for anything."""
    if following.language == "json" and "…" not in following.text:
        assert is_close(json.loads(output), json.loads(following.text)), output
    elif following.language in ("", "text") and following.text:
        parts = [re.escape(part) for part in rounded(following.text.rstrip()).split("…")]
        assert re.fullmatch(".*".join(parts), rounded(output.rstrip())), output


def rounded(text: str) -> str:
    return FLOAT.sub(lambda found: f"{float(found[0]):.4f}", text)


def is_close(found: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(
            is_close(found[key], value) for key, value in expected.items()
        )
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(is_close, found, expected))
    if isinstance(expected, float):
        return math.isclose(found, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(found == expected)


def messages_on(page: str, heading: str = "") -> list[str]:
    """The messages in the first column of a page's tables, those below a heading."""
    cell = re.compile(r"^\| (`+) ?(.+?) ?\1 \|", re.MULTILINE)
    return [
        found for _, found in cell.findall((ROOT / page).read_text().partition(heading or "# ")[2])
    ]


def says(output: str, message: str) -> bool:
    """Whether a message is in an output; … stands for anything on its line."""
    return re.search(".*".join(map(re.escape, message.split("…"))), output) is not None
