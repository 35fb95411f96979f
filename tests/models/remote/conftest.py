"""A bucket for remote roots."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.bucket import Bucket, serve_bucket
from torch_serving.models.remote import fetch as fetching
from torch_serving.models.remote.root import RemoteOptions, RemoteRoot
from torch_serving.models.remote.urls import parse


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    monkeypatch.setattr(fetching, "pause", lambda failures, asked_s: None)
    with serve_bucket() as bucket:
        for name, value in bucket.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("HF_ENDPOINT", f"{bucket.url}/hub")
        yield bucket


@pytest.fixture
def make(bucket: Bucket, tmp_path: Path) -> Iterator[Callable[..., RemoteRoot]]:
    """Make a root over `models/` in the bucket: of S3, or of the web with a manifest."""
    made: list[RemoteRoot] = []

    def make_root(kind: str = "web", list_name: str = "", size: int = 1 << 20) -> RemoteRoot:
        if kind == "s3":
            pytest.importorskip("obstore")
        url = "s3://bucket/models" if kind == "s3" else f"{bucket.url}/models{list_name}"
        made.append(RemoteRoot(parse(url), RemoteOptions(tmp_path / "cache", size, 5.0, 60.0)))
        return made[-1]

    yield make_root
    bucket.is_open.set()
    for each in made:
        each.close()
