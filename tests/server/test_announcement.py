"""What a start prints: an address, what is served, where to look, and a command that works."""

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.support.exported import export
from tests.support.exported import save as save_program
from tests.support.process import ROOT, Process
from tests.support.servables import SOURCES, Raising, mlp, scripted
from torch_serving.config import Config
from torch_serving.models.repository import ModelRepository
from torch_serving.server.announcement import Announcement
from torch_serving.service.runtime import Runtime, log_large_load

URL = "http://127.0.0.1:8888"
ZEROS = json.dumps({"x": [[0] * 16]})
WARM_UP = '{"x": [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]]}'


def announcement(root: Path, url: str = URL, **settings: object) -> Announcement:
    config = replace(Config(model_root=root, threads=2), **settings)  # type: ignore[arg-type]
    return Announcement(config, url, ModelRepository(root))


def command_for(root: Path, url: str = URL, **settings: object) -> str:
    one = announcement(root, url, **settings)
    return one.known_command() or one.other_command()


def save(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(exist_ok=True, parents=True)
        scripted(*SOURCES["echo.pt"]).save(root / name)


@pytest.mark.parametrize(
    ("warm_ups", "command"),
    [
        ({}, f"curl {URL}/models/a.pt"),
        (
            {"b.toml": "warmup = ['[1]']"},
            f"curl \"{URL}/serve?servable_identifier=b.pt\" --data '[1]'",
        ),
        (
            {"a.warmup.json": '{"x": "it\'s"}\n{"x": 2}'},
            f'curl "{URL}/serve?servable_identifier=a.pt" --data \'{{"x": "it\'"\'"\'s"}}\'',
        ),
        ({"a.warmup.json": f"[{'1,' * 200}1]"}, f"curl {URL}/models/a.pt"),
        ({"a.warmup.json": '["\\u0000"]'}, "--data '[\"\\u0000\"]'"),
        ({"a.warmup.json": "[1,\n2]"}, f"curl {URL}/models/a.pt"),
        ({"a.toml": "warmup = 1"}, f"curl {URL}/models/b.pt"),
    ],
)
def test_the_command_is_a_known_request(tmp_path: Path, warm_ups: dict[str, str], command: str):
    save(tmp_path, "a.pt", "b.pt")
    for name, text in warm_ups.items():
        (tmp_path / name).write_text(text)
    first, *others = announcement(tmp_path).lines()
    assert first.endswith(f"2 models in {tmp_path}, device auto, 2 threads")
    is_wrong = warm_ups.get("a.toml") == "warmup = 1"
    broken = ["can't be loaded: a.pt; --check says why"] if is_wrong else []
    assert others == ["models: a.pt, b.pt", *broken, f"console: {URL}/", f"docs: {URL}/docs"]
    assert command_for(tmp_path).startswith("curl ")
    assert command_for(tmp_path).endswith(command)


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["a.pt"], "a.pt"),
        ([f"{number}.pt" for number in range(5)], "0.pt, 1.pt, 2.pt, 3.pt, 4.pt"),
        ([f"{number}.pt" for number in range(7)], "0.pt, 1.pt, 2.pt, 3.pt, 4.pt and 2 more"),
        (["\x1b[2J.pt"], r"'\x1b[2J.pt'"),
    ],
)
def test_a_handful_of_names_is_shown(tmp_path: Path, names: list[str], shown: str):
    save(tmp_path, *names)
    assert f"models: {shown}" in announcement(tmp_path).lines()


@pytest.mark.parametrize(
    ("settings", "is_shown"),
    [
        ({}, True),
        ({"console": "off"}, False),
        ({"host": "0.0.0.0"}, False),
        ({"host": "0.0.0.0", "api_key_file": Path("k")}, True),
        ({"host": "0.0.0.0", "console": "on"}, True),
        ({"uds": Path("s")}, False),
        ({"server": "meinheld"}, False),
    ],
)
def test_the_console_is_shown_where_it_is_on(tmp_path: Path, settings: dict, is_shown: bool):
    save(tmp_path, "a.pt")
    lines = announcement(tmp_path, "http://0.0.0.0:8", **settings).lines()
    assert ("console: http://127.0.0.1:8/" in lines) == is_shown


def test_a_file_that_is_no_model_is_not_offered(tmp_path: Path):
    (tmp_path / "a.pt").write_bytes(b"")
    (tmp_path / "a.warmup.json").write_text("[1]")
    assert command_for(tmp_path) == f"curl {URL}/models"
    assert not announcement(tmp_path).searches()
    save(tmp_path, "b.pt")
    assert command_for(tmp_path) == f"curl {URL}/models/b.pt"
    assert announcement(tmp_path).searches()


def test_names_are_quoted(tmp_path: Path):
    save(tmp_path, "a b/$HOME `x`.pt")
    assert command_for(tmp_path) == f"curl {URL}/models/a%20b/%24HOME%20%60x%60.pt"


@pytest.mark.parametrize(
    ("url", "settings", "command"),
    [
        ("http://0.0.0.0:1", {}, "curl http://127.0.0.1:1/models/a.pt"),
        ("http://[::]:1", {}, "curl 'http://[::1]:1/models/a.pt'"),
        ("https://h:1", {"tls_cert": Path("c")}, "curl --insecure https://h:1/models/a.pt"),
        (URL, {"api_key_file": Path("k")}, f'curl -H "X-Api-Key: $KEY" {URL}/models/a.pt'),
        (URL, {"server": "meinheld"}, f"curl {URL}/healthcheck"),
        (
            "unix:/run/a b.sock",
            {"uds": Path("/run/a b.sock")},
            "curl --unix-socket '/run/a b.sock' http://localhost/models/a.pt",
        ),
    ],
)
def test_the_command_suits_the_server(tmp_path: Path, url: str, settings: dict, command: str):
    save(tmp_path, "a.pt")
    assert command_for(tmp_path, url, **settings) == command


