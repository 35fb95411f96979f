"""Commands about one model file: `inspect` and `run`."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.support.described import Impossible, Several, described
from tests.support.process import Process
from tests.support.servables import mlp
from tests.support.typed_models import save_in_a_process
from torch_serving.cli.example_text import ADDRESS
from torch_serving.cli.inspect import may_use, silent_stderr
from torch_serving.engine.engine import Engine
from torch_serving.model_config import ModelConfig
from torch_serving.models.loader import load

CPU = torch.device("cpu")
MODULE = f"{sys.executable} -W ignore -m torch_serving"

Command = Callable[..., tuple[int, bytes, bytes]]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("commands")
    save_in_a_process(folder, "save_box")
    (folder / "of several").mkdir()
    mlp().save(folder / "mlp.pt")
    for name, module in (("ids", torch.nn.Embedding(9, 2)), ("wide", torch.nn.Linear(1000, 2))):
        torch.jit.script(module).save(folder / f"{name}.pt")
    for module in (Several(), Impossible()):
        torch.jit.script(module.eval()).save(folder / f"{type(module).__name__}.pt")
    (folder / "broken.pt").write_bytes(b"no model")
    return folder


def as_a_process(*arguments: str | Path, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    words = [sys.executable, "-W", "ignore", "-m", "torch_serving", *map(str, arguments)]
    done = subprocess.run(words, input=stdin, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def check_document(root: Path, result: tuple[int, bytes, bytes]) -> None:
    code, out, err = result
    assert (code, err) == (0, b"")
    document = json.loads(out)
    assert document.pop("file_bytes") == (root / "Several.pt").stat().st_size
    assert document == described(root / "Several.pt")[1]


def test_nobody_reads_the_output(root: Path):
    """As with `| head`: no traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-W", "ignore", "-m", "torch_serving", "inspect", root / "mlp.pt"]
    with open(writer, "wb") as output:
        done = subprocess.run(words, stdout=output, stderr=subprocess.PIPE, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_full_disk():
    words = [sys.executable, "-m", "torch_serving", "haproxy", "--node", "a:1"]
    with open("/dev/full", "wb") as output:
        done = subprocess.run(words, stdout=output, stderr=subprocess.PIPE, timeout=60, check=False)
    expected = b"torch-serving: the output can't be written: No space left on device"
    assert (done.returncode, done.stderr.splitlines()[-1:]) == (1, [expected])
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("encoding", "closing", "expected"),
    [("ascii", "", b"N[,N\\u2026]"), ("utf-8", "", "N[,N…]".encode()), ("ascii", ">&-", b"")],
)
def test_any_output_will_do(encoding: str, closing: str, expected: bytes):
    command = f"PYTHONUTF8=0 PYTHONIOENCODING={encoding} {MODULE} bench --help {closing}"
    done = subprocess.run(command, shell=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert expected in done.stdout


def test_inspect(root: Path, command: Command):
    check_document(root, command("inspect", root / "Several.pt", "--json"))

    code, out, err = command("inspect", root / "Several.pt")
    assert (code, err) == (0, b"")
    lines = out.decode().splitlines()
    assert lines[0].startswith("Several.pt: ")
    assert "16 parameters (float32), device cpu" in lines[0]
    assert lines[1] == "may use: graphs (on a card)"
    assert "  by    float   default 0.5" in lines
    examples = [line.partition("example: ")[2] for line in lines if "example: " in line]
    servable = load(root / "Several.pt", CPU)
    for method, example in zip(("forward", "scaled"), examples, strict=True):
        Engine(1).run(servable.method(method), example.encode())


def body_and_output(root: Path) -> tuple[bytes, bytes]:
    """A request for Several.pt, and what `run` writes for it."""
    body = json.dumps(described(root / "Several.pt")[1]["methods"]["forward"]["example"]).encode()
    return body, Engine(1).run(load(root / "Several.pt", CPU).method("forward"), body) + b"\n"


def test_run(root: Path, tmp_path: Path, command: Command):
    body, expected = body_and_output(root)
    file = tmp_path / "body.json"
    file.write_bytes(body)
    model = root / "Several.pt"
    for arguments, stdin in [
        (["--data", f"@{file}"], b""),
        (["--data", body.decode()], b""),
        (["--data", "@-"], body),
    ]:
        assert command("run", model, *arguments, stdin=stdin) == (0, expected, b"")


def test_run_without_envelopes(root: Path, command: Command):
    body = json.dumps({"x": [[1] * 16]})
    code, out, err = command("run", root / "mlp.pt", "--data", body, "--plain")
    assert (code, err) == (0, b"")
    (row,) = json.loads(out)["result"]
    assert len(row) == 4
    enveloped = json.loads(command("run", root / "mlp.pt", "--data", body)[1])
    assert enveloped["result"]["value"] == row


@pytest.mark.server
def test_commands_as_processes(root: Path):
    """Nothing comes out but what they write themselves."""
    body, expected = body_and_output(root)
    model = root / "Several.pt"
    check_document(root, as_a_process("inspect", model, "--json"))
    assert as_a_process("run", model, stdin=body) == (0, expected, b"")
    code, out, err = as_a_process("run", root / "broken.pt", stdin=body)
    assert (code, out) == (2, b"")
    assert err.startswith(b"torch-serving: ")
    assert err.count(b"\n") == 1


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "words"),
    [
        (["mlp.pt", "--data", "[1]"], b"", 1, "Invalid Input JSON"),
        (["mlp.pt"], b"", 1, "Empty body"),
        (["mlp.pt", "--method", "none"], b"[]", 1, "Invalid parameter"),
        (["Impossible.pt"], b'{"x": 1}', 1, "Incompatible tensor shapes"),
        (["nothing.pt"], b"[]", 2, "no such file"),
        (["../mlp.pt"], b"[]", 2, "/mlp.pt?"),
        (["."], b"[]", 2, "is a folder; name one model file in it"),
        (["mlp.pt", "--data", "@nothing.json"], b"", 2, "nothing.json"),
        (["broken.pt"], b"[]", 2, "not a TorchScript archive"),
        (["mlp.pt", "--device", "warp"], b"[]", 2, "warp"),
    ],
)
def test_exit_codes(
    root: Path, command: Command, arguments: list, stdin: bytes, code: int, words: str
):
    ended, out, err = command("run", root / arguments[0], *arguments[1:], stdin=stdin)
    assert ended == code
    assert b"Traceback (most" not in out + err
    if code == 1:
        document = json.loads(out)
        assert document["description"] == words
        assert err == b""
    else:
        assert out == b""
        assert words in err.decode()


