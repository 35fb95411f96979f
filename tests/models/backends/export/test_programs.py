"""Files of torch.export as programs: the same results, and what the server knows of them."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._pytree import tree_leaves

from tests.support.exported import export, save
from tests.support.zoo.export import save_program
from tests.support.zoo.model import ZooModel
from tests.support.zoo.table import ZOO
from torch_serving.errors import InvalidInput, InvalidServable
from torch_serving.model_config import ModelConfig, WarmUp
from torch_serving.models.backends.export import loader
from torch_serving.models.backends.export.archive import contents
from torch_serving.models.backends.export.graph.operators import schema_of
from torch_serving.models.backends.export.program import ExportedProgram
from torch_serving.models.backends.export.python_program import PythonProgram
from torch_serving.models.integrity import open_verified
from torch_serving.models.loader import load

CPU = torch.device("cpu")
SCRIPTED = (
    "encoder", "conv", "shared_weights", "strided_weight", "trained_norm", "cond", "nested_cond",
    "while_loop", "counter", "core_counter", "core_writes_input", "sizes_as_numbers", "lists",
    "item", "no_gradient",
)  # fmt: skip
IN_PYTHON = {"scan": "scan", "map": "map_impl", "autocast": "autocast"}


@pytest.fixture(scope="module")
def file_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The file of a model in the zoo, exported once."""
    folder = tmp_path_factory.mktemp("zoo")
    return lambda name: save_program(ZOO[name], folder / f"{name}.pt2")


def program_in(path: Path) -> Any:
    with open_verified(path, contents.verify) as file:
        return loader.load(file, CPU)


def arguments_of(model: ZooModel, size: int) -> list[Any]:
    inputs = model.arguments(size)
    return [*inputs.positional, *inputs.by_keyword.values()]


def expected_of(path: Path, model: ZooModel, sizes: tuple[int, ...]) -> list[list[Any]]:
    """What torch's own program returns, one size after another."""
    module = torch.export.load(path).module()
    with torch.inference_mode():
        return [tree_leaves(model.arguments(size).call(module)) for size in sizes]


@pytest.mark.parametrize("name", [*SCRIPTED, *IN_PYTHON])
def test_results_are_those_of_torchs_own_program_to_the_bit(
    file_of: Callable[[str], Path], name: str
):
    model, path = ZOO[name], file_of(name)
    sizes = model.sizes * 2  # what is kept shows in the second round
    program = program_in(path)
    method = program.methods()["forward"]
    with torch.inference_mode():
        found = [tree_leaves(method.run(*arguments_of(model, size))) for size in sizes]
    expected = expected_of(path, model, sizes)
    torch.testing.assert_close(found, expected, rtol=0, atol=0, check_stride=True)
    assert isinstance(program, PythonProgram if name in IN_PYTHON else ExportedProgram)


@pytest.mark.parametrize("name", IN_PYTHON)
def test_why_a_program_runs_as_python(file_of: Callable[[str], Path], name: str):
    program = program_in(file_of(name))
    method = program.methods()["forward"]
    assert program.runs.startswith("exported program, in Python: ")
    assert IN_PYTHON[name] in program.runs
    assert not method.bounded_by_shapes
    assert not method.can_be_captured


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("trained_norm", "`norm.running_mean`"),
        ("core_trained_norm", "`norm.num_batches_tracked`"),
        ("counter", "`count`"),
        ("core_counter", "`total`"),
        ("writes_input", ""),
        ("conv", ""),
    ],
)
def test_what_a_program_keeps(file_of: Callable[[str], Path], name: str, state: str):
    assert program_in(file_of(name)).state == state


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("conv", "bounded_by_shapes can_be_captured"),
        ("noise", "bounded_by_shapes can_be_captured draws"),
        ("dropout", "bounded_by_shapes can_be_captured draws"),
        ("cond", "branches_on_values"),
        ("while_loop", "branches_on_values"),
        ("nonzero", ""),
        ("item", ""),
        ("counter", "bounded_by_shapes"),
    ],
)
def test_what_is_known_of_a_run(file_of: Callable[[str], Path], name: str, facts: str):
    method = program_in(file_of(name)).methods()["forward"]
    names = (
        "bounded_by_shapes", "branches_on_values", "can_be_captured", "differentiates", "draws",
        "seeds",
    )  # fmt: skip
    assert {each for each in names if getattr(method, each)} == set(facts.split())


