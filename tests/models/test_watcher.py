"""`--watch`: what changes on the disk is loaded before a request meets it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client import Client, tensor
from tests.support.process import Process, wait_until
from tests.support.servables import save_adding

X = [tensor([1], [1.0])]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    save_adding(folder / "add.pt", 1)
    return folder


def result(process: Process) -> float:
    with Client(process.url) as client:
        return client.post("add.pt", X).result["value"][0]


def lines(process: Process, words: str) -> int:
    return process.stderr.count(words)


def test_a_new_file_is_loaded_and_the_old_one_serves_meanwhile(
    root: Path, start: Callable[..., Process]
):
    process = start(root, "--port", "0", "--watch")
    assert result(process) == 2.0
    for amount in (10, 20):
        save_adding(root / "add.pt", amount)
        seen = set()
        while result(process) != 1.0 + amount:
            seen.add(result(process))
        assert seen <= {2.0, 11.0, 21.0}
    assert lines(process, "add.pt has changed: loading it") == 2


def test_a_bad_file_is_logged_once(root: Path, start: Callable[..., Process]):
    process = start(root, "--port", "0", "--watch")
    assert result(process) == 2.0
    (root / "add.new").write_bytes(b"no model")
    os.replace(root / "add.new", root / "add.pt")
    wait_until(lambda: lines(process, "the new file is not served, the old one is") == 1)
    assert result(process) == 2.0
    save_adding(root / "add.pt", 5)
    wait_until(lambda: result(process) == 6.0)
    assert lines(process, "the new file is not served, the old one is") == 1


def test_settings_are_watched_too(root: Path, start: Callable[..., Process]):
    process = start(root, "--port", "0", "--watch")
    assert result(process) == 2.0
    (root / "add.toml").write_text('warmup = [{ x = "no tensor" }]\n')
    wait_until(lambda: lines(process, "add.toml line 1: ") == 1)
    assert lines(process, "what lies beside add.pt has changed: loading it") == 1
    assert lines(process, "the new configuration is not served, the old one is") == 1
    assert result(process) == 2.0


def test_a_file_that_is_gone_is_unloaded(root: Path, start: Callable[..., Process]):
    process = start(root, "--port", "0", "--watch")
    assert result(process) == 2.0
    (root / "add.pt").unlink()

    def status() -> int:
        with Client(process.url) as client:
            return client.post("add.pt", X).status

    wait_until(lambda: lines(process, "add.pt is gone") == 1)
    assert status() == 400
    save_adding(root / "add.pt", 3)
    assert result(process) == 4.0
