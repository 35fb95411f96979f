"""Servers whose models lie in a bucket."""

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.bucket import Bucket, serve_bucket
from tests.support.client import LIMIT_S
from tests.support.process import Process, wait_until

BODY = json.dumps({"input": [[1, 2, 3, 4]]}).encode()


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[Bucket]:
    pytest.importorskip("obstore")
    path = tmp_path / "linear.pt"
    torch.jit.script(torch.nn.Linear(4, 2).eval()).save(path)
    with serve_bucket() as bucket:
        for name in ("a", "b", "folder/c"):
            bucket.files[f"models/{name}.pt"] = path.read_bytes()
        bucket.files["models/a.toml"] = b"batch = true"
        yield bucket


@pytest.fixture
def serve(bucket: Bucket, tmp_path: Path, start: Callable[..., Process]) -> Callable[..., Process]:
    def serve_from(*flags: str, root: str = "s3://bucket/models", **more: str) -> Process:
        fixed = ("--port", "0", "--remote-cache", tmp_path / "cache")
        return start(root, *fixed, *flags, **{**bucket.environment, **more})

    return serve_from


def request(process: Process, method: str, path: str, body: bytes | None = None) -> Any:
    """The status and the document of a response."""
    sent = urllib.request.Request(f"{process.url}{path}", data=body, method=method)
    try:
        with urllib.request.urlopen(sent, timeout=LIMIT_S) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def ask(process: Process, model: str) -> Any:
    return request(process, "POST", f"/serve?servable_identifier={model}", BODY)


def states(process: Process) -> dict[str, str]:
    models = request(process, "GET", "/models")[1]["models"]
    return {each["identifier"]: each["state"] for each in models}


def test_models_come_when_they_are_asked_for(bucket: Bucket, serve: Callable[..., Process]):
    process = serve("--workers", "2", "--preload", "b")
    assert process.url
    assert "3 models in s3://bucket/models" in process.stdout
    assert states(process) == {"a.pt": "available", "b.pt": "loaded", "folder/c.pt": "available"}
    assert ask(process, "a")[0] == 200
    assert ask(process, "b.pt")[0] == 200
    assert request(process, "POST", "/models/folder/c.pt/load")[0] == 200  # by both workers
    assert set(states(process).values()) == {"loaded"}
    for name in ("a", "b", "folder/c"):
        assert bucket.gets(f"models/{name}.pt") == 1
    assert "secret" not in process.stderr + process.stdout


def test_what_is_there_serves_without_the_bucket(bucket: Bucket, serve: Callable[..., Process]):
    assert ask(serve(), "a")[0] == 200
    bucket.faults = {key: [503] * 999 for key in ["", *bucket.files]}
    bucket.code = b"SlowDown"
    process = serve("--remote-timeout", "1")
    assert ask(process, "a")[0] == 200
    status, error = ask(process, "b")
    assert status == 503
    assert error["detail"] == "`b.pt` can't be fetched: the store asks for a pause"
    assert "can't be listed: the store asks for a pause; 1 models are here and serve" in (
        process.stderr
    )


@pytest.mark.parametrize(
    ("root", "words"),
    [
        ("s3://other/models", "s3://other/models can't be listed: there is no such bucket"),
        ("s3://bucket/../x", "MODEL_ROOT: expected a plain path"),
        ("ftp://host/x", "MODEL_ROOT: ftp:// is not known"),
    ],
)
def test_a_root_that_is_none(serve: Callable[..., Process], root: str, words: str):
    process = serve(root=root)
    assert process.exit_code() == 2
    assert words in process.stderr


def test_a_newer_version_is_fetched_and_loaded(bucket: Bucket, serve: Callable[..., Process]):
    process = serve("--watch", "--remote-refresh", "1", "--preload", "a")
    before = ask(process, "a")
    model = torch.jit.script(torch.nn.Linear(4, 2).eval())
    bucket.files["models/a.pt"] = model.save_to_buffer()
    wait_until(lambda: ask(process, "a") != before)
    wait_until(lambda: "a.pt has changed: loading it" in process.stderr)


def test_a_list_over_http(bucket: Bucket, serve: Callable[..., Process]):
    bucket.files["models/list.json"] = b'["a.pt", "folder/c.pt"]'
    process = serve(root=f"{bucket.url}/models/list.json")
    assert states(process) == {"a.pt": "available", "folder/c.pt": "available"}
    assert ask(process, "folder/c")[0] == 200


def test_a_start_asks_again(bucket: Bucket, serve: Callable[..., Process]):
    bucket.code = b"SlowDown"
    bucket.faults[""] = [503, 503]
    assert len(states(serve())) == 3


def test_progress_is_told(bucket: Bucket, serve: Callable[..., Process]):
    process = serve()
    assert states(process)["b.pt"] == "available"
    bucket.is_open.clear()
    assert request(process, "GET", "/v2/models/b.pt/ready")[0] != 200
    wait_until(lambda: states(process)["b.pt"] == "fetching")
    bucket.is_open.set()
    wait_until(lambda: states(process)["b.pt"] != "fetching")
    assert ask(process, "b")[0] == 200


def test_what_is_loaded_serves_without_its_copy(
    bucket: Bucket, serve: Callable[..., Process], tmp_path: Path
):
    process = serve("--workers", "2")
    assert ask(process, "a")[0] == 200
    shutil.rmtree(tmp_path / "cache")
    assert ask(process, "a")[0] == 200
    assert ask(process, "b")[0] == 200
    assert request(process, "POST", "/models/a.pt/load")[0] == 200
    assert ask(process, "a")[0] == 200
