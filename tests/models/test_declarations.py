"""Types and shapes of arguments that a model's TOML file declares, and mistakes in them."""

from pathlib import Path

import pytest
import torch

from tests.support.loaded import CPU
from tests.support.servables import scripted
from torch_serving.codecs.constraints import (
    UndeclarableError,
    with_constraint,
    with_weights_type,
)
from torch_serving.codecs.json._decoder import Argument, TypeSpec
from torch_serving.codecs.signature import Signature
from torch_serving.errors import InvalidServable
from torch_serving.model_config import DeclaredTensor, ModelConfig
from torch_serving.models.backends.torchscript.program import TorchScriptProgram
from torch_serving.models.loader import load
from torch_serving.models.servable import Servable
from torch_serving.models.settings import read_model_config
from torch_serving.tensor_constraint import Dimension, TensorConstraint

ARGUMENTS = (
    "ids: Tensor, images: List[Tensor], d: Dict[str, Tensor], t: Tuple[Tensor, int], n: int, "
    "deep: Dict[str, List[Tensor]], o: Optional[Tensor] = None"
)
N = Dimension(symbol="n")


def read(folder: Path, toml: str) -> ModelConfig:
    (folder / "m.toml").write_text(toml)
    return read_model_config(folder / "m.pt", ModelConfig())


@pytest.mark.parametrize(
    ("toml", "line", "path", "constraint"),
    [
        ('[input.ids]\ndata_type = "int64"', 1, "ids", TensorConstraint("int64")),
        ("# x\n[input.ids]\nshape = []", 2, "ids", TensorConstraint("", ())),
        (
            '[input.ids]\nshape = [-1, "n", 4]',
            1,
            "ids",
            TensorConstraint("", (Dimension(), N, Dimension(4, 4))),
        ),
        (
            '[input.ids]\nshape = [{min = 1, max = 64}, {name = "n", min = 2}]',
            1,
            "ids",
            TensorConstraint("", (Dimension(1, 64), Dimension(2, None, "n"))),
        ),
        ('[input."d.a"]\ndata_type = "bool"', 1, "d.a", TensorConstraint("bool")),
        ('[input.d.a]\ndata_type = "bool"', 1, "d.a", TensorConstraint("bool")),
        ('input.ids.data_type = "half"'.replace("half", "float16"), 1, "ids",
         TensorConstraint("float16")),
        ('batch = true\n[input]\nids = {data_type = "int8"}', 3, "ids", TensorConstraint("int8")),
        # not words of the file that only look like keys
        ('# input.ids\n[input.ids]\ndata_type = "int8"', 2, "ids", TensorConstraint("int8")),
    ],
)  # fmt: skip
def test_declared_tensors(
    tmp_path: Path, toml: str, line: int, path: str, constraint: TensorConstraint
):
    config = read(tmp_path, toml)
    assert config.input == (DeclaredTensor(f"m.toml line {line}", "", path, constraint),)
    other = read(tmp_path, toml.replace("[input", "[method.encode.input"))
    if other.method:
        declared = DeclaredTensor(f"m.toml line {line}", "encode", path, constraint)
        assert other.method == (declared,)


