"""TORCH_SERVING_* variables: each flag has one, and flags win."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client import Client, tensor
from tests.support.process import Process, check_one_line
from tests.support.servables import SOURCES, scripted
from torch_serving.cli.settings import parse
from torch_serving.config import Config


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TORCH_SERVING_PORT", "99999", "TORCH_SERVING_PORT: expected 0 to 65535, got 99999"),
        ("TORCH_SERVING_PORT", "http://x", "TORCH_SERVING_PORT: expected a whole number"),
        ("TORCH_SERVING_SERVER", "x", "TORCH_SERVING_SERVER: expected one of uvicorn, meinheld"),
        ("TORCH_SERVING_MAX_BODY", "many", "TORCH_SERVING_MAX_BODY: expected a size"),
        ("TORCH_SERVING_USE_GPU", "maybe", "TORCH_SERVING_USE_GPU: expected 0 or 1"),
        ("TORCH_SERVING_LOG_LEVEL", "loud", "TORCH_SERVING_LOG_LEVEL: expected one of debug"),
        ("TORCH_SERVING_MODEL_ROOT", "/none", "no such folder: /none"),
    ],
)
def test_wrong_variables(start: Callable[..., Process], name: str, value: str, words: str):
    process = start(**{name: value})
    assert process.exit_code() == 2
    check_one_line(process, words)


def test_variables_set_what_flags_do_not(tmp_path: Path, start: Callable[..., Process]):
    for name in ("echo.pt", "other.pt"):
        scripted(*SOURCES["echo.pt"]).save(tmp_path / name)
    process = start(
        "--threads",
        "1",
        TORCH_SERVING_MODEL_ROOT=str(tmp_path),
        TORCH_SERVING_PORT="0",
        TORCH_SERVING_THREADS="5",
        TORCH_SERVING_MAX_BODY="10",
        TORCH_SERVING_LOG_LEVEL="warning",
        TORCH_SERVING_BEHIND_PROXY="1",
    )
    with Client(process.url) as client:
        assert client.post("echo.pt", [tensor([1], [1])]).status == 413
    assert f"2 models in {tmp_path}" in process.stdout
    assert ", 1 thread\n" in process.stdout


def test_variables_of_all_kinds(tmp_path: Path):
    environment = {
        "TORCH_SERVING_MODEL_ROOT": str(tmp_path),
        "TORCH_SERVING_PRELOAD": "*.pt",
        "TORCH_SERVING_QUEUE_TIMEOUT": "2.5",
        "TORCH_SERVING_JIT_PROFILING": "off",
        "TORCH_SERVING_NO_TRIAL_LOAD": "true",
        "TORCH_SERVING_WATCH": "0",
        "TORCH_SERVING_LOG_FORMAT": "json",
        "TORCH_SERVING_UNKNOWN": "ignored",
    }
    expected = Config(
        model_root=tmp_path,
        preload=("*.pt",),
        queue_timeout_s=2.5,
        jit_profiling=False,
        trial_load=False,
        log_format="json",
    )
    assert parse([], environment) == expected


def test_values_of_flags_that_may_be_repeated_are_added_to_those_of_the_variable(tmp_path: Path):
    config = parse([str(tmp_path), "--preload", "b.pt"], {"TORCH_SERVING_PRELOAD": "a.pt"})
    assert config.preload == ("a.pt", "b.pt")


@pytest.mark.parametrize(
    "value", ["", "tcp://10.96.0.17:8888", "udp://10.96.0.17:53", "sctp://[fd00::17]:8888"]
)
def test_variables_that_say_nothing(tmp_path: Path, value: str):
    environment = {
        "TORCH_SERVING_PORT": value,
        "TORCH_SERVING_PORT_8888_TCP": value,
        "TORCH_SERVING_SERVICE_HOST": "10.96.0.17",
        "TORCH_SERVING_SERVICE_PORT": "8888",
        "TORCH_SERVING_MAX_BODY": "",
        "TORCH_SERVING_LOG_FORMAT": "",
        "TORCH_SERVING_PRELOAD": "",
        "TORCH_SERVING_MODEL_ROOT": "",
    }
    assert parse([str(tmp_path)], environment) == Config(model_root=tmp_path)
