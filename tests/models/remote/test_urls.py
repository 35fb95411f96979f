"""URLs of remote roots: what is shown of them, and which name nothing."""

import pytest

from torch_serving.errors import StartupError
from torch_serving.models.remote.urls import parse


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://bucket/a/b/", "s3://bucket/a/b"),
        ("https://user:secret@host/models?sig=secret", "https://host/models"),
        ("https://user:p@secret@host/models/#secret", "https://host/models"),
        ("HTTPS://:secret@host?secret", "HTTPS://host"),
        ("hf://org/repo@v1/folder", "hf://org/repo@v1/folder"),
    ],
)
def test_urls(url: str, shown: str):
    assert parse(url).shown == shown
    assert "secret" not in parse(url).folder_name


@pytest.mark.parametrize(
    "url", ["ftp://host/x", "s3://", "s3://key:secret@bucket/x", "hf://org", "hf://org/a/../b@c@d"]
)
def test_urls_that_name_nothing(url: str):
    with pytest.raises(StartupError, match="MODEL_ROOT"):
        parse(url)