def test_several_tensors_and_methods(tmp_path: Path):
    config = read(
        tmp_path,
        '[input.a]\nshape = [1]\n[input.b]\nshape = [2]\n[method.e.input.x]\ndata_type = "int8"\n',
    )
    assert [(each.path, each.source) for each in config.input] == [
        ("a", "m.toml line 1"),
        ("b", "m.toml line 3"),
    ]
    assert [(each.method, each.path) for each in config.method] == [("e", "x")]
    assert config.declared("forward", True) == list(config.input)
    assert config.declared("e", False) == list(config.method)


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("input = 3", "m.toml line 1: `input`: expected a table for each tensor, got 3"),
        ("[input]\nids = 3", "m.toml line 2: `input.ids`: expected a table, got 3"),
        ("[input.ids]", "m.toml line 1: `input.ids`: expected data_type or shape"),
        (
            '[input.ids]\ndtype = "int64"',
            "m.toml line 2: `input.ids.dtype`: unknown key; known are data_type, shape",
        ),
        (
            '[input.ids]\nshape = [1]\ndata_type = "long"',
            "m.toml line 3: `input.ids.data_type`: expected one of bool, uint8, ",
        ),
        (
            "[input.a]\nshape = [1]\n[input.b]\nshape = 4",
            "m.toml line 4: `input.b.shape`: expected a list of at most 32 dimensions, got 4",
        ),
        ("[input.ids]\nshape = [-2]", "m.toml line 2: `input.ids.shape`: a dimension is a size, "),
        ("[input.ids]\nshape = [1.5]", "m.toml line 2: `input.ids.shape`: a dimension is a size, "),
        ("[input.ids]\nshape = [true]", "m.toml line 2: `input.ids.shape`: a dimension is a size,"),
        ("[input.ids]\nshape = ['a b']", "m.toml line 2: `input.ids.shape`: the name of a dimens"),
        ("[input.ids]\nshape = ['']", "m.toml line 2: `input.ids.shape`: the name of a dimension"),
        ("[input.ids]\nshape = [{min=3,max=2}]", "m.toml line 2: `input.ids.shape`: a dimension"),
        ("[input.ids]\nshape = [{least=3}]", "m.toml line 2: `input.ids.shape`: a dimension is "),
        ("[input.ids]\nshape = [{}]", "m.toml line 2: `input.ids.shape`: a dimension is a size, "),
        (
            "[method.encode.output.x]\nshape = []",
            "m.toml line 1: `method.encode.output`: unknown key; known is input",
        ),
        ("method = 1", "m.toml line 1: `method`: expected a table for each method, got 1"),
        ("[method]\nencode = 1", "m.toml line 2: `method.encode`: expected a table, got 1"),
    ],
)
def test_mistakes_are_told_with_file_and_line(tmp_path: Path, toml: str, words: str):
    with pytest.raises(InvalidServable) as caught:
        read(tmp_path, toml)
    assert caught.value.detail.startswith(words)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        (
            "idz",
            "there is no argument `idz`; known tensors are ids, images.*, d.*, t.0, deep.*.*, o",
        ),
        ("n", "`n` is of type int, and no tensor"),
        ("images", "`images` is of type List[Tensor], and no tensor"),
        ("images.0", "`images.0`: all elements of a list are `images.*`"),
        ("t.1", "`t.1` is of type int, and no tensor"),
        ("t.2", "`t` has no part `2`: it has 0, 1"),
        ("ids.x", "`ids` has no part `x`: it is of type Tensor"),
        ("deep.x", "`deep.x` is of type List[Tensor], and no tensor"),
    ],
)  # fmt: skip
def test_what_the_schema_contradicts(tmp_path: Path, path: str, problem: str):
    with pytest.raises(InvalidServable) as caught:
        load_with(tmp_path, f'[input."{path}"]\ndata_type = "int8"')
    assert caught.value.detail == f"m.toml line 1: {problem}"


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        (
            '[method.encod.input.x]\ndata_type = "int8"',
            "m.toml line 1: there is no method `encod`; known are forward",
        ),
        (
            '[input.ids]\nshape = []\n[method.forward.input.ids]\ndata_type = "int8"',
            "m.toml line 3: `ids` is declared twice",
        ),
    ],
)
def test_methods_that_the_model_lacks(tmp_path: Path, toml: str, problem: str):
    with pytest.raises(InvalidServable) as caught:
        load_with(tmp_path, toml)
    assert caught.value.detail == problem


def load_with(folder: Path, toml: str) -> None:
    Servable(TorchScriptProgram(scripted(ARGUMENTS, "int", "return n")), CPU, read(folder, toml))


def test_a_backend_may_know_types_and_shapes_itself():
    known = TensorConstraint("int64", (Dimension(1, 64, "b"), Dimension(16, 16)))
    argument = Argument("x", TypeSpec("tensor", "Tensor", constraint=known))
    signature = Signature((argument,), TypeSpec("tensor", "Tensor"))
    assert with_weights_type(signature, "float16").arguments[0].spec.constraint == known._replace(
        weights_type="float16"
    )
    narrower = TensorConstraint(shape=(Dimension(1, 8, "b"), Dimension(16, 16)))
    (declared,) = with_constraint(signature, "x", narrower).arguments
    assert declared.spec.constraint == known._replace(shape=narrower.shape)
    with pytest.raises(UndeclarableError, match="`x` is int64, not float32"):
        with_constraint(signature, "x", TensorConstraint("float32"))


def test_a_frozen_model_takes_plain_numbers_as_before(tmp_path: Path):
    torch.jit.script(torch.nn.Linear(2, 1).bfloat16()).save(tmp_path / "m.pt")
    body = "{ input = [[1, 2]] }"
    config = read(tmp_path, f"freeze = true\nwarmup = [{body}]\n[input.input]\nshape = [-1, 2]")
    method = load(tmp_path / "m.pt", CPU, config).method("forward")
    (x,) = method.decode(b'{"input": [[1, 2]]}')
    assert x.dtype is torch.bfloat16
    assert list(method.run([x]).shape) == [1, 1]


@pytest.mark.parametrize(("value", "ok"), [("[[1, 2]]", True), ("[[1, 2, 3]]", False)])
def test_warm_up_requests_are_as_declared(tmp_path: Path, value: str, ok: bool):
    scripted("x: Tensor", "Tensor", "return x").save(tmp_path / "m.pt")
    toml = f'warmup = [{{ x = {value} }}]\n[input.x]\ndata_type = "int64"\nshape = [-1, 2]'
    config = read(tmp_path, toml)
    if ok:
        assert load(tmp_path / "m.pt", CPU, config)
        return
    with pytest.raises(
        InvalidServable, match=r"m\.toml line 1: Incompatible tensor shapes: /x: exp"
    ):
        load(tmp_path / "m.pt", CPU, config)
