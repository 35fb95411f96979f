"""What a remote root does when the other side does what it should not."""

import threading
from collections.abc import Callable

import pytest

from tests.support.bucket import Bucket
from tests.support.process import wait_until
from tests.support.remote_roots import bring, publish
from torch_serving.models.remote import index, objects, repository
from torch_serving.models.remote.repository import RemoteRepository
from torch_serving.models.remote.root import RemoteRoot
from torch_serving.models.remote.source import Refused, Unreachable

MODEL = bytes(range(256)) * 1400


@pytest.mark.parametrize("kind", ["s3", "web"])
@pytest.mark.parametrize(
    "faults", [["drip"] * 60, ["drip", 503, 503, 503, "drip"] * 8, [503] * 4], ids=len
)
def test_what_comes_in_pieces_comes(
    bucket: Bucket, make: Callable[..., RemoteRoot], kind: str, faults: list[object]
):
    publish(bucket, a=MODEL)
    root = make(kind)
    root.index.refresh()
    bucket.faults["models/a.pt"] = faults
    assert bring(root, "a.pt") == MODEL


@pytest.mark.parametrize("faults", [[503], [429, 503, 500, 408], ["cut", 503, "cut"]], ids=str)
def test_a_file_that_is_looked_at_first_is_tried_again(
    bucket: Bucket, make: Callable[..., RemoteRoot], faults: list[object]
):
    publish(bucket, a=MODEL)
    bucket.files["models/list.json"] = b'["a.pt"]'
    root = make("web", "/list.json")
    root.index.refresh()
    bucket.faults["models/a.pt"] = faults
    assert bring(root, "a.pt") == MODEL


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        (["gzip"], "it comes compressed, which was not asked for"),
        (["cut", "range"], "another range came than was asked for"),
        ([302], "status 302"),
        ([405], "status 405"),
    ],
)
def test_what_a_web_server_should_not_do(
    bucket: Bucket, make: Callable[..., RemoteRoot], faults: list[object], message: str
):
    publish(bucket, a=MODEL)
    root = make()
    root.index.refresh()
    bucket.faults["models/a.pt"] = faults
    with pytest.raises(Refused) as refused:
        bring(root, "a.pt")
    assert refused.value.message == message
    assert bring(root, "a.pt") == MODEL  # asked again


@pytest.mark.parametrize("has_etags", [True, False])
@pytest.mark.parametrize("newer", [MODEL[::-1], MODEL[1000:], MODEL * 2])
def test_ranges_are_of_one_version(
    bucket: Bucket,
    make: Callable[..., RemoteRoot],
    monkeypatch: pytest.MonkeyPatch,
    has_etags: bool,
    newer: bytes,
):
    monkeypatch.setattr(objects, "RANGE_BYTES", 100_000)
    publish(bucket, a=MODEL)
    bucket.has_etags = has_etags
    root = make("s3")
    root.index.refresh()

    def change() -> None:
        bucket.files["models/a.pt"] = newer
        bucket.modified = "Thu, 01 Jan 2026 00:00:01 GMT"

    bucket.faults["models/a.pt"] = [None, change]
    assert bring(root, "a.pt") == newer
    assert root.bring("b.pt") is None


def test_a_version_that_is_here_is_not_fetched_for_an_old_list(
    bucket: Bucket, make: Callable[..., RemoteRoot]
):
    publish(bucket, a=MODEL)
    root = make("s3")
    root.index.refresh()
    bucket.files["models/a.pt"] = b"newer"
    for _ in range(3):
        assert bring(root, "a.pt") == b"newer"
    assert bucket.requests.count(("GET", "models/a.pt")) == 2 + 2  # once in vain for each load


def test_a_list_that_is_older_than_the_file(bucket: Bucket, make: Callable[..., RemoteRoot]):
    publish(bucket, a=MODEL)
    root = make()
    root.index.refresh()
    publish(bucket, a=b"newer")
    assert bring(root, "a.pt") == b"newer"


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"nonsense",
        b"7",
        b"[7]",
        b'[{"size": 1}]',
        b'{"other": []}',
        b'[{"name": "a.pt", "size": "12"}]',
        b'[{"name": "a.pt", "size": -1}]',
        b'[{"name": "a.pt", "sha256": "abc"}]',
    ],
)
def test_lists_that_are_none(bucket: Bucket, make: Callable[..., RemoteRoot], document: bytes):
    bucket.files["models/list.json"] = document
    with pytest.raises(Refused, match="its list can't be read"):
        make("web", "/list.json").index.refresh()


def test_a_slow_list_holds_nobody(
    bucket: Bucket, make: Callable[..., RemoteRoot], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(index, "LISTED_WITHIN_S", 0.05)
    monkeypatch.setattr(index, "SEEN_AGAIN_S", 0.0001)
    publish(bucket, a=MODEL)
    slow = make()
    slow.index.refresh()
    publish(bucket, new=b"new")
    bucket.is_open.clear()
    assert slow.index.find("a.pt")
    assert not slow.index.find("new.pt")
    bucket.is_open.set()
    wait_until(lambda: slow.index.find("new.pt"))


def test_an_older_copy_serves_where_the_newer_one_is_slow(
    bucket: Bucket, make: Callable[..., RemoteRoot], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(repository, "REPLACING_S", 0.05)
    publish(bucket, a=MODEL, b=b"b")
    slow = make()
    slow.index.refresh()
    bring(slow, "a.pt")
    publish(bucket, a=b"newer")
    slow.index.refresh()
    go_on = threading.Event()
    bucket.faults["models/a.pt"] = [lambda: go_on.wait(30)]
    waiting = RemoteRepository(slow).bring("a.pt")
    assert waiting is not None
    waiting.result(30)
    assert (slow.copies.files / "a.pt").read_bytes() == MODEL
    go_on.set()
    wait_until(lambda: slow.bring("a.pt") is None)
    assert (slow.copies.files / "a.pt").read_bytes() == b"newer"


def test_an_older_copy_keeps_the_older_manifest(bucket: Bucket, make: Callable[..., RemoteRoot]):
    publish(bucket, a=MODEL)
    root = make()
    root.index.refresh()
    bring(root, "a.pt")
    before = bring(root, "models.sha256")
    publish(bucket, a=b"newer")
    root.index.refresh()
    bucket.faults["models/a.pt"] = [503] * 99
    assert bring(root, "a.pt") == MODEL
    assert (root.copies.files / "models.sha256").read_bytes() == before


def test_no_model_is_here_without_the_manifest(bucket: Bucket, make: Callable[..., RemoteRoot]):
    publish(bucket, a=MODEL)
    root = make("s3")
    root.index.refresh()
    bucket.faults["models/models.sha256"] = [503] * 99
    with pytest.raises(Unreachable):
        bring(root, "a.pt")
    assert bucket.gets("models/a.pt") == 0
