"""A remote root: its list, and copies that are whole, checked, bounded and kept."""

import threading
from pathlib import Path

import pytest

from tests.support.bucket import Bucket
from tests.support.process import wait_until
from tests.support.remote_roots import MODEL, bring, publish, s3, web
from torch_serving.models.remote import fetch as fetching
from torch_serving.models.remote.root import RemoteOptions, RemoteRoot
from torch_serving.models.remote.source import Missing, Refused, RemoteError, Unreachable
from torch_serving.models.remote.urls import parse


@pytest.mark.parametrize("kind", ["s3", "web"])
def test_a_file_comes_when_it_is_asked_for(bucket: Bucket, tmp_path: Path, kind: str):
    publish(bucket, a=MODEL, folder__b=b"b")
    bucket.files["models/a.toml"] = b"batch = true"
    publish(bucket)
    root = s3(tmp_path) if kind == "s3" else web(tmp_path, bucket)
    root.index.refresh()
    assert {"a.pt", "folder/b.pt"} <= set(root.index.entries())
    assert bucket.gets("models/a.pt") == 0
    assert bring(root, "a.pt") == MODEL
    assert (root.copies.files / "a.toml").read_bytes() == b"batch = true"
    assert root.bring("a.pt") is None
    assert bucket.gets("models/a.pt") == 1
    assert bucket.gets("models/folder/b.pt") == 0
    root.close()


@pytest.mark.parametrize("kind", ["s3", "web"])
@pytest.mark.parametrize(
    "faults",
    [[500], [429, 503], ["cut"], ["cut", "cut", 500, "cut"], ["long"], [500, 500, 500, 500]],
    ids=str,
)
def test_what_passes_is_tried_again(
    bucket: Bucket, tmp_path: Path, kind: str, faults: list[object]
):
    publish(bucket, a=MODEL)
    bucket.code = b"SlowDown"
    root = s3(tmp_path) if kind == "s3" else web(tmp_path, bucket)
    root.index.refresh()
    bucket.faults["models/a.pt"] = list(faults)
    assert bring(root, "a.pt") == MODEL
    assert list((root.copies.folder / "parts").iterdir()) == []
    root.close()


@pytest.mark.parametrize(
    ("kind", "faults", "code", "error", "message"),
    [
        ("s3", [403], b"AccessDenied", Refused, "access is denied"),
        ("s3", [403], b"ExpiredToken", Refused, "the credentials have expired"),
        ("s3", [403], b"SignatureDoesNotMatch", Refused, "the credentials are not accepted"),
        ("s3", [404] * 9, b"NoSuchKey", Missing, "it is not there any more"),
        ("s3", [503] * 9, b"SlowDown", Unreachable, "the store asks for a pause"),
        ("web", [403], b"", Refused, "access is denied"),
        ("web", [404], b"", Missing, "it is not there"),
        ("web", [500] * 9, b"", Unreachable, "status 500"),
    ],
)
def test_an_error_says_what_and_nothing_secret(
    bucket: Bucket,
    tmp_path: Path,
    kind: str,
    faults: list[object],
    code: bytes,
    error: type[RemoteError],
    message: str,
):
    publish(bucket, a=MODEL)
    root = s3(tmp_path) if kind == "s3" else web(tmp_path, bucket)
    root.index.refresh()
    bucket.code = code
    bucket.faults["models/a.pt"] = list(faults)
    with pytest.raises(error) as raised:
        bring(root, "a.pt")
    assert raised.value.message == message
    root.close()


def test_a_checksum_that_is_wrong(bucket: Bucket, tmp_path: Path):
    publish(bucket, a=MODEL)
    root = web(tmp_path, bucket)
    root.index.refresh()
    bucket.files["models/a.pt"] = MODEL[::-1]
    with pytest.raises(Refused, match="SHA-256"):
        bring(root, "a.pt")
    assert not (root.copies.files / "a.pt").exists()
    root.close()


@pytest.mark.parametrize("fault", [None, "cut"])
def test_a_file_that_changes_meanwhile(bucket: Bucket, tmp_path: Path, fault: str | None):
    publish(bucket, a=MODEL)
    root = s3(tmp_path)
    root.index.refresh()

    def change() -> None:
        bucket.files["models/a.pt"] = b"newer" * 1000

    bucket.faults["models/a.pt"] = [fault, change] if fault else [change]
    assert bring(root, "a.pt") == b"newer" * 1000
    root.close()


def test_a_newer_version_replaces_a_copy(bucket: Bucket, tmp_path: Path):
    publish(bucket, a=MODEL, b=b"b")
    root = s3(tmp_path)
    root.index.refresh()
    bring(root, "a.pt")
    bring(root, "b.pt")
    publish(bucket, a=b"newer")
    del bucket.files["models/b.pt"]
    root.index.refresh()
    root.update_copies()
    assert (root.copies.files / "a.pt").read_bytes() == b"newer"
    assert not (root.copies.files / "b.pt").exists()
    root.close()