def test_inspect_of_what_is_no_model(root: Path, command: Command):
    for name in ("nothing.pt", "broken.pt", "of several", "box.pt"):
        code, out, err = command("inspect", root / name)
        assert (code, out) == (2, b"")
        assert name in err.decode()
        assert b"Traceback" not in err


def test_a_model_is_loaded_as_its_toml_file_says(tmp_path: Path, command: Command):
    model = tmp_path / "mlp.pt"
    (tmp_path / "mlp.toml").write_text("bach = true")
    mlp().save(model)
    code, out, err = command("inspect", model)
    assert (code, out) == (2, b"")
    assert b"mlp.toml line 1: unknown key `bach`" in err

    (tmp_path / "mlp.toml").write_text("batch = true\nmax_batch = 16")
    code, out, _ = command("inspect", model, "--json")
    assert code == 0
    method = json.loads(out)["methods"]["forward"]
    assert method["batching"]["max_batch"] == 16


def test_a_link_to_a_model(root: Path, tmp_path: Path, command: Command):
    (tmp_path / "linked").symlink_to(root / "mlp.pt")
    code, out, err = command("inspect", tmp_path / "linked")
    assert (code, err) == (0, b"")
    assert out.startswith(b"linked: ")


def test_inspect_prints_a_command_that_works(
    root: Path, command: Command, start: Callable[..., Process]
):
    url = start(root, "--port", "0").url
    for model in ("mlp.pt", "Several.pt", "wide.pt", "ids.pt"):
        code, out, _ = command("inspect", root / model)
        assert code == 0
        lines = [line.strip() for line in out.decode().splitlines()]
        commands = [line for line in lines if "curl " in line]
        assert len(commands) == sum(line.startswith("example: ") for line in lines)
        for each in commands:
            text = each.replace(ADDRESS, url).replace("torch-serving", MODULE)
            done = subprocess.run(["sh", "-c", f"{text} --silent --fail"], capture_output=True)
            assert (done.returncode, b'"code": 200' in done.stdout) == (0, True), each


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("mlp.pt", 'example: {"x": [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]]}'),
        ("ids.pt", '"value": [0, 0, 0, 0], "data_type": "int64"}'),
        ("wide.pt", '"shape": [1, 1000], "value": [0, 0, 0, …], "data_type": "float32"}'),
    ],
)
def test_examples_are_plain_where_they_can_be_and_never_long(
    root: Path, command: Command, model: str, words: str
):
    _, out, _ = command("inspect", root / model)
    assert words in out.decode()
    assert max(map(len, out.decode().splitlines())) < 500


def test_only_the_example(root: Path, command: Command):
    code, out, _ = command("inspect", root / "Several.pt", "--example", "scaled")
    assert code == 0
    Engine(1).run(load(root / "Several.pt", CPU).method("scaled"), out)
    code, out, err = command("inspect", root / "Several.pt", "--example", "scald")
    assert (code, out) == (2, b"")
    assert b"no such method: scald; did you mean scaled?" in err
    code, _, err = command("inspect", root / "Impossible.pt", "--example")
    assert code == 2
    assert b"no request was found that works" in err


def test_inspect_says_what_can_be_declared(root: Path, command: Command):
    _, out, _ = command("inspect", root / "Impossible.pt")
    assert b"can be declared in Impossible.toml: input.x = {" in out
    assert b"can be declared" not in command("inspect", root / "mlp.pt")[1]


def test_libraries_that_write_while_requests_are_tried(capfd: pytest.CaptureFixture[str]):
    with silent_stderr():
        os.write(2, b"Error: unmatched dim value\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_inspect_says_what_a_model_may_use():
    config = ModelConfig(tf32=True, freeze=True)
    assert may_use(config, "cuda", 8) == "batch (max_batch 8), graphs, tf32, freeze"
    on_cpu = "batch (max_batch 8), graphs (on a card), tf32 (on a card), freeze"
    assert may_use(config, "cpu", 8) == on_cpu
