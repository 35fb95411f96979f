"""What files beside a model say: settings, and requests to warm it up with."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import torch

from tests.support.client import Client, tensor
from tests.support.process import Process
from tests.support.servables import mlp, scripted
from torch_serving.engine.batcher import ON
from torch_serving.errors import InvalidServable
from torch_serving.model_config import ModelConfig, WarmUp
from torch_serving.models.backends.torchscript.program import TorchScriptProgram
from torch_serving.models.files import MAX_READ_BYTES
from torch_serving.models.loader import load
from torch_serving.models.settings import read_model_config

CPU = torch.device("cpu")
BODY = json.dumps([tensor([1, 2], [1.0, 2.0])])
GOOD = "return x * 2"


def read(folder: Path, toml: str = "", warm_up: str | None = None) -> ModelConfig:
    (folder / "m.toml").write_text(toml)
    if warm_up is not None:
        (folder / "m.warmup.json").write_text(warm_up)
    return read_model_config(folder / "m.pt", ModelConfig(max_batch=7))


def test_without_files_the_defaults_hold(tmp_path: Path):
    assert read_model_config(tmp_path / "m.pt", ModelConfig(max_batch=7)) == ModelConfig(
        max_batch=7
    )
    assert read(tmp_path) == ModelConfig(max_batch=7)


def test_all_settings(tmp_path: Path):
    text = 'device = "cpu"\nbatch = true\nmax_batch = 16\nfreeze = true\noptimize = false\n'
    config = ModelConfig("cpu", True, 16, freeze=True, optimize=False)
    assert read(tmp_path, text) == config
    text += "stateful = false\ngrad = true\n"
    assert read(tmp_path, text) == replace(config, stateful=False, grad=True)


@pytest.mark.parametrize(
    ("toml", "bodies"),
    [
        ("warmup = ['[1]', '{\"x\": 2}']", [b"[1]", b'{"x": 2}']),
        ("warmup = [[1, 2], {x = 2, s = 'a'}]", [b"[1, 2]", b'{"x": 2, "s": "a"}']),
        ("[[warmup]]\nx = 1\n[[warmup]]\nx = 2", [b'{"x": 1}', b'{"x": 2}']),
        ("warmup = []", []),
    ],
)
def test_requests_in_the_settings(tmp_path: Path, toml: str, bodies: list[bytes]):
    warm_ups = read(tmp_path, f"# a comment\n{toml}").warmup
    assert list(warm_ups) == [WarmUp("m.toml line 2", body) for body in bodies]


@pytest.mark.parametrize(
    ("text", "warm_ups"),
    [
        ("[1]", [("m.warmup.json", b"[1]")]),
        ("[\n  1,\n  2\n]\n", [("m.warmup.json", b"[\n  1,\n  2\n]\n")]),
        ("[1]\n\n[2]\n", [("m.warmup.json line 1", b"[1]"), ("m.warmup.json line 3", b"[2]")]),
        ("[" * 3000, [("m.warmup.json line 1", b"[" * 3000)]),
        ("", []),
    ],
)
def test_requests_in_a_file(tmp_path: Path, text: str, warm_ups: list[tuple[str, bytes]]):
    assert list(read(tmp_path, warm_up=text).warmup) == [WarmUp(*each) for each in warm_ups]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("batch = true\nbach = true", "m.toml line 2: unknown key `bach`; known are device, batch"),
        ("[limits]\nx = 1", "m.toml line 1: unknown key `limits`"),
        ("\n\nbatch = 1", "m.toml line 3: `batch`: expected true or false, got 1"),
        ("max_batch = true", "m.toml line 1: `max_batch`: expected a whole number, got True"),
        ("max_batch = '8'", "m.toml line 1: `max_batch`: expected a whole number, got '8'"),
        ("max_batch = 1", "m.toml line 1: `max_batch`: expected 2 to 65536, got 1"),
        ("max_batch = 100000", "m.toml line 1: `max_batch`: expected 2 to 65536"),
        ("device = 1", "m.toml line 1: `device`: expected a string"),
        ("warmup = 'x'", "m.toml line 1: `warmup`: expected a list of requests"),
        ("batch = \n", "m.toml: Invalid value (at line 1"),
        (f"warmup = {'[' * 3000}{']' * 3000}", "m.toml: nested too deep"),
        (f"[[warmup]]\n{'x.' * 3000}x = 1", "m.toml: nested too deep"),
        (f"max_batch = {'9' * 5000}", "m.toml: Exceeds the limit"),
        ("batch = true\nbatch = true\n", "m.toml: Cannot overwrite a value (at line 2"),
    ],
)
def test_wrong_settings_are_refused_with_file_and_line(tmp_path: Path, text: str, words: str):
    with pytest.raises(InvalidServable) as caught:
        read(tmp_path, text)
    assert caught.value.detail.startswith(words)
    assert str(tmp_path) not in caught.value.detail


def test_a_byte_order_mark_is_passed_over(tmp_path: Path):
    (tmp_path / "m.toml").write_bytes(b"\xef\xbb\xbfmax_batch = 8\n")
    assert read_model_config(tmp_path / "m.pt", ModelConfig()).max_batch == 8


def test_settings_that_are_no_text(tmp_path: Path):
    (tmp_path / "m.toml").write_bytes(b"\xff")
    with pytest.raises(InvalidServable, match=r"m\.toml: it is not UTF-8"):
        read_model_config(tmp_path / "m.pt", ModelConfig())
    (tmp_path / "m.toml").unlink()
    (tmp_path / "m.toml").mkdir()
    with pytest.raises(InvalidServable, match=r"m\.toml: it is no regular file"):
        read_model_config(tmp_path / "m.pt", ModelConfig())


def loaded(folder: Path, module: torch.jit.ScriptModule, **settings: object):
    module.save(folder / "m.pt")
    return load(folder / "m.pt", CPU, ModelConfig(**settings))  # type: ignore[arg-type]


def warm_ups(*bodies: str) -> tuple[WarmUp, ...]:
    return tuple(WarmUp("m.warmup.json line 1", body.encode()) for body in bodies)


@pytest.mark.usefixtures("every_run_is_short")
def test_a_model_that_was_warmed_up_has_run(tmp_path: Path):
    method = loaded(
        tmp_path, scripted("x: Tensor", "Tensor", GOOD), batch=True, warmup=warm_ups(BODY)
    ).method("forward")
    assert method.batcher is not None
    assert method.batcher.state is ON
    assert method.inline.may_run_inline(len(BODY))


@pytest.mark.parametrize(
    ("body", "warm_up", "words"),
    [
        (GOOD, "[", "m.warmup.json line 1: Invalid JSON: byte 1"),
        (GOOD, '["a"]', "m.warmup.json line 1: Invalid Input JSON: /0: expected an envelope"),
        (
            "return x[:, 5]",
            BODY,
            "m.warmup.json line 1: Invalid Input JSON: RuntimeError: select()",
        ),
        ("assert False\n    return x", BODY, "m.warmup.json line 1: Inference failed"),
        ("return x.to_sparse()", BODY, "m.warmup.json line 1: Unsupported result"),
    ],
)
def test_a_warm_up_request_that_fails_is_named(tmp_path: Path, body: str, warm_up: str, words: str):
    with pytest.raises(InvalidServable) as caught:
        loaded(tmp_path, scripted("x: Tensor", "Tensor", body), warmup=warm_ups(warm_up))
    assert caught.value.detail.startswith(words)


MLP_BODY = json.dumps([tensor([2, 16], list(range(32)))])


@pytest.mark.parametrize("optimize", [False, True])
def test_a_frozen_model_gives_the_same_and_weighs_as_much(tmp_path: Path, optimize: bool):
    plain = loaded(tmp_path, mlp())
    frozen = loaded(tmp_path, mlp(), freeze=True, optimize=optimize, warmup=warm_ups(MLP_BODY))
    assert not list(cast(TorchScriptProgram, frozen.program).module.parameters())
    assert frozen.bytes() == plain.bytes() > 0
    shapes, frozen_shapes = (
        [(each.shape, each.dtype) for each in servable.program.parameters()]
        for servable in (plain, frozen)
    )
    assert frozen_shapes == shapes
    results = [
        servable.method("forward").run(servable.method("forward").decode(MLP_BODY.encode()))
        for servable in (plain, frozen)
    ]
    torch.testing.assert_close(*results)


class Counting(torch.nn.Module):
    """Freezing would fold what changes with each call into a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.count += 1
        return x + self.count


