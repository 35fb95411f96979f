"""--check: what is wrong is told, all of it, and no server starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.support.export_archives import WEIGHTS_CONFIG, entries_of_program, packed
from tests.support.servables import mlp


def run_check(*arguments: str | Path, **environment: str) -> tuple[int, str, list[str]]:
    command = [sys.executable, "-W", "ignore", "-m", "torch_serving", "--check"]
    done = subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**environment_without_settings(), **environment},
    )
    return done.returncode, done.stdout, done.stderr.splitlines()


def environment_without_settings() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("TORCH_SERVING")}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    mlp().save(tmp_path / "good.pt")
    (tmp_path / "good.toml").write_text("max_batch = 4")
    return tmp_path


def test_nothing_is_wrong(root: Path):
    code, out, err = run_check(root, "--preload", "*.pt", "--port", "1")
    assert (code, out, err) == (0, "all is well\n", [])
    code, out, _ = run_check(root / "good.pt")
    assert (code, out) == (0, "all is well\n")


def test_preloaded_models_that_do_not_fit_are_no_mistake(root: Path):
    for name in "ab":
        mlp().save(root / f"{name}.pt")
    code, out, err = run_check(root, "--preload", "*.pt", "-c", "1", "-b", "0")
    assert (code, out, len(err)) == (0, "all is well\n", 1)
    assert "--preload names 3 models, of which --model-capacity 1 keeps some only" in err[0]


def test_every_model_that_is_wrong_is_told(root: Path):
    torch.save({"weight": torch.ones(2)}, root / "weights.pt")
    damaged = bytearray((root / "good.pt").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (root / "damaged.pt").write_bytes(damaged)
    program = entries_of_program()
    (root / "cut.pt2").write_bytes(packed(program)[:-30])
    (root / "program.pt2").write_bytes(packed({**program, WEIGHTS_CONFIG: b"{"}))
    for name in ("keyed", "device", "warm"):
        mlp().save(root / f"{name}.pt")
    (root / "keyed.toml").write_text("\nbach = true")
    (root / "device.toml").write_text('device = "cuda:77"')
    (root / "warm.warmup.json").write_text("[1]")
    code, out, err = run_check(root)
    assert (code, out) == (1, "")
    for words in (
        "`weights.pt`: not a TorchScript archive",
        "`damaged.pt`: ",
        "`cut.pt2`: not a .pt2 archive of torch.export (its end is missing",
        "`program.pt2`: its data/weights/model_weights_config.json is no JSON",
        "keyed.toml line 2: unknown key `bach`",
        "device.toml line 1: `cuda:77` is not a device",
    ):
        assert [line for line in err if words in line], words
    assert len(err) == 6
    code, _, err = run_check(root, "--preload", "warm.pt", "--preload", "good.pt")
    assert code == 1
    assert [line for line in err if "`warm.pt`: " in line and "warmup" in line]
    assert len(err) == 7


def test_the_manifest_is_checked(root: Path):
    (root / "models.sha256").write_text(f"{'0' * 64}  good.pt\n")
    code, _, err = run_check(root)
    assert code == 1
    assert err == ["torch-serving: `good.pt`: its SHA-256 is not the one in models.sha256"]


def test_every_setting_that_is_wrong_is_told(root: Path):
    (root / "keys").write_text("short")
    wrong = ["--api-key-file", root / "keys", "--preload", "none*", "--device", "warp"]
    wrong += [
        "--host",
        "192.0.2.1",
        "--tls-cert",
        root / "none.pem",
        "--tls-key",
        root / "none.pem",
    ]
    code, out, err = run_check(root, *wrong, TORCH_SERVING_PROT="1")
    assert (code, out) == (2, "")
    for words in (
        "a key has less than 16",
        "--preload none*",
        "`warp`",
        "none.pem",
        "PROT is no",
        "192.0.2.1: ",
    ):
        assert [line for line in err if words in line], words
    assert len(err) == 6


def test_a_setting_that_cannot_be_read_is_told_at_once(root: Path):
    code, _, err = run_check(root, "--port", "x")
    assert code == 2
    assert len(err) == 1