def test_copies_serve_while_the_root_is_away(bucket: Bucket, tmp_path: Path):
    publish(bucket, a=MODEL, b=b"b")
    root = s3(tmp_path)
    root.index.refresh()
    bring(root, "a.pt")
    root.close()
    bucket.faults = {key: [500] * 99 for key in ["", *bucket.files]}
    again = s3(tmp_path)
    with pytest.raises(RemoteError):
        again.index.refresh()
    assert again.bring("a.pt") is None
    with pytest.raises(Unreachable):
        bring(again, "b.pt")
    publish(bucket, a=b"newer")
    bucket.faults[""] = []
    again.index.refresh()
    assert bring(again, "a.pt") == MODEL
    again.close()


def test_two_processes_fetch_once(bucket: Bucket, tmp_path: Path):
    publish(bucket, a=MODEL)
    roots = [s3(tmp_path), s3(tmp_path)]
    roots[0].index.refresh()
    bucket.is_open.clear()
    waiting = [root.bring("a.pt") for root in roots]
    wait_until(lambda: bucket.gets("models/models.sha256") > 0)
    bucket.is_open.set()
    for each in waiting:
        assert each is not None
        each.result(30)
    assert bucket.gets("models/a.pt") == 1
    for root in roots:
        root.close()


def test_a_slow_file_shows_its_progress_and_holds_no_other(bucket: Bucket, tmp_path: Path):
    publish(bucket, slow=MODEL, b=b"b")
    del bucket.files["models/models.sha256"]
    root = s3(tmp_path)
    root.index.refresh()
    go_on = threading.Event()
    bucket.faults["models/slow.pt"] = [lambda: go_on.wait(30)]
    waiting = root.bring("slow.pt")
    wait_until(lambda: "slow.pt" in root.copies.under_way())
    assert root.copies.under_way() == {"slow.pt": (0, len(MODEL))}
    assert bring(root, "b.pt") == b"b"
    go_on.set()
    assert waiting is not None
    waiting.result(30)
    assert root.copies.under_way() == {}
    root.close()


def test_room_is_made_by_use_and_not_of_what_is_loaded(bucket: Bucket, tmp_path: Path):
    publish(bucket, a=b"a" * 400, b=b"b" * 400, c=b"c" * 400, d=b"d" * 400, huge=b"h" * 2000)
    del bucket.files["models/models.sha256"]
    root = s3(tmp_path, size=1000)
    root.index.refresh()
    bring(root, "a.pt")
    bring(root, "b.pt")
    root.keep(["a.pt"], for_s=-1.0)
    bring(root, "c.pt")
    assert {path.name for path in root.copies.files.iterdir()} == {"a.pt", "c.pt"}
    root.keep(["a.pt", "c.pt"], for_s=-1.0)
    with pytest.raises(Unreachable, match="full of models that are in use"):
        bring(root, "d.pt")
    with pytest.raises(Refused, match="more than --remote-cache-size"):
        bring(root, "huge.pt")
    root.close()


def test_a_disk_that_is_full(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    publish(bucket, a=MODEL)
    root = s3(tmp_path)
    root.index.refresh()

    def append(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetching, "append", append)
    with pytest.raises(Unreachable, match="the disk of --remote-cache is full"):
        bring(root, "a.pt")
    root.close()


def test_names_that_no_folder_can_have(bucket: Bucket, tmp_path: Path):
    names = [
        "ok.pt",
        "OK.pt",
        f"{'n' * 300}.pt",
        "a\\b.pt",
        "folder.pt",
        "folder.pt/in.pt",
        "x.bin",
    ]
    for name in names:
        bucket.files[f"models/{name}"] = b"x"
    bucket.files["models/directory.pt/"] = b""
    told: list[str] = []
    options = RemoteOptions(tmp_path, 1 << 20, 5.0, 60.0)
    pytest.importorskip("obstore")
    root = RemoteRoot(parse("s3://bucket/models"), options, lambda fact: bool(told.append(fact)))
    root.index.refresh()
    assert set(root.index.entries()) == {"ok.pt", "OK.pt", "folder.pt"}
    assert len(told) == 3


@pytest.mark.parametrize("key", ["models/a//b.pt", "models/../b.pt"])
def test_a_key_that_is_no_path_leaves_the_list_as_it_was(bucket: Bucket, tmp_path: Path, key: str):
    publish(bucket, a=MODEL)
    root = s3(tmp_path)
    root.index.refresh()
    bucket.files[key] = b"x"
    with pytest.raises(Refused, match="is no plain path; rename or remove it"):
        root.index.refresh()
    assert bring(root, "a.pt") == MODEL
    root.close()
