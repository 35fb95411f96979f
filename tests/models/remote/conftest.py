"""A bucket for remote roots."""

from collections.abc import Iterator

import pytest

from tests.support.bucket import Bucket, serve_bucket
from torch_serving.models.remote import fetch as fetching


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    monkeypatch.setattr(fetching, "pause", lambda failures, asked_s: None)
    with serve_bucket() as bucket:
        for name, value in bucket.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("HF_ENDPOINT", f"{bucket.url}/hub")
        yield bucket
