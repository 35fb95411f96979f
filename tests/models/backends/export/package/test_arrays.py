"""Arrays go into packages as they lie, and results come out of them over their own memory."""

import gc
import json
import sys
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.libraries import TAKE, save_echo
from torch_serving.engine.batch_tensors import (
    NotRowWise,
    batch_key,
    changed,
    concatenate,
    is_close,
    split,
)
from torch_serving.errors import InferenceFailed
from torch_serving.models import loader
from torch_serving.models.backends.export.package.library import load_library, package_files
from torch_serving.models.servable import Servable

CPU = torch.device("cpu")
TYPES = {
    "bool": True, "uint8": 200, "int8": -3, "int16": -300, "uint16": 60_000, "int32": -70_000,
    "uint32": 4_000_000_000, "int64": 1 << 60, "uint64": 1 << 63, "float16": 1.5,
    "float32": 0.1, "float64": 0.1, "bfloat16": 1.5,
}  # fmt: skip


def load(path: Path) -> Servable:
    return loader.load(path, CPU)


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Servable:
    return load(save_echo(tmp_path_factory.mktemp("echo") / "echo.pt2"))


def respond(model: Servable, value: Any) -> Any:
    method = model.main_method()
    return json.loads(method.encode(method.run(method.decode(json.dumps([value]).encode()))))


def test_types_and_shapes(echo: Servable):
    method = echo.main_method()
    for data_type, number in TYPES.items():
        for shape in ([], [1], [3], [0], [2, 0], [2, 3], [1] * 9):
            count = int(np.prod(shape))
            sent = {"type": "tensor", "data_type": data_type, "shape": shape}
            sent["value"] = [number] * count
            (value,) = method.decode(json.dumps([sent]).encode())
            assert isinstance(value, torch.Tensor if data_type == "bfloat16" else np.ndarray)
            result = respond(echo, sent)["result"]
            assert (result["data_type"], result["shape"]) == (data_type, shape)
            expected = torch.tensor(sent["value"], dtype=getattr(torch, data_type))
            given = torch.tensor(result["value"], dtype=getattr(torch, data_type))
            assert torch.equal(given, expected), data_type


def test_arrays_that_a_package_can_not_take_as_they_lie(echo: Servable):
    x = np.arange(12.0).reshape(3, 4)
    for each in (x[:, ::2], x.T, x[::-1].copy()):
        result = echo.main_method().run([each])
        assert np.array_equal(np.asarray(result), each)
        assert isinstance(result, np.ndarray) == each.flags.c_contiguous
    with pytest.raises(InferenceFailed, match="byte order"):
        echo.main_method().run([x.astype(">f8")])


def test_results_own_their_memory(tmp_path: Path):
    """One is the input's memory, and the model is gone."""
    model = load(save_echo(tmp_path / "twice.pt2", f"{TAKE}; out[1] = out[0]; out[2] = 0", 3))
    x = np.arange(1000.0)
    first, second, third = model.main_method().run([x])
    pointer = x.ctypes.data
    del model, x
    gc.collect()
    other = np.full(1000, 7.0)
    assert first.ctypes.data == second.ctypes.data == pointer
    assert third is None
    del first
    gc.collect()
    assert np.array_equal(second, np.arange(1000.0))
    assert other[0] == 7


def test_nothing_is_kept(tmp_path: Path):
    for name, run in (("works", TAKE), ("fails", "return 1"), ("fails late", f"{TAKE}; return 1")):
        method = load(save_echo(tmp_path / f"{name}.pt2", run)).main_method()
        x = np.zeros(10)
        before = sys.getrefcount(x)
        for _ in range(3):
            with suppress(InferenceFailed):
                method.run([x])
        gc.collect()
        assert sys.getrefcount(x) == before, name


def test_layouts_of_results(tmp_path: Path):
    """A package's results may lie in any order."""
    path = save_echo(tmp_path / "echo.pt2")
    with zipfile.ZipFile(path) as archive:
        files = package_files(archive, "made/data/aotinductor/model/")
        package = load_library(archive, files, CPU).package
    x = torch.arange(24.0).reshape(2, 3, 4)
    for each in (x, x.permute(2, 0, 1), x[:, :1], x.expand(2, 3, 4)):
        (result,) = package.run([each])
        assert result is not None
        assert result.stride() == each.stride()
    assert package.run_arrays([x.numpy()[:, 1]]) is None
    assert package.run_arrays([x]) is None
    with pytest.raises(ValueError, match="takes 1 tensors, got 2"):
        package.run_arrays([x.numpy(), x.numpy()])


def test_batches_of_arrays():
    a, b = np.arange(6.0).reshape(2, 3), np.ones((1, 3))
    rows: set[int] = set()
    assert batch_key([a], rows) == batch_key([b], set())
    assert batch_key([a], set()) != batch_key([a.astype(np.float32)], set())
    assert batch_key([a], set()) != batch_key([torch.from_numpy(a)], set())
    assert rows == {2}
    together = concatenate([[a], [b]])
    assert together[0].shape == (3, 3)
    parts = split({"y": together[0]}, [2, 1])
    assert is_close(parts[0], {"y": a})
    assert is_close(parts[1]["y"], b)
    assert not is_close(parts[1]["y"], b + 1)
    assert not is_close(parts[1]["y"], b.astype(np.float32))
    assert not np.array_equal(changed(a), a)
    with pytest.raises(NotRowWise):
        split(together[0], [1, 1])
    with pytest.raises(NotRowWise):
        split(np.array(1.0), [1])