def test_a_model_that_freezing_changes_is_served_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    servable = loaded(
        tmp_path, torch.jit.script(Counting().eval()), freeze=True, warmup=warm_ups(BODY)
    )
    assert servable.program.state
    assert "m.pt: served as it is, not frozen: " in caplog.text


@pytest.mark.filterwarnings("ignore")
def test_packed_weights_weigh(tmp_path: Path):
    linear = torch.nn.Sequential(torch.nn.Linear(64, 32))
    module = torch.ao.quantization.quantize_dynamic(linear, {torch.nn.Linear})
    assert loaded(tmp_path, torch.jit.script(module.eval())).bytes() >= 64 * 32


def test_freezing_is_checked_with_a_request(tmp_path: Path):
    with pytest.raises(InvalidServable, match=r"m\.toml: `freeze` and `optimize` are checked with"):
        loaded(tmp_path, mlp(), freeze=True)


def test_settings_over_http(tmp_path: Path, start: Callable[..., Process]):
    root = tmp_path / "root"
    root.mkdir()
    for name in ("good", "wrong", "nowhere"):
        scripted("x: Tensor", "Tensor", GOOD).save(root / f"{name}.pt")
    (root / "good.toml").write_text('device = "cpu"\nbatch = true\n')
    (root / "good.warmup.json").write_text(BODY)
    (root / "wrong.toml").write_text("batch = 3\n")
    (root / "nowhere.toml").write_text('device = "cuda:99"\n')
    url = start(root, "--port", "0", "--preload", "good.pt").url
    with Client(url, secrets=[str(tmp_path)]) as client:
        assert client.post("good.pt", BODY.encode()).result["value"] == [2.0, 4.0]
        response = client.post("wrong.pt", BODY.encode())
        assert response.status == 400
        assert "`wrong.pt`: wrong.toml line 1: `batch`" in response.document["detail"]
        response = client.post("nowhere.pt", BODY.encode())
        assert response.status == 400
        assert (
            "`nowhere.pt`: nowhere.toml line 1: `cuda:99` is not a device"
            in response.document["detail"]
        )
        (root / "wrong.toml").unlink()  # the error is not remembered
        assert client.post("wrong.pt", BODY.encode()).status == 200


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("none*.pt", "--preload none*.pt: no such model below"),
        ("w*", "wrong.toml line 1"),
        ("wrong", "wrong.toml line 1"),
        ("worng.pt", "; did you mean `wrong.pt`?"),
    ],
)
def test_what_can_not_be_preloaded_ends_the_start(
    tmp_path: Path, start: Callable[..., Process], pattern: str, words: str
):
    mlp().save(tmp_path / "wrong.pt")
    (tmp_path / "wrong.toml").write_text("batch = 3\n")
    process = start(tmp_path, "--port", "0", "--preload", pattern)
    assert process.exit_code() == 2
    assert words in process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize("name", ["model.toml", "model.warmup.json"])
def test_what_is_no_file_or_too_large_is_not_read(tmp_path: Path, name: str):
    os.mkfifo(tmp_path / name)
    with pytest.raises(InvalidServable, match=f"{name}: it is no regular file"):
        read_model_config(tmp_path / "model.pt", ModelConfig())
    (tmp_path / name).unlink()
    with (tmp_path / name).open("wb") as file:
        file.truncate(MAX_READ_BYTES + 1)
    with pytest.raises(InvalidServable, match=f"{name}: it has more than 64 MiB"):
        read_model_config(tmp_path / "model.pt", ModelConfig())


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("bach = true", "batch"),
        ("max-batch = 4", "max_batch"),
        ("[inputs.x]\nshape = [1]", "input"),
        ("[input.x]\nshapes = [1]", "shape"),
        ("[method.encode.inputs.x]\nshape = [1]", "input"),
    ],
)
def test_the_key_that_was_meant(tmp_path: Path, text: str, meant: str):
    with pytest.raises(InvalidServable) as caught:
        read(tmp_path, text)
    assert caught.value.detail.endswith(f"; did you mean `{meant}`?")
