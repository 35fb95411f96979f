"""The image that `make image` has built runs as its user with a read-only root, and answers."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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


@pytest.fixture
def served(models: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The server of the image, and its address."""
    command = in_image(models, *config()["Entrypoint"], *config()["Cmd"], "--port", "0")
    log = tmp_path / "stdout"
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


def test_it_serves_as_a_user_without_rights(
    served: tuple[subprocess.Popen[bytes], str], models: Path
):
    process, url = served
    status = Path(f"/proc/{process.pid}/status").read_text()
    assert re.search(r"^Uid:\t10001\t10001\t", status, re.MULTILINE)
    assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)
    with Client(url) as client:
        assert client.post("mlp.pt", [tensor([1, 16], [0.0] * 16)]).status == 200
    kind, *check = config()["Healthcheck"]["Test"]
    assert kind == "CMD"
    asked = [word.replace("http://127.0.0.1:8888", url) for word in check]
    assert subprocess.run(in_image(models, *asked), timeout=LIMIT_S).returncode == 0
    process.terminate()
    assert process.wait(LIMIT_S) == 0


def test_its_root_can_be_read_only(models: Path):
    probe = "touch /here; touch /tmp/there && touch /models/there"
    done = subprocess.run(in_image(models, "sh", "-c", probe), capture_output=True, text=True)
    assert "Read-only file system" in done.stderr
    assert not (models / "there").exists()
