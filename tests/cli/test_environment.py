"""TORCH_SERVING_* variables: each flag has one, and flags win."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client import Client, tensor
from tests.support.process import Process, check_one_line, wait_until
from tests.support.servables import SOURCES, scripted
from torch_serving.cli.settings import parse, read_settings
from torch_serving.config import Config


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TORCH_SERVING_PORT", "99999", "TORCH_SERVING_PORT: expected 0 to 65535, got 99999"),
        ("TORCH_SERVING_PORT", "http://x", "TORCH_SERVING_PORT: expected a whole number"),
        ("TORCH_SERVING_SERVER", "x", "TORCH_SERVING_SERVER: expected one of uvicorn, meinheld"),
        ("TORCH_SERVING_MAX_BODY", "many", "TORCH_SERVING_MAX_BODY: expected a size"),
        ("TORCH_SERVING_USE_GPU", "maybe", "TORCH_SERVING_USE_GPU: expected 0 or 1"),
        ("TORCH_SERVING_CORS_ORIGIN", "*,x", "TORCH_SERVING_CORS_ORIGIN: expected * or as in"),
        ("TORCH_SERVING_CONFIG", "/none.toml", "--config /none.toml: No such file or directory"),
        ("TORCH_SERVING_LOG_LEVEL", "loud", "TORCH_SERVING_LOG_LEVEL: expected one of debug"),
        ("TORCH_SERVING_MODEL_ROOT", "/none", "no such folder or file: /none"),
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
    assert ", 1 thread; " in process.stdout


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


@pytest.mark.parametrize("value", ["a.pt,b*.pt", " a.pt , b*.pt ", ",a.pt,,b*.pt,"])
def test_a_variable_has_several_values_with_commas_between_them(tmp_path: Path, value: str):
    names = ("PRELOAD", "BATCH")
    config = parse([str(tmp_path)], {f"TORCH_SERVING_{name}": value for name in names})
    assert (config.preload, config.batch) == (("a.pt", "b*.pt"), ("a.pt", "b*.pt"))
    origins = {"TORCH_SERVING_CORS_ORIGIN": "https://a.example,https://b.example"}
    origins["TORCH_SERVING_DEVICE"] = "cuda:0,cuda:1"  # one value that has commas
    config = parse([str(tmp_path)], origins)
    assert config.cors_origins == ("https://a.example", "https://b.example")
    assert config.device == "cuda:0,cuda:1"


@pytest.mark.parametrize(
    ("value", "is_on"),
    [("1", True), ("yes", True), ("ON", True), ("True", True), ("0", False), ("No", False)],
)
def test_words_for_on_and_off(tmp_path: Path, value: str, is_on: bool):
    environment = {
        "TORCH_SERVING_WATCH": value,
        "TORCH_SERVING_NO_TRIAL_LOAD": value,
        "TORCH_SERVING_TF32": value,
    }
    config = parse([str(tmp_path)], environment)
    assert (config.watch, config.trial_load, config.tf32) == (is_on, not is_on, is_on)


@pytest.mark.parametrize("value", ["INFO", "Info", " info "])
def test_case_and_space_do_not_count(tmp_path: Path, value: str):
    config = parse([str(tmp_path)], {"TORCH_SERVING_LOG_LEVEL": value})
    assert config.log_level == "info"
    assert parse([str(tmp_path), "--log-level", "WARNING"], {}).log_level == "warning"


@pytest.mark.parametrize(
    ("arguments", "environment", "port"),
    [
        ([], {"PORT": "5000"}, 5000),
        ([], {"PORT": "5000", "TORCH_SERVING_PORT": "6000"}, 6000),
        (["--port", "7000"], {"PORT": "5000"}, 7000),
        ([], {"PORT": "5000", "TORCH_SERVING_PORT": "tcp://10.0.0.1:8888"}, 5000),
        ([], {"PORT": ""}, 8888),
        ([], {"PORT": "tcp://10.0.0.1:80"}, 8888),
        ([], {"PORT": "http"}, 8888),
    ],
)
def test_the_port_of_a_platform(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], port: int
):
    config = parse([str(tmp_path), *arguments], environment)
    assert (config.port, config.host) == (port, "127.0.0.1")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("TORCH_SERVING_PROT", "TORCH_SERVING_PROT is no setting; did you mean TORCH_SERVING_PORT"),
        ("TORCH_SERVING_LOGLEVEL", "did you mean TORCH_SERVING_LOG_LEVEL?"),
        ("TORCH_SERVING_QZX", "TORCH_SERVING_QZX is no setting"),
    ],
)
def test_a_variable_that_is_no_setting_is_told(tmp_path: Path, name: str, words: str):
    (warning,) = read_settings([str(tmp_path)], {name: "1", "PATH": "/bin"}).warnings
    assert words in warning


def test_a_misspelt_variable_is_told_at_the_start(model_root: Path, start: Callable[..., Process]):
    process = start(model_root, "--port", "0", TORCH_SERVING_PROT="9000")
    wait_until(lambda: "did you mean TORCH_SERVING_PORT?" in process.stderr)


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
        "TORCH_SERVING_PORT_8888_TCP_PROTO": "tcp",
        "TORCH_SERVING_SERVICE_PORT_HTTP": "8888",
        "TORCH_SERVING_METRICS_SERVICE_HOST": "10.96.0.18",
        "TORCH_SERVING_METRICS_PORT": "tcp://10.96.0.18:80",
        "TORCH_SERVING_METRICS_PORT_80_TCP_ADDR": "10.96.0.18",
        "TORCH_SERVING_SERVICE_HOST": "10.96.0.17",
        "TORCH_SERVING_SERVICE_PORT": "8888",
        "TORCH_SERVING_MAX_BODY": "",
        "TORCH_SERVING_LOG_FORMAT": "",
        "TORCH_SERVING_PRELOAD": "",
        "TORCH_SERVING_MODEL_ROOT": "",
    }
    settings = read_settings([str(tmp_path)], environment)
    assert settings.config == Config(model_root=tmp_path)
    assert settings.warnings == []
