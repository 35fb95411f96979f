"""What a remote root does when the disk, another process or an operator does what it should not."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.bucket import Bucket
from tests.support.process import wait_until
from tests.support.remote_roots import MODEL, bring, publish
from torch_serving.errors import Overloaded, StartupError
from torch_serving.models.remote import root, start
from torch_serving.models.remote.copies import key_of
from torch_serving.models.remote.disk import is_locked
from torch_serving.models.remote.root import RemoteOptions, RemoteRoot
from torch_serving.models.remote.source import Refused, RemoteError, Unreachable
from torch_serving.models.remote.urls import parse


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_failures_leave_no_descriptors(bucket: Bucket, make: Callable[..., RemoteRoot]):
    publish(bucket, **{f"m{number}": b"m" for number in range(50)})
    root = make()
    root.index.refresh()
    bring(root, "m0.pt")
    before = descriptors()
    for number in range(1, 50):
        bucket.faults[f"models/m{number}.pt"] = [403]
        with pytest.raises(Refused):
            bring(root, f"m{number}.pt")
    wait_until(lambda: descriptors() <= before + 4)  # its threads and their connections


def test_what_is_here_needs_no_turn(
    bucket: Bucket, make: Callable[..., RemoteRoot], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(root, "MAX_PENDING", 1)
    publish(bucket, a=b"a", b=b"b", c=b"c")
    busy = make()
    busy.index.refresh()
    bring(busy, "a.pt")
    bucket.is_open.clear()
    waiting = busy.bring("b.pt")
    assert busy.bring("a.pt") is None
    assert busy.bring("b.pt") is waiting
    with pytest.raises(Overloaded):
        busy.bring("c.pt")


@pytest.mark.parametrize("content", [b"", b"nonsense", b"7", b"[7]", b"{}", b'[["a.pt"]]', b"[[]]"])
def test_files_of_another_form_are_written_anew(
    bucket: Bucket, make: Callable[..., RemoteRoot], content: bytes
):
    publish(bucket, a=MODEL)
    first = make()
    first.index.refresh()
    bring(first, "a.pt")
    for path in (
        first.copies.folder / "index.json",
        *(first.copies.folder / "state").glob("*.json"),
    ):
        path.write_bytes(content)
    (first.copies.folder / "parts" / "x.json").write_bytes(content)
    second = make()
    assert second.index.entries().keys() <= {"a.pt"}
    assert second.copies.under_way() == {}
    second.index.refresh()
    assert bring(second, "a.pt") == MODEL


def test_a_copy_that_was_cut_by_the_machine_is_fetched_anew(
    bucket: Bucket, make: Callable[..., RemoteRoot]
):
    publish(bucket, a=MODEL)
    root = make()
    root.index.refresh()
    bring(root, "a.pt")
    (root.copies.files / "a.pt").write_bytes(b"")
    assert bring(root, "a.pt") == MODEL


@pytest.mark.parametrize(("before", "after"), [("a", "a.pt/b"), ("a.pt/b", "a"), ("a/b", "a.pt/b")])
def test_a_file_becomes_a_folder(
    bucket: Bucket, make: Callable[..., RemoteRoot], before: str, after: str
):
    root = make()
    publish(bucket, **{before: b"before"})
    root.index.refresh()
    bring(root, f"{before}.pt")
    bucket.files.clear()
    publish(bucket, **{after: b"after"})
    root.index.refresh()
    assert bring(root, f"{after}.pt") == b"after"


@pytest.mark.parametrize("removed", ["", "files", "state", "parts"])
def test_a_folder_that_is_removed_meanwhile(
    bucket: Bucket, make: Callable[..., RemoteRoot], removed: str
):
    publish(bucket, a=MODEL, b=b"b")
    root = make()
    root.index.refresh()
    bring(root, "a.pt")
    shutil.rmtree(root.copies.folder / removed)
    assert bring(root, "b.pt") == b"b"
    assert bring(root, "a.pt") == MODEL
    root.index.refresh()


@pytest.mark.parametrize("wrong", ["state", "parts"])
def test_a_folder_that_can_not_be_written_to(
    bucket: Bucket, make: Callable[..., RemoteRoot], wrong: str
):
    publish(bucket, a=MODEL)
    root = make()
    root.index.refresh()
    shutil.rmtree(root.copies.folder / wrong)
    (root.copies.folder / wrong).write_bytes(b"")  # whoever runs the tests may write to all folders
    with pytest.raises(RemoteError, match="--remote-cache: "):
        bring(root, "a.pt")


def test_no_folder_at_the_start(bucket: Bucket, tmp_path: Path, make: Callable[..., RemoteRoot]):
    (tmp_path / "cache").write_bytes(b"")
    with pytest.raises(StartupError, match="--remote-cache: "):
        make()


def test_a_list_is_written_where_it_has_changed(bucket: Bucket, make: Callable[..., RemoteRoot]):
    publish(bucket, a=MODEL)
    root = make()
    root.index.refresh()
    path = root.copies.folder / "index.json"
    before = path.stat()
    os.utime(path.with_name("listed"), (1, 1))
    root.index.refresh()
    assert path.stat() == before
    assert root.index.age_s() < 60


def test_what_was_used_last_is_evicted_last(bucket: Bucket, make: Callable[..., RemoteRoot]):
    publish(bucket, a=b"a" * 400, b=b"b" * 400, c=b"c" * 400)
    del bucket.files["models/models.sha256"]
    root = make("s3", size=1000)
    root.index.refresh()
    bring(root, "a.pt")
    bring(root, "b.pt")
    wait_until(lambda: not root.pending())
    root.keep(["a.pt"], for_s=-1.0)
    for time_s, name in enumerate(("a.pt", "b.pt")):
        os.utime(root.copies.folder / "state" / f"{key_of(name)}.use", (time_s, time_s))
    root.keep([], for_s=-1.0)
    assert bring(root, "c.pt") == b"c" * 400
    assert {path.name for path in root.copies.files.iterdir()} == {"a.pt", "c.pt"}


def test_a_copy_is_held_from_before_its_load_until_it_is_unloaded(
    bucket: Bucket, make: Callable[..., RemoteRoot]
):
    publish(bucket, a=b"a")
    root = make()
    root.index.refresh()
    use = root.copies.folder / "state" / f"{key_of('a.pt')}.use"
    bring(root, "a.pt")
    wait_until(lambda: not root.pending())
    held = []
    for loaded in ([], ["a.pt"], []):
        root.keep(loaded, for_s=60.0)
        held.append(is_locked(use))
    for begins in (False, True):  # the next load, which may end between two looks
        bring(root, "a.pt")
        if begins:
            root.note_loaded(["a.pt"])
        root.keep([], for_s=60.0)
        held.append(is_locked(use))
    assert held == [True, True, False, True, False]


def test_what_is_left_of_fetches_makes_room(bucket: Bucket, make: Callable[..., RemoteRoot]):
    publish(bucket, a=b"a" * 600, b=b"b" * 800)
    del bucket.files["models/models.sha256"]
    bucket.files["models/list.json"] = b'["a.pt", "b.pt"]'
    root = make("web", "/list.json", size=1000)
    root.index.refresh()
    bucket.faults["models/a.pt"] = [None, "cut", *[503] * 99]
    with pytest.raises(Unreachable):
        bring(root, "a.pt")
    assert sum(each.stat().st_size for each in (root.copies.folder / "parts").iterdir()) == 300
    assert bring(root, "b.pt") == b"b" * 800
    assert list((root.copies.folder / "parts").iterdir()) == []


def test_what_is_asked_at_the_start_is_no_argument(
    bucket: Bucket, make: Callable[..., RemoteRoot], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    commands: list[list[str]] = []

    class Recorded(subprocess.Popen[str]):
        def __init__(self, command: list[str], **more: Any) -> None:
            commands.append(command)
            super().__init__(command, **more)

    monkeypatch.setattr(start.subprocess, "Popen", Recorded)
    publish(bucket, a=MODEL)
    url = bucket.url.replace("//", "//user:secret@") + "/models?token=secret"
    options = RemoteOptions(tmp_path / "cache", 1 << 20, 5.0, 60.0)
    start.prepare(RemoteRoot(parse(url), options), ["a"])
    assert "secret" not in json.dumps(commands)
    assert bring(RemoteRoot(parse(url), options), "a.pt") == MODEL
