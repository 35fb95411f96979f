"""Packages of AOTInductor: what they answer, what they refuse, and what they leave behind."""

import gc
import os
import re
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.gil import lets_others_run
from tests.support.packages import Compiled, Odd
from torch_serving.errors import (
    ClientError,
    IncompatibleDtype,
    IncompatibleShape,
    InvalidInput,
)
from torch_serving.models import loader
from torch_serving.models.backends.export.package import calls, layouts
from torch_serving.models.servable import Servable

CPU = torch.device("cpu")
X = torch.linspace(-2, 2, 32).reshape(2, 16)
ROWS = torch.tensor([[1.0, -2, 3, 4], [5, 6, 7, 8]])
IDS = torch.tensor([0, 1, 2, 3, 9])


def load(path: Path) -> Servable:
    return loader.load(path, CPU)


def run(model: Servable, *inputs: Any) -> Any:
    with torch.inference_mode():
        return model.main_method().run(list(inputs))


@pytest.fixture
def mlp(compiled: Compiled) -> Servable:
    return load(compiled.package)


@pytest.fixture
def without_program(odd: Odd) -> Servable:
    return load(odd.package)


def test_a_file_of_both(mlp: Servable, compiled: Compiled):
    """The package runs, and the program tells what it takes."""
    method = mlp.main_method()
    assert mlp.program.runs.startswith("AOTInductor package, compiled for cpu")
    expected = run(load(compiled.program), X)
    assert torch.allclose(run(mlp, X), expected, atol=1e-6)
    body = f'{{"x": {X.tolist()}}}'.encode()
    assert torch.equal(torch.from_numpy(run(mlp, *method.decode(body))), run(mlp, X))
    assert 16 * 64 * 4 < mlp.program.weight_bytes <= (16 * 64 + 64 + 64 * 4 + 4) * 4
    assert mlp.weights_dtype() == torch.float32
    with pytest.raises(IncompatibleShape, match="dimension 1"):
        method.decode(b"[[[1, 2]]]")


