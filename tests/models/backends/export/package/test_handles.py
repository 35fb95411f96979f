"""Who owns the tensors that go into a package and come out of it, whatever its library does."""

import gc
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from tests.support.libraries import TAKE, save_echo
from torch_serving.errors import InferenceFailed, InvalidServable, OutOfMemory
from torch_serving.models import loader
from torch_serving.models.servable import Servable

X = torch.arange(6.0).reshape(2, 3)
TWICE = f"{TAKE}; out[1] = out[0]; out[2] = NULL"
FAILED = "return 1"
FAILED_AFTER = f"{TAKE}; out[1] = out[0]; return 1"


def load(path: Path) -> Servable:
    return loader.load(path, torch.device("cpu"))


def test_a_result_that_is_the_input(tmp_path: Path):
    model = load(save_echo(tmp_path / "echo.pt2"))
    method = model.main_method()
    assert str(method.signature) == "(x: Tensor) -> Tensor"
    shapes: list[tuple[int, ...]] = [(), (0,), (2, 0, 3), (1,) * 6, (3, 1)]
    for dtype in (torch.float32, torch.bool, torch.bfloat16, torch.complex64, torch.uint8):
        for shape in shapes:
            x = torch.ones(shape, dtype=dtype)
            result = method.run([x])
            assert torch.equal(result, x)
            assert result.dtype == dtype


def test_results_that_are_one_tensor_and_none(tmp_path: Path):
    model = load(save_echo(tmp_path / "twice.pt2", TWICE, outputs=3))
    first, second, third = model.main_method().run([X.clone()])
    del model
    gc.collect()
    assert torch.equal(first, X)
    assert torch.equal(second, X)
    assert third is None
    first += 1
    assert torch.equal(second, X + 1)  # as the model itself has it
    del first
    assert torch.equal(second, X + 1)


def test_nothing_is_kept(tmp_path: Path):
    """Neither of runs that work, nor of those that fail before they took their inputs or after."""
    for name, run, outputs in (
        ("works", TAKE, 1),
        ("twice", TWICE, 3),
        ("fails", FAILED, 1),
        ("fails after", FAILED_AFTER, 2),
    ):
        method = load(save_echo(tmp_path / f"{name}.pt2", run, outputs)).main_method()
        x = X.clone()
        storage = x.untyped_storage()._cdata
        uses = torch._C._storage_Use_Count(storage)
        for _ in range(3):
            with suppress(InferenceFailed):
                method.run([x])
        gc.collect()
        assert torch._C._storage_Use_Count(storage) == uses, name


def test_what_libraries_say(tmp_path: Path):
    cases = (
        ('error = "std::bad_alloc"; return 1', OutOfMemory, "more memory"),
        ('error = ""; return 1', InferenceFailed, "the model failed without a word"),
        ('error = "odd: \\xff"; return 1', InferenceFailed, "odd: \ufffd"),
        ('error = "at /home/me/model.cpp: no"; return 1', InferenceFailed, "at model.cpp: no"),
    )
    for number, (run, kind, words) in enumerate(cases):
        model = load(save_echo(tmp_path / f"{number}.pt2", run))
        with pytest.raises(kind) as failed:
            model.main_method().run([X])
        assert words in failed.value.detail


def test_a_model_that_can_not_be_made(tmp_path: Path):
    with pytest.raises(InvalidServable, match="it went wrong"):
        load(save_echo(tmp_path / "x.pt2", create=1))