class Tied(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = torch.nn.Linear(256, 256, bias=False)
        self.two = torch.nn.Linear(256, 256, bias=False)
        self.two.weight = self.one.weight
        self.register_buffer("whole", torch.ones(8, dtype=torch.float64))
        self.register_buffer("part", self.get_buffer("whole")[2:6])
        self.register_buffer("unsaved", torch.ones(3), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        whole, part, unsaved = map(self.get_buffer, ("whole", "part", "unsaved"))
        return self.two(self.one(x)) * whole.sum() + part.sum() + unsaved.sum()


def test_weights_that_share_memory_are_there_once(tmp_path: Path):
    path = save(export(Tied(), (torch.ones(1, 256),)), tmp_path / "tied.pt2")
    program = program_in(path)
    weights = list(program.parameters())
    assert {each.data_ptr() for each in weights} == {weights[0].data_ptr()}
    assert weights[0].requires_grad  # torch multiplies in another way where none does
    assert program.plain_dtype == torch.float32
    assert program.weight_bytes == 4 * (256 * 256 + 3) + 8 * 8


def test_loads_in_many_threads(file_of: Callable[[str], Path]):
    names = ["encoder", "scan", "cond", "conv", "map", "counter", "autocast", "lists"]
    files = [file_of(name) for name in names]
    together = threading.Barrier(len(names))

    def run(name: str, path: Path) -> Any:
        together.wait(60)
        for _ in range(3):
            program = program_in(path)
        with torch.inference_mode():
            run = program.methods()["forward"].run
            return tree_leaves(run(*arguments_of(ZOO[name], ZOO[name].sizes[0])))

    with ThreadPoolExecutor(len(names)) as pool:
        results = list(pool.map(run, names, files))
    for name, path, result in zip(names, files, results, strict=True):
        (expected,) = expected_of(path, ZOO[name], ZOO[name].sizes[:1])
        # a busy machine gives a run fewer threads, and a sum of parts has other last bits
        torch.testing.assert_close(result, expected)


class Quantized(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bits, limits = torch.ops.quantized_decomposed, (0.1, 3, -128, 127, torch.int8)
        quantized = bits.quantize_per_tensor.default(x, *limits)
        result: torch.Tensor = bits.dequantize_per_tensor.default(quantized, *limits)
        return result


def test_operators_that_torch_registers_when_it_is_asked(tmp_path: Path):
    """The libraries that it has for quantization are there in no new process."""
    schema_of("quantized_decomposed", "quantize_per_tensor", "default")
    x = torch.linspace(-1, 1, 8)
    program = program_in(save(export(Quantized(), (x,)), tmp_path / "quantized.pt2"))
    assert torch.equal(program.methods()["forward"].run(x), Quantized()(x))


class Inverse(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.inv(x)


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # torch's own
def test_operators_in_an_order_of_their_own(tmp_path: Path):
    """Tokens carry the order, and a check whether it went well."""
    exported = export(Inverse(), (torch.eye(3),)).run_decompositions()
    program = program_in(save(exported, tmp_path / "inverse.pt2"))
    method = program.methods()["forward"]
    x = torch.eye(3) + 0.25
    assert torch.equal(method.run(x), torch.linalg.inv(x))
    with pytest.raises(torch.jit.Error) as error:
        method.run(torch.zeros(3, 3))
    assert "linalg.inv: a matrix is singular" in method.translate(error.value).detail


class Sized(torch.nn.Module):
    def forward(self, count: torch.Tensor) -> torch.Tensor:
        size = count.item()
        torch._check(size >= 1)
        torch._check(size <= 100)
        return torch.ones(size)


def test_numbers_that_a_program_refuses_are_the_requests(tmp_path: Path):
    program = program_in(save(export(Sized(), (torch.tensor(3),)), tmp_path / "sized.pt2"))
    method = program.methods()["forward"]
    assert method.run(torch.tensor(5)).tolist() == [1.0] * 5
    with pytest.raises(torch.jit.Error) as error:
        method.run(torch.tensor(101))
    problem = method.translate(error.value)
    assert isinstance(problem, InvalidInput)
    assert problem.detail.startswith("Runtime assertion failed for expression u0 <= 100")


@pytest.mark.parametrize("key", ["freeze", "optimize"])
def test_programs_are_frozen(
    file_of: Callable[[str], Path], key: str, caplog: pytest.LogCaptureFixture
):
    path, body = file_of("mlp"), f'{{"input": [{[0.5] * 16}]}}'.encode()
    settings: dict[str, Any] = {key: True}
    config = ModelConfig(warmup=(WarmUp("test", body),), **settings)
    servables = [load(path, CPU), load(path, CPU, config)]
    results = [each.main_method().run([torch.full((1, 16), 0.5)]) for each in servables]
    torch.testing.assert_close(results[0], results[1])
    assert "not frozen" not in caplog.text
    assert servables[1].program.weight_bytes == servables[0].program.weight_bytes
    assert [each.device.type for each in servables[1].program.parameters()] == ["meta"] * 4


def test_a_program_that_runs_as_python_is_not_frozen(
    file_of: Callable[[str], Path], caplog: pytest.LogCaptureFixture
):
    body = f'{{"x": [{[0.5] * 3}]}}'.encode()
    config = ModelConfig(warmup=(WarmUp("test", body),), freeze=True)
    servable = load(file_of("autocast"), CPU, config)
    assert "served as it is, not frozen" in caplog.text
    assert servable.program.runs.startswith("exported program, in Python")


def test_an_operator_that_is_missing_is_named(tmp_path: Path):
    path = file_with_operator(tmp_path)
    with pytest.raises(InvalidServable, match=r"operator there::gone\.default .*--import there"):
        load(path, CPU)


def file_with_operator(folder: Path) -> Path:
    """A program with an operator of a library that is gone."""

    class Calls(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.ops.there.gone(x)  # type: ignore[no-any-return]

    library = torch.library.Library("there", "DEF")
    library.define("gone(Tensor x) -> Tensor")
    library.impl("gone", torch.neg, "CompositeExplicitAutograd")
    path = save(export(Calls(), (torch.ones(2),)), folder / "calls.pt2")
    library._destroy()
    return path
