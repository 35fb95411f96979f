"""Where the files of a remote root come from: stores, the hub, lists on the web."""

import hashlib
import json
from datetime import datetime
from pathlib import Path

import pytest

from tests.support.bucket import Bucket
from tests.support.remote_roots import MODEL, bring, publish, s3, web
from torch_serving.models.remote.objects import ObjectSource, entry_of, is_other
from torch_serving.models.remote.root import RemoteOptions, RemoteRoot
from torch_serving.models.remote.source import Refused
from torch_serving.models.remote.urls import parse


def test_no_such_bucket(bucket: Bucket, tmp_path: Path):
    with pytest.raises(Refused, match="there is no such bucket"):
        s3(tmp_path, "s3://other/models").index.refresh()


@pytest.mark.parametrize(
    ("url", "kind", "prefix"),
    [
        ("s3://bucket/a", "S3Store", "a"),
        ("gs://bucket/a/b", "GCSStore", "a/b"),
        ("az://container", "AzureStore", None),
    ],
)
def test_the_store_of_a_url(
    monkeypatch: pytest.MonkeyPatch, url: str, kind: str, prefix: str | None
):
    pytest.importorskip("obstore")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    store = ObjectSource(parse(url), 5.0)._store
    assert (type(store).__name__, store.prefix) == (kind, prefix)


def test_no_list(bucket: Bucket, tmp_path: Path):
    with pytest.raises(Refused, match=r"there is no list: models\.sha256"):
        web(tmp_path, bucket).index.refresh()


def test_a_list_of_json(bucket: Bucket, tmp_path: Path):
    publish(bucket, a=MODEL, b=b"b")
    files = ["b.pt", {"name": "a.pt", "size": len(MODEL), "version": "7"}]
    bucket.files["models/list.json"] = json.dumps({"files": files}).encode()
    root = web(tmp_path, bucket, "models/list.json")
    root.index.refresh()
    assert bring(root, "a.pt") == MODEL
    assert bring(root, "b.pt") == b"b"
    assert bring(root, "b.pt") == b"b"
    assert bucket.gets("models/b.pt") == 1  # the second time, only its head was asked for
    bucket.files["models/b.pt"] = b"new b"
    assert bring(root, "b.pt") == b"new b"
    root.close()


def test_a_repository_of_the_hub(bucket: Bucket, tmp_path: Path):
    listed = [
        {"type": "directory", "path": "sub", "oid": "1", "size": 0},
        {"type": "file", "path": "a.pt", "oid": "2", "size": 100,
         "lfs": {"oid": hashlib.sha256(MODEL).hexdigest(), "size": len(MODEL)}},
        {"type": "file", "path": "a.toml", "oid": "3", "size": 12},
    ]  # fmt: skip
    bucket.files["hub/api/models/org/repo/tree/v1"] = json.dumps(listed).encode()
    bucket.files["hub/org/repo/resolve/v1/a.pt"] = MODEL
    bucket.files["hub/org/repo/resolve/v1/a.toml"] = b"batch = true"
    root = RemoteRoot(parse("hf://org/repo@v1"), RemoteOptions(tmp_path, 1 << 20, 5.0, 60.0))
    root.index.refresh()
    bucket.faults["hub/org/repo/resolve/v1/a.pt"] = ["cut"]
    assert bring(root, "a.pt") == MODEL
    assert (root.copies.files / "a.toml").exists()
    root.close()


def test_a_bucket_of_google(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("obstore")
    account = tmp_path / "account.json"
    names = ("client_email", "private_key", "private_key_id")
    facts = {"gcs_base_url": bucket.url, "disable_oauth": True, **dict.fromkeys(names, "")}
    account.write_text(json.dumps(facts))
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(account))
    publish(bucket, a=MODEL)
    root = RemoteRoot(parse("gs://bucket/models"), RemoteOptions(tmp_path, 1 << 20, 5.0, 60.0))
    root.index.refresh()
    bucket.faults["models/a.pt"] = ["drip", 503, None]
    assert bring(root, "a.pt") == MODEL
    root.close()


NOON, LATER = datetime(2026, 1, 1, 12, 0, 0, 250_000), datetime(2026, 1, 1, 12, 0, 1)


@pytest.mark.parametrize(
    ("listed", "answered", "is_same"),
    [
        (('"a"', NOON), ('"a"', LATER), True),
        (("0xA", NOON), ('"0xA"', NOON), True),  # as Azure writes them
        (('"a"', NOON), ('"b"', NOON), False),
        (('"a"', NOON), (None, LATER), True),  # nothing tells
        ((None, NOON), ('"a"', NOON.replace(microsecond=0)), True),
        ((None, NOON), (None, LATER), False),
        (('W/"a"', NOON), ('W/"a"', LATER), True),
        (('W/"a"', NOON), ('W/"b"', NOON), False),
    ],
)
def test_versions_of_lists_and_of_answers(
    listed: tuple[str | None, datetime], answered: tuple[str | None, datetime], is_same: bool
):
    metas = [
        {"path": "a.pt", "e_tag": etag, "last_modified": time, "size": 7}
        for etag, time in (listed, answered)
    ]
    assert is_other(entry_of(metas[0]), metas[1]) is not is_same
