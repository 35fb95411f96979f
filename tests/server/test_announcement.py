"""The start line: an address, what is served, and a command that works."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.process import Process
from tests.support.servables import SOURCES, mlp, scripted
from torch_serving.config import Config
from torch_serving.models.repository import ModelRepository
from torch_serving.server.announcement import announcement
from torch_serving.service.runtime import log_large_load

URL = "http://127.0.0.1:8888"
WARM_UP = '{"x": [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]]}'


def lines_for(root: Path, url: str = URL, **settings: object) -> list[str]:
    config = replace(Config(model_root=root, threads=2), **settings)  # type: ignore[arg-type]
    return announcement(config, url, ModelRepository(root))


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
    first, docs, last = lines_for(tmp_path)
    assert first.endswith(f"2 models in {tmp_path}, device auto, 2 threads")
    assert docs == f"docs: {URL}/docs"
    assert last.startswith("try: curl ")
    assert last.endswith(command)


def test_a_file_that_is_no_model_is_not_offered(tmp_path: Path):
    (tmp_path / "a.pt").write_bytes(b"")
    (tmp_path / "a.warmup.json").write_text("[1]")
    assert lines_for(tmp_path)[-1] == f"try: curl {URL}/models"
    save(tmp_path, "b.pt")
    assert lines_for(tmp_path)[-1] == f"try: curl {URL}/models/b.pt"


def test_names_are_quoted(tmp_path: Path):
    save(tmp_path, "a b/$HOME `x`.pt")
    assert lines_for(tmp_path)[-1] == f"try: curl {URL}/models/a%20b/%24HOME%20%60x%60.pt"


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
    assert lines_for(tmp_path, url, **settings)[-1] == f"try: {command}"


def test_an_empty_folder_says_how_to_make_a_model(tmp_path: Path):
    _, words, *recipe, _, command = lines_for(tmp_path)
    assert words == "no model yet; Python makes one:"
    subprocess.run([sys.executable, "-W", "ignore", "-c", "\n".join(recipe)], check=True)
    assert ModelRepository(tmp_path).names() == ["linear.pt"]
    assert "servable_identifier=linear.pt" in command


@pytest.mark.parametrize("with_model", [False, True])
def test_the_printed_command_works(tmp_path: Path, start: Callable[..., Process], with_model: bool):
    if with_model:
        mlp().save(tmp_path / "mlp.pt")
        (tmp_path / "mlp.warmup.json").write_text(WARM_UP)
    process = start(tmp_path, "--port", "0")
    assert process.url
    line = process.stdout.splitlines()[0]
    if not with_model:
        recipe = line.partition("one:; ")[2].partition("; docs")[0]
        subprocess.run([sys.executable, "-W", "ignore", "-c", recipe], check=True)
    command = line.partition("; try: ")[2]
    done = subprocess.run(["sh", "-c", f"{command} --silent --fail"], capture_output=True)
    assert (done.returncode, b'"code": 200' in done.stdout) == (0, True)


@pytest.mark.parametrize(("size_bytes", "words"), [(99 << 20, []), (3 << 30, ["3.0 GiB"])])
def test_the_loading_of_a_large_model_is_told_before_it_ends(
    caplog: pytest.LogCaptureFixture, size_bytes: int, words: list[str]
):
    caplog.set_level("INFO")
    log_large_load("large.pt", size_bytes)
    assert [word for word in words if word in caplog.text] == words
    assert len(caplog.records) == len(words)
