"""Remote roots of a test: in a bucket or on the web, with files to fetch."""

import hashlib
from pathlib import Path

import pytest

from tests.support.bucket import Bucket
from torch_serving.models.remote.root import RemoteOptions, RemoteRoot
from torch_serving.models.remote.urls import parse

MODEL = bytes(range(256)) * 100


def s3(folder: Path, url: str = "s3://bucket/models", size: int = 1 << 20) -> RemoteRoot:
    pytest.importorskip("obstore")
    return RemoteRoot(parse(url), RemoteOptions(folder, size, 5.0, 60.0))


def web(folder: Path, bucket: Bucket, name: str = "models", size: int = 1 << 20) -> RemoteRoot:
    return RemoteRoot(parse(f"{bucket.url}/{name}"), RemoteOptions(folder, size, 1.0, 60.0))


def publish(bucket: Bucket, **files: bytes) -> None:
    """Put files below `models/`, with a manifest for the web."""
    for name, data in files.items():
        bucket.files[f"models/{name.replace('__', '/')}.pt"] = data
    models = {k: v for k, v in bucket.files.items() if k.endswith((".pt", ".toml"))}
    lines = [
        f"{hashlib.sha256(v).hexdigest()}  {k.removeprefix('models/')}" for k, v in models.items()
    ]
    bucket.files["models/models.sha256"] = "\n".join(lines).encode()


def bring(root: RemoteRoot, name: str) -> bytes:
    future = root.bring(name)
    if future is not None:
        future.result(30)
    return (root.copies.files / name).read_bytes()
