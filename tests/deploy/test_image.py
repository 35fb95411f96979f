"""The image that `make image` has built runs as its user with a read-only root, and answers."""

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.bucket import serve_bucket
from tests.support.client import LIMIT_S, Client, tensor
from tests.support.pages import ROOT
from tests.support.process import wait_until
from tests.support.servables import mlp

IMAGE = ROOT / ".build" / "image"
SCRIPT = Path(__file__).with_name("in_image.sh")

pytestmark = [
    pytest.mark.skipif(not (IMAGE / "rootfs" / "opt").exists(), reason="`make image` builds it"),
    pytest.mark.skipif(os.geteuid() != 0, reason="chroot needs root"),
]


def config() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((IMAGE / "image.json").read_text())["Docker"]["config"]
    return found


def in_image(models: Path, *command: str) -> list[str]:
    """The command that runs one in the image, with its environment and as its user."""
    root = (IMAGE / "rootfs").resolve()
    environment = config()["Env"]
    where = ["unshare", "--mount", "sh", SCRIPT, root, models, config()["User"]]
    return [*map(str, where), *environment, *command]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir(mode=0o755)
    mlp().save(folder / "mlp.pt")
    return folder


@contextmanager
def serving(
    models: Path, root: str, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The server of the image on a model root, and its address."""
    added = [f"{name}={value}" for name, value in (environment or {}).items()]
    command = in_image(models, *added, *config()["Entrypoint"], root, "--port", "0")
    log = models.with_name("stdout")
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            pattern = r" on http://[^ ]+:(\d+) "
            wait_until(
                lambda: bool(re.search(pattern, log.read_text())) or process.poll() is not None
            )
            found = re.search(pattern, log.read_text())
            assert found, log.read_text()
            yield process, f"http://127.0.0.1:{found[1]}"
        finally:
            process.kill()


def test_it_serves_as_a_user_without_rights(models: Path):
    [root] = config()["Cmd"]
    with serving(models, root) as (process, url):
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert re.search(r"^Uid:\t10001\t10001\t", status, re.MULTILINE)
        assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)
        answers(url)
        kind, *check = config()["Healthcheck"]["Test"]
        assert kind == "CMD"
        asked = [word.replace("http://127.0.0.1:8888", url) for word in check]
        assert subprocess.run(in_image(models, *asked), timeout=LIMIT_S).returncode == 0
        process.terminate()
        assert process.wait(LIMIT_S) == 0


def answers(url: str) -> None:
    with Client(url) as client:
        assert client.post("mlp.pt", [tensor([1, 16], [0.0] * 16)]).status == 200


@pytest.mark.parametrize("kind", ["s3", "http"])
def test_it_serves_models_at_a_url(kind: str, models: Path):
    data = (models / "mlp.pt").read_bytes()
    (models / "mlp.pt").unlink()
    with serve_bucket() as bucket:
        bucket.files = {
            "mlp.pt": data,
            "models.sha256": f"{hashlib.sha256(data).hexdigest()}  mlp.pt\n".encode(),
        }
        root = "s3://bucket" if kind == "s3" else f"{bucket.url}/bucket"
        with serving(models, root, bucket.environment) as (process, url):
            answers(url)
            process.terminate()
            assert process.wait(LIMIT_S) == 0


def test_its_root_can_be_read_only(models: Path):
    probe = "touch /here; touch /tmp/there && touch /models/there"
    done = subprocess.run(in_image(models, "sh", "-c", probe), capture_output=True, text=True)
    assert "Read-only file system" in done.stderr
    assert not (models / "there").exists()
