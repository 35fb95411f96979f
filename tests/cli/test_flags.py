"""The command line: what each flag means, and what is refused."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import pytest

import torch_serving
from tests.support.process import Process, check_one_line
from torch_serving.cli.flag_types import KINDS
from torch_serving.cli.main import main
from torch_serving.cli.settings import parse
from torch_serving.config import Config
from torch_serving.setting import settings_of


def test_without_flags_all_is_as_config_says(tmp_path: Path):
    assert parse([str(tmp_path)], {}) == Config(model_root=tmp_path)


def test_each_setting_has_a_flag_whose_value_is_read():
    spellings = [flag for _, _, setting in settings_of(Config) for flag in setting.flags]
    assert len(set(spellings)) == len(spellings)
    for name, value, setting in settings_of(Config):
        assert setting.flags, name
        if isinstance(setting.kind, tuple):
            assert value in setting.kind
        else:
            assert setting.kind in {*KINDS, "switch"}


def test_flags_of_all_kinds(tmp_path: Path):
    flags = "-p 0 -c 3 -b 0 -t 2 --max-body 2MiB --body-rate 0 --queue-timeout 1.5 --workers auto"
    more = "--jit-fusion off --no-trial-load --watch --preload ./a.pt --preload b*"
    files = "--api-key-file keys --tls-cert c.pem --tls-key k.pem --cors-origin *"
    files += " --quarantine 0 --log-format json"
    assert parse([str(tmp_path), *f"{flags} {more} {files}".split()], {}) == Config(
        model_root=tmp_path,
        port=0,
        api_key_file=Path("keys"),
        cors_origins=("*",),
        tls_cert=Path("c.pem"),
        tls_key=Path("k.pem"),
        model_capacity=3,
        buffer_size=0,
        watch=True,
        trial_load=False,
        preload=("a.pt", "b*"),
        workers=None,
        threads=2,
        jit_fusion=False,
        max_body_bytes=2 << 20,
        body_rate=0,
        queue_timeout_s=1.5,
        quarantine_s=0,
        log_format="json",
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.4", 0.4),
        (".5", 0.5),
        ("40%", 0.4),
        ("2.5%", 0.025),
        ("100%", 1),
        ("1", 1),
        ("2", 2),
        ("8GiB", 8 << 30),
    ],
)
def test_a_part_of_a_card_or_a_size(tmp_path: Path, text: str, value: float):
    assert parse([str(tmp_path), "--gpu-memory", text], {}).gpu_memory == value


def test_paths_of_a_config_may_be_strings():
    config = Config(model_root="models", api_key_file="keys")
    assert (config.model_root, config.api_key_file) == (Path("models"), Path("keys"))
    assert config.tls_cert is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "65536"], "--port: expected 0 to 65535, got 65536"),
        (["--port", "-1"], "--port"),
        (["--port", "http"], "--port: expected a whole number, got 'http'"),
        (["--threads", "0"], "--threads: expected at least 1"),
        (["--workers", "two"], "--workers: expected a whole number or auto, got 'two'"),
        (["--threads", "x"], "--threads: expected a whole number"),
        (["--lanes", "2"], "unrecognized arguments: --lanes 2"),
        (["--gpu-memory", "0"], "--gpu-memory: expected a size"),
        (["--gpu-memory", "0.0"], "--gpu-memory: expected more than 0 and no more than all"),
        (["--gpu-memory", "1.5"], "--gpu-memory: expected more than 0 and no more than all"),
        (["--gpu-memory", "101%"], "--gpu-memory: expected more than 0 and no more than all"),
        (["--gpu-memory", "half"], "--gpu-memory: expected a size"),
        (["--model-capacity", "0"], "--model-capacity: expected at least 1"),
        (["--model-capacity", "2147483648"], "--model-capacity: expected at most 2147483647"),
        (["--queue", "9" * 5000], "--queue: expected at most 2147483647, got 999"),
        (["--request-timeout", "1000000001"], "--request-timeout: expected at most 1000000000"),
        (["--max-body", "99999999999GiB"], "--max-body: expected at most 9223372036854775807"),
        (["--buffer-size", "-1"], "--buffer-size"),
        (["--max-body", "0"], "--max-body: expected a size"),
        (["--max-body", "1TiB"], "--max-body: expected a size"),
        (["--header-timeout", "0"], "--header-timeout: expected a number of seconds"),
        (["--body-timeout", "nan"], "--body-timeout: expected a number of seconds"),
        (["--shutdown-timeout", "x"], "--shutdown-timeout: expected a number of seconds"),
        (["--jit-fusion", "2"], "--jit-fusion: expected on or off, got '2'"),
        (["--log-level", "warn"], "expected one of debug, info, warning, error, got 'warn'; did"),
        (["--server", "gunicorn"], "gunicorn"),
        (["--log-level", "loud"], "loud"),
        (["--server", "meinheld", "--host", "0.0.0.0"], "--behind-proxy"),
        (["--server", "meinheld", "--host", "::"], "--behind-proxy"),
        (["and", "more"], "more"),
        (["--prot=1"], "unrecognized arguments: --prot=1; did you mean --port?"),
        (["--model_capacity", "3"], "did you mean --model-capacity?"),
        (["--Watch"], "did you mean --watch?"),
    ],
)
def test_wrong_flags(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
):
    with pytest.raises(SystemExit) as caught:
        main([str(tmp_path), *arguments])
    assert caught.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("torch-serving: ")
    assert words in output.err
    assert output.err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing", "no such folder or file: {root}/missing"),
        ("model", "no such folder or file: {root}/model; did you mean {root}/models?"),
        ("n.pt", "no such folder or file: {root}/n.pt; did you mean {root}/m.pt?"),
    ],
)
def test_a_root_that_is_no_folder(
    tmp_path: Path, start: Callable[..., Process], name: str, words: str
):
    (tmp_path / "m.pt").write_bytes(b"")
    (tmp_path / "models").mkdir()
    process = start(tmp_path / name)
    assert process.exit_code() == 2
    check_one_line(process, words.format(root=tmp_path))


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--version", f"torch-serving {torch_serving.__version__} (torch {version('torch')})\n"),
        ("--help", "MODEL_ROOT"),
        ("-V", f"torch-serving {torch_serving.__version__} (torch {version('torch')})\n"),
        ("version", f"torch-serving {torch_serving.__version__} (torch {version('torch')})\n"),
        ("-h", "TORCH_SERVING_MAX_BODY"),
        ("help", "  torch-serving run MODEL --data @BODY      one request, without a server\n"),
    ],
)
def test_flags_that_only_print(start: Callable[..., Process], flag: str, words: str):
    process = start(flag)
    assert process.exit_code() == 0
    assert words in process.stdout
    assert process.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["help", "serve"], "usage: torch-serving [-h]"),
        (["serve", "--help"], "usage: torch-serving [-h]"),
        (["help", "inspect"], "usage: torch-serving inspect"),
        (["help", "run"], "usage: torch-serving run"),
        (["help", "help"], "usage: torch-serving [-h]"),
        (["help", "--help"], "usage: torch-serving [-h]"),
    ],
)
def test_help_of_commands(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["inspct", "m.pt"], "no such command, folder or file: inspct; did you mean inspect?"),
        (["server"], "no such command, folder or file: server; did you mean serve?"),
        (["verison"], "did you mean version?"),
        (["help", "exmaple"], "no such command: exmaple; did you mean example?"),
        (["help", "nothing"], "no such command: nothing; torch-serving help lists them"),
    ],
)
def test_commands_that_are_misspelt(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "root"),
    [
        ([], "."),
        (["serve"], "."),
        (["serve", "models"], "models"),
        (["serve", "-p", "0"], "."),
        (["./serve"], "./serve"),
        (["serve", "serve"], "serve"),
    ],
)
def test_serve_is_a_word_and_may_be_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], root: str
):
    for name in ("serve", "models"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    served: list[Config] = []
    monkeypatch.setattr("torch_serving.cli.serving.serve", lambda config, _: served.append(config))
    monkeypatch.setattr("torch_serving.cli.main.end", lambda _: None)
    with suppress(SystemExit):
        main(arguments)
    assert [config.model_root for config in served] == [Path(root)]


def test_help_names_each_flag_with_its_default(start: Callable[..., Process]):
    process = start("--help")
    process.exit_code()
    flags = "port host server behind-proxy model-capacity buffer-size threads device use-gpu"
    models = "model-memory preload batch max-batch workers intra-op-threads"
    limits = "max-body header-timeout body-timeout shutdown-timeout log-level"
    text = " ".join(process.stdout.split())
    assert [flag for flag in f"{flags} {models} {limits}".split() if f"--{flag} " not in text] == []
    for default in ("8888", "127.0.0.1", "256MiB", "uvicorn"):
        assert f"(default: {default})" in text


def test_no_console_means_that_it_is_off(tmp_path: Path):
    assert parse([str(tmp_path), "--no-console"], {}).console == "off"
    assert parse([str(tmp_path), "--no-console", "--console", "on"], {}).console == "off"
    assert parse([str(tmp_path)], {"TORCH_SERVING_NO_CONSOLE": "1"}).console == "off"
    assert parse([str(tmp_path)], {"TORCH_SERVING_CONSOLE": "on"}).console == "on"


def test_use_gpu_means_cuda(tmp_path: Path):
    assert parse([str(tmp_path), "--use-gpu"], {}).device == "cuda"
    assert parse([str(tmp_path), "--use-gpu", "--device", "cuda:1"], {}).device == "cuda:1"
    assert parse([str(tmp_path)], {"TORCH_SERVING_USE_GPU": "1"}).device == "cuda"


def test_the_command_is_installed():
    command = Path(sys.executable).with_name("torch-serving")
    output = subprocess.run([command, "--version"], check=True, capture_output=True, text=True)
    assert output.stdout.startswith(f"torch-serving {torch_serving.__version__} ")