def test_an_empty_folder_says_how_to_make_a_model(tmp_path: Path):
    _, words, _, _ = announcement(tmp_path).lines()
    assert "servable_identifier=linear.pt" in command_for(tmp_path)
    recipe = words.removeprefix("no model yet; Python makes one: ")
    subprocess.run([sys.executable, "-W", "ignore", "-c", recipe], check=True)
    assert ModelRepository(tmp_path).names() == ["linear.pt"]


@pytest.mark.parametrize("with_model", [False, True])
def test_the_printed_command_works(tmp_path: Path, start: Callable[..., Process], with_model: bool):
    if with_model:
        mlp().save(tmp_path / "mlp.pt")
        (tmp_path / "mlp.warmup.json").write_text(WARM_UP)
    process = start(tmp_path, "--port", "0")
    assert process.url
    line = process.stdout.splitlines()[0]
    if not with_model:
        recipe = line.partition("one: ")[2].partition("; console")[0]
        subprocess.run([sys.executable, "-W", "ignore", "-c", recipe], check=True)
    command = line.partition("; try: ")[2]
    done = subprocess.run(["sh", "-c", f"{command} --silent --fail"], capture_output=True)
    assert (done.returncode, b'"code": 200' in done.stdout) == (0, True)


class Crashing(torch.nn.Module):
    """Reads far outside of its memory, whatever it is asked."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ops.aten._reshape_alias(x, [1 << 34], [1]).sum()


class Halves(torch.nn.Module):
    """Has no `forward`, and many features."""

    @torch.jit.export
    def halve(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :2] / 2


def wide() -> torch.jit.ScriptModule:
    return torch.jit.script(torch.nn.Linear(200, 2).eval())


@pytest.mark.parametrize(
    ("make", "command"),
    [
        (mlp, f"curl \"{URL}/serve?servable_identifier=a.pt\" --data '{ZEROS}'"),
        (
            lambda: torch.jit.script(Halves()),
            f'curl "{URL}/serve?servable_identifier=a.pt&method=halve" --data \'{{"x": [[0]]}}\'',
        ),
        (
            wide,
            "torch-serving inspect {root}/a.pt --example | "
            f'curl "{URL}/serve?servable_identifier=a.pt" --data-binary @-',
        ),
        (lambda: torch.jit.script(Raising()), f"curl {URL}/models/a.pt"),
    ],
)
def test_a_request_is_found_by_trying(
    tmp_path: Path, make: Callable[[], torch.jit.ScriptModule], command: str
):
    make().save(tmp_path / "a.pt")
    assert announcement(tmp_path).known_command() == ""
    assert announcement(tmp_path).found_command() == command.replace("{root}", str(tmp_path))


def test_the_sample_inputs_of_a_program_are_its_request(tmp_path: Path):
    program = export(torch.nn.Linear(4, 2), (torch.ones(1, 4),))
    save_program(program, tmp_path / "a.pt2")
    command = announcement(tmp_path).found_command()
    assert command.endswith("--data '{\"input\": [[1.0, 1.0, 1.0, 1.0]]}'")
    runtime = Runtime.build(Config(model_root=tmp_path, device="cpu", preload=("a",)))
    one = Announcement(runtime.config, URL, runtime.models.repository)
    assert one.known_command() == command


def test_large_files_are_not_loaded_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    save(tmp_path, "a.pt")
    monkeypatch.setattr("torch_serving.server.announcement.MAX_TRIED_BYTES", 100)
    assert not announcement(tmp_path).searches()
    monkeypatch.undo()
    assert not announcement(tmp_path, log_format="json").searches()


def lines_on_a_terminal(root: Path, until: str) -> list[str]:
    """Start a server whose output is a terminal, and read until a line begins with a text."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "torch_serving", str(root), "--port", "0", "--workers", "2"]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.DEVNULL, cwd=ROOT
    ) as process:
        os.close(theirs)
        limit = threading.Timer(60, process.kill)
        limit.start()
        lines = []
        with open(ours, encoding="utf-8") as terminal:
            for line in iter(terminal.readline, ""):
                lines.append(line.strip())
                if lines[-1].startswith(until):
                    break
            process.terminate()
        limit.cancel()
    return lines


@pytest.mark.parametrize(
    ("name", "target"),
    [("mlp.pt", "serve?servable_identifier=mlp.pt"), ("crashing.pt", "models/crashing.pt")],
)
def test_on_a_terminal_the_command_follows_once_it_is_found(tmp_path: Path, name: str, target: str):
    if name == "mlp.pt":
        mlp().save(tmp_path / name)
    else:
        torch.jit.script(Crashing()).save(tmp_path / name)
    first, *others = lines_on_a_terminal(tmp_path, "try: ")
    assert first.startswith("torch-serving ")
    assert [line.partition(":")[0] for line in others] == ["models", "console", "docs", "try"]
    assert target in others[-1]


@pytest.mark.parametrize(("size_bytes", "words"), [(99 << 20, []), (3 << 30, ["3.0 GiB"])])
def test_the_loading_of_a_large_model_is_told_before_it_ends(
    caplog: pytest.LogCaptureFixture, size_bytes: int, words: list[str]
):
    caplog.set_level("INFO")
    log_large_load("large.pt", size_bytes)
    assert [word for word in words if word in caplog.text] == words
    assert len(caplog.records) == len(words)