def test_the_program_runs_where_its_package_can_not(
    compiled: Compiled, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr("platform.machine", lambda: "abacus")
    model = load(compiled.program.parent / compiled.package.name)
    name = re.escape(compiled.package.name)
    warning = f"{name}: its program runs, not its package: its package is compiled for"
    assert len(re.findall(warning, caplog.text)) == 1
    assert "this machine is linux abacus" in model.program.runs
    assert torch.equal(run(model, X), run(load(compiled.program), X))


def test_results_of_all_kinds(without_program: Servable, odd: Odd):
    result, expected = (
        run(model, ROWS.clone(), IDS) for model in (without_program, load(odd.program))
    )
    assert result.keys() == expected.keys()
    assert result.pop("nothing") is expected.pop("nothing") is None
    assert result.pop("number") == expected.pop("number") == 3
    for name, tensor in expected.items():
        assert torch.equal(result[name], tensor), name
        assert result[name].stride() == tensor.stride(), name


def test_results_outlast_inputs_and_model(odd: Odd):
    """Some are the input or a weight, and two are one tensor."""
    model = load(odd.package)
    rows = ROWS.clone()
    result = run(model, rows, IDS)
    kept = {name: value.clone() for name, value in result.items() if value is not None}
    del model, rows
    gc.collect()
    torch.full((1 << 16,), 9.0)
    assert all(torch.equal(result[name], value) for name, value in kept.items())


REFUSED: tuple[tuple[tuple[Any, ...], type[ClientError], str], ...] = (
    ((ROWS[:, :3], IDS), IncompatibleShape, "argument `arg_0`: dimension 1 is 3, not 4"),
    (
        (ROWS.repeat(5, 1), IDS),
        IncompatibleShape,
        "argument `arg_0`: dimension 0 is 10, not at most 8",
    ),
    ((ROWS[0], IDS), IncompatibleShape, "argument `arg_0`: "),
    ((ROWS[None], IDS), IncompatibleShape, ""),
    ((ROWS, IDS[:0]), IncompatibleShape, "argument `arg_1`: dimension 0 is 0, not 5"),
    ((ROWS.double(), IDS), IncompatibleDtype, "argument `arg_0`: expected float32, got float64"),
    ((ROWS, IDS.int()), IncompatibleDtype, "argument `arg_1`: expected int64, got int32"),
    ((ROWS, IDS + 1), InvalidInput, "index out of bounds"),
    ((ROWS,), InvalidInput, "the model takes 2 tensors, got 1"),
    ((ROWS, IDS, ROWS), InvalidInput, "the model takes 2 tensors, got 3"),
)


def test_what_a_package_without_its_program_refuses(
    without_program: Servable, capfd: pytest.CaptureFixture[str]
):
    """Its library checks what it is given, whoever calls it, and writes nothing itself."""
    assert "its file has no program" in without_program.program.runs
    for inputs, kind, words in REFUSED:
        with pytest.raises(kind) as refused:
            run(without_program, *inputs)
        assert words in refused.value.detail
    assert torch.equal(run(without_program, ROWS, IDS)["input"], ROWS)
    assert capfd.readouterr().err == ""


def test_inputs_that_lie_otherwise(mlp: Servable):
    assert torch.equal(run(mlp, X.t().contiguous().t()), run(mlp, X))
    assert torch.equal(run(mlp, X.repeat(1, 2)[:, ::2]), run(mlp, X.repeat(1, 2)[:, ::2].clone()))


def test_layouts():
    def meta(tensor: torch.Tensor) -> dict[str, Any]:
        return {
            name: [{"as_int": each} for each in sizes]
            for name, sizes in (("sizes", tensor.shape), ("strides", tensor.stride()))
        }

    image = torch.rand(2, 3, 4, 5)
    last = image.contiguous(memory_format=torch.channels_last)
    assert layouts.layout_in(meta(image)) is None
    assert layouts.layout_in(meta(image[:, :1])) is None
    layout = layouts.layout_in(meta(last))
    for each in (image, last, image.transpose(2, 3).contiguous().transpose(2, 3)):
        given = layouts.laid_out(each, layout, CPU)
        assert torch.equal(given, image)
        assert given.stride() == last.stride()
    assert layouts.laid_out(3, None, CPU).dtype == torch.int64
    assert layouts.laid_out(True, None, CPU).dtype == torch.bool


def mapped() -> int:
    """Pieces of memory that libraries of packages are mapped into."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return sum("deleted" in line or "memfd" in line for line in lines)


def test_unloaded_packages_leave_nothing(compiled: Compiled):
    def load_and_run() -> None:
        run(load(compiled.package), X)

    load_and_run()
    gc.collect()
    before, descriptors = mapped(), os.listdir("/proc/self/fd")
    for _ in range(10):
        load_and_run()
        thread = threading.Thread(target=load_and_run)
        thread.start()
        thread.join()
    both = [load(compiled.package), load(compiled.package)]
    assert mapped() > before
    assert torch.equal(run(both[0], X), run(both[1], X))
    both.clear()
    gc.collect()
    assert (mapped(), os.listdir("/proc/self/fd")) == (before, descriptors)


def test_runs_side_by_side(compiled: Compiled):
    """The GIL is released, and a model may run in many threads."""
    model = load(compiled.package)
    expected = run(model, X)
    wrong: list[int] = []

    def many(number: int) -> None:
        if not all(torch.equal(run(model, X), expected) for _ in range(50)):
            wrong.append(number)

    threads = [threading.Thread(target=many, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    rows = torch.rand(64, 16)
    assert lets_others_run(lambda _: [run(model, rows) for _ in range(500)])


def test_programs_that_divide_integers(compiled: Compiled, monkeypatch: pytest.MonkeyPatch):
    """They run one at a time: what they note of divisions by zero is one for all runs."""
    for target, divides in (
        ("torch.ops.aten.remainder.Scalar", True),
        ("torch.ops.aten.floor_divide.default", True),
        ("torch.ops.aten.div.Tensor_mode", True),
        ("torch.ops.aten.div.Tensor", False),
        ("torch.ops.aten.linear.default", False),
    ):
        inner = {"as_graph": {"graph": {"nodes": [{"target": target}]}}}
        document = {"graph_module": {"graph": {"nodes": [{"inputs": [{"arg": inner}]}]}}}
        assert calls.divides_integers(document) == divides, target
    assert load(compiled.package).main_method().inline.bounded
    monkeypatch.setattr(calls, "divides_integers", lambda _: True)
    model = load(compiled.package)
    assert not model.main_method().inline.bounded
    threads = [threading.Thread(target=run, args=(model, X)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_what_called_functions_tell():
    table = {
        "aoti_torch_cpu_addmm_out": (True, False, False),
        "aoti_torch_cpu_nonzero": (False, False, False),
        "aoti_torch_item_int64": (False, True, False),
        "aoti_torch_cpu_randint_low_out": (True, False, True),
        "aoti_torch_empty_strided": (True, False, False),
    }
    for call, (is_bounded, reads, draws) in table.items():
        called = frozenset({call})
        assert calls.is_bounded(called) == is_bounded, call
        assert calls.reads_values(called) == reads, call
        assert calls.draws(called) == draws, call
    assert calls.may_abort(frozenset({"aoti_torch_check", "GOMP_parallel"}))
    assert not calls.may_abort(frozenset({"aoti_torch_check"}))
