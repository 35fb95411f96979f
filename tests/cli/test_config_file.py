"""--config and --print-config: a file with the settings of a server."""

from pathlib import Path

import pytest

from torch_serving.cli.main import main
from torch_serving.cli.options import OPTIONS
from torch_serving.cli.settings import parse
from torch_serving.config import Config

FILE = """
# comments are welcome
port = 9000
workers = "auto"
threads = 3
max-body = "2MiB"
body-rate = 0
queue-timeout = 1.5
log-level = "WARNING"
watch = true
no-trial-load = true
jit-fusion = false
jit-profiling = "off"
preload = ["a.pt", "b,c*"]
cors-origin = "*"
api-key-file = "keys"
tls-cert = "/etc/c.pem"
tls-key = "/etc/k.pem"
model-root = "models"
gpu-memory = "40%"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


def write(folder: Path, text: str) -> list[str]:
    (folder / "server.toml").write_text(text)
    return ["--config", str(folder / "server.toml")]


def test_a_remote_root_stays_as_it_is_written(tmp_path: Path):
    file = tmp_path / "server.toml"
    file.write_text('model-root = "s3://bucket/folder"\nremote-cache = "cache"\n')
    config = parse(["--config", str(file)], {})
    assert (config.model_root, config.remote_cache) == ("s3://bucket/folder", tmp_path / "cache")


def test_values_of_all_kinds(folder: Path):
    assert parse(write(folder, FILE), {}) == Config(
        port=9000,
        workers=None,
        threads=3,
        max_body_bytes=2 << 20,
        body_rate=0,
        queue_timeout_s=1.5,
        log_level="warning",
        watch=True,
        trial_load=False,
        jit_fusion=False,
        jit_profiling=False,
        preload=("a.pt", "b,c*"),
        cors_origins=("*",),
        api_key_file=folder / "keys",
        tls_cert=Path("/etc/c.pem"),
        tls_key=Path("/etc/k.pem"),
        model_root=folder / "models",
        gpu_memory=0.4,
    )


def test_flags_win_over_variables_and_those_over_the_file(folder: Path):
    file = write(folder, 'port = 1\nthreads = 1\nqueue = 1\nwatch = true\npreload = ["a"]')
    environment = {
        "TORCH_SERVING_PORT": "2",
        "TORCH_SERVING_THREADS": "2",
        "TORCH_SERVING_WATCH": "0",
        "TORCH_SERVING_PRELOAD": "b",
    }
    config = parse([*file, "--port", "3", "--preload", "c"], environment)
    assert (config.port, config.threads, config.queue, config.watch) == (3, 2, 1, False)
    assert config.preload == ("a", "b", "c")
    assert parse(file, {"PORT": "4"}).port == 4


def test_the_file_may_be_named_by_a_variable(folder: Path):
    (file,) = write(folder, "port = 9000")[1:]
    assert parse([], {"TORCH_SERVING_CONFIG": file}).port == 9000
    (folder / "other.toml").write_text("port = 9001")
    other = ["--config", str(folder / "other.toml")]
    assert parse(other, {"TORCH_SERVING_CONFIG": file}).port == 9001


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\nprot = 1", "server.toml line 2: unknown key `prot`; did you mean port?"),
        (
            "model_capacity = 1",
            "line 1: unknown key `model_capacity`; did you mean model-capacity?",
        ),
        ("[network]\nport = 1", "line 1: unknown key `network`"),
        ("port = 99999", "line 1: `port`: expected 0 to 65535"),
        ("port = true", "line 1: `port`: expected a whole number, got 'true'"),
        ("port = [1]", "line 1: `port`: expected one value, got a list"),
        ("device = {}", "line 1: `device`: expected one value, got a table"),
        ("host = 1979-05-27", "line 1: `host`: expected one value, got 1979-05-27"),
        ("watch = 2", "line 1: `watch`: expected 0 or 1, got '2'"),
        ("preload = [[]]", "line 1: `preload`: expected one value"),
        ('log-level = "warn"', "`log-level`: expected one of"),
        ("port = ", "server.toml: "),
        ("config = 1", "unknown key `config`"),
        (f"port = {'[' * 3000}", "server.toml: nested too deep"),
        (f"port = {'9' * 5000}", "server.toml: Exceeds the limit"),
        ("queue = 99999999999", "line 1: `queue`: expected at most 2147483647"),
    ],
)
def test_mistakes_are_told_with_their_line(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
):
    with pytest.raises(SystemExit) as caught:
        parse(write(folder, text), {})
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_a_byte_order_mark_is_passed_over(folder: Path):
    assert parse(write(folder, "\ufeffport = 81"), {}).port == 81


def test_a_file_that_is_not_there_or_no_text(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "bytes.toml").write_bytes(b"\xff")
    for name, words in [("none", "No such file"), ("bytes", "not UTF-8"), (".", "Is a directory")]:
        path = folder / (f"{name}.toml" if name != "." else name)
        with pytest.raises(SystemExit):
            parse(["--config", str(path)], {})
        assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--use-gpu", "--workers", "auto", "--gpu-memory", "8GiB"],
        ["--gpu-memory", "0.25", "--header-timeout", "0.5", "--request-timeout", "12345678"],
        ["--preload", 'a "quoted" name.pt', "--preload", "ü,\\n.pt", "--host", "::1"],
        ["--no-trial-load", "--watch", "--tf32", "on", "--jit-fusion", "off", "--body-rate", "0"],
        ["--tls-cert", "c.pem", "--tls-key", "k.pem", "--api-key-file", "keys"],
        ["--uds", "server.sock", "--root-path", "/models"],
    ],
)
def test_what_is_printed_gives_the_same_configuration(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
):
    expected = parse([str(folder / "models"), *arguments], {})
    with pytest.raises(SystemExit) as caught:
        main([str(folder / "models"), *arguments, "--print-config"])
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    again = parse(write(folder, printed), {})
    for name in ("api_key_file", "tls_cert", "tls_key", "uds"):
        if path := getattr(expected, name):
            object.__setattr__(expected, name, path.absolute())
    assert again == expected


def test_it_is_said_where_each_value_comes_from(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TORCH_SERVING_THREADS", "2")
    monkeypatch.setenv("TORCH_SERVING_TREADS", "2")
    file = write(folder, 'preload = ["a"]\nqueue = 1')
    with pytest.raises(SystemExit):
        main([str(folder / "models"), *file, "--port", "0", "--preload", "b", "--print-config"])
    out, err = capsys.readouterr()
    lines = {" ".join(line.split()) for line in out.splitlines()}
    assert f'preload = ["a", "b"] # {folder}/server.toml line 1, --preload' in lines
    assert f"queue = 1 # {folder}/server.toml line 2" in lines
    assert "threads = 2 # TORCH_SERVING_THREADS" in lines
    assert "port = 0 # --port" in lines
    assert 'max-body = "256MiB" # default' in lines
    assert "# api-key-file is not set" in lines
    assert err.count("\n") == 1
    assert "TORCH_SERVING_TREADS is no setting; did you mean TORCH_SERVING_THREADS?" in err


def test_each_option_has_a_key_of_its_own():
    keys = [option.key for option in OPTIONS]
    assert len(set(keys)) == len(keys)
