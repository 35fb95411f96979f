"""A runtime without a server: values of Python, with the limits and errors of a server."""

import asyncio
import json
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import torch_serving
from tests.support.client import LIMIT_S, tensor
from tests.support.described import Several
from tests.support.process import wait_until
from tests.support.servables import SOURCES, scripted
from torch_serving import Config, InferenceRequest, Runtime
from torch_serving.codecs.media_types import OIP
from torch_serving.errors import (
    DeadlineExceeded,
    IncompatibleDtype,
    InvalidDevice,
    InvalidInput,
    InvalidParameter,
    InvalidServable,
    OutOfMemory,
    StartupError,
    UnsupportedContentType,
)
from torch_serving.models.lifecycle import ModelLifecycle

X = torch.tensor([1.0, 2.0])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    for name in ("echo.pt", "slow.pt"):
        scripted(*SOURCES[name]).save(root / name)
    scripted("x: Tensor", "Tensor", "return x * 2").save(root / "double.pt")
    torch.jit.script(Several()).save(root / "several.pt")
    for name, type_ in {
        "int": "int",
        "float": "float",
        "bool": "bool",
        "complex": "complex",
        "str": "str",
        "list": "List[int]",
        "tensors": "List[Tensor]",
        "tuple": "Tuple[int, str]",
        "dict": "Dict[str, int]",
        "optional": "Optional[int]",
        "union": "Union[int, str]",
        "any": "Any",
    }.items():
        scripted(f"x: {type_}", type_, "return x").save(root / f"{name}.pt")
    return root


@pytest.fixture(scope="module")
def runtime(root: Path) -> Iterator[Runtime]:
    config = Config(model_root=str(root), threads=2, model_capacity=30, batch=("double.pt",))
    with Runtime.build(config) as runtime:
        yield runtime


@pytest.mark.parametrize(
    "arguments", [{"x": X}, {"x": X.numpy()}, {"x": [1.0, 2.0]}, [X], (X.numpy(),), [[1.0, 2.0]]]
)
def test_tensors_arrays_and_lists(runtime: Runtime, arguments: Any):
    result = runtime.infer("echo.pt", arguments)
    assert isinstance(result, torch.Tensor)
    assert torch.equal(result, X)


@pytest.mark.parametrize(
    ("model", "value", "expected"),
    [
        ("int", 3, 3),
        ("int", torch.tensor(3), 3),
        ("int", np.int32(3), 3),
        ("float", 2, 2.0),
        ("float", np.array([1.5]), 1.5),
        ("bool", True, True),
        ("complex", 1, 1 + 0j),
        ("str", "é", "é"),
        ("list", (1, 2), [1, 2]),
        ("list", np.array([1, 2]), [1, 2]),
        ("tuple", [1, "a"], (1, "a")),
        ("dict", {"a": 1}, {"a": 1}),
        ("optional", None, None),
        ("optional", 1, 1),
        ("union", "a", "a"),
        ("union", 1, 1),
        ("any", "a", "a"),
    ],
)
def test_plain_values(runtime: Runtime, model: str, value: Any, expected: Any):
    for arguments in ({"x": value}, [value]):
        result = runtime.infer(f"{model}.pt", arguments)
        assert result == expected
        assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("model", "arguments", "error", "detail"),
    [
        ("echo.pt", {"y": X}, InvalidInput, "argument `x`: Tensor is missing"),
        ("echo.pt", {"x": X, "y": X}, InvalidInput, "unknown argument `y`; expected x"),
        ("echo.pt", [X, X], InvalidInput, "expected x, got 2 arguments"),
        ("echo.pt", X, InvalidInput, "expected a mapping or a sequence of arguments, got Tensor"),
        ("echo.pt", [np.array(["a"])], IncompatibleDtype, "argument `x`: torch has no <U1"),
        ("echo.pt", ["a"], InvalidInput, "argument `x`: no tensor can be made of this"),
        ("int.pt", [1.5], IncompatibleDtype, "argument `x`: expected int, got float 1.5"),
        ("int.pt", [True], IncompatibleDtype, "argument `x`: expected int, got bool True"),
        ("int.pt", [1 << 63], IncompatibleDtype, "argument `x`: expected int, got int"),
        ("int.pt", ["1"], InvalidInput, "argument `x`: expected int, got str"),
        ("int.pt", [torch.ones(2)], InvalidInput, "expected one number, got shape [2]"),
        ("bool.pt", [1], IncompatibleDtype, "argument `x`: expected bool, got int 1"),
        ("str.pt", [b"a"], InvalidInput, "argument `x`: expected str, got bytes"),
        ("list.pt", [[1, 1.5]], IncompatibleDtype, "argument `x`[1]: expected int, got float 1.5"),
        ("tuple.pt", [[1]], InvalidInput, "argument `x`: expected Tuple[int, str], got list"),
        ("dict.pt", [{"a": "b"}], InvalidInput, "argument `x`['a']: expected int, got str"),
        ("union.pt", [1.5], InvalidInput, "expected Union[int, str], got float"),
        ("nowhere.pt", [X], InvalidServable, "there is no such file"),
        ("../echo.pt", [X], InvalidServable, "there is no such file"),
    ],
)
def test_errors_are_those_of_a_server(
    runtime: Runtime, model: str, arguments: Any, error: type[Exception], detail: str
):
    with pytest.raises(error) as raised:
        runtime.infer(model, arguments)
    assert detail in raised.value.detail  # type: ignore[attr-defined]


def test_other_parameters(runtime: Runtime, loop_count: int):
    assert torch.equal(runtime.infer("several.pt", {"x": X, "by": 2}, method="scaled"), X * 2)
    with pytest.raises(InvalidParameter):
        runtime.infer("echo.pt", [X], method="none")
    with pytest.raises(InvalidDevice):
        runtime.infer("echo.pt", [X], device="tpu")
    with pytest.raises(DeadlineExceeded):
        runtime.infer("slow.pt", [X, loop_count], timeout_s=0.02)


def test_many_threads_share_batches(runtime: Runtime):
    def ask(number: int) -> bool:
        rows = torch.full((1, 3), float(number))
        return torch.equal(runtime.infer("double.pt", [rows]), rows * 2)

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(300)))
    ((_, numbers),) = runtime.management.statistics("double.pt")
    assert numbers is not None
    assert numbers.codes == {200: 300}
    assert numbers.batches[1] == 300


def test_bytes_on_any_loop(runtime: Runtime):
    request = pickle.loads(pickle.dumps(InferenceRequest("echo.pt")))
    body = json.dumps([tensor([2], [1, 2])]).encode()
    for _ in range(2):
        response = asyncio.run(runtime.inference.infer(request, body))
        assert json.loads(response.body)["result"] == tensor([2], [1, 2])
        assert response.headers == (("content-type", "application/json"),)
    oip = InferenceRequest("echo.pt", content_type=OIP, accept=OIP)
    inputs = [{"name": "x", "datatype": "FP32", "shape": [2], "data": [1.5, 2]}]
    response = asyncio.run(runtime.inference.infer(oip, json.dumps({"inputs": inputs}).encode()))
    assert json.loads(response.body)["outputs"][0]["data"] == [1.5, 2.0]
    with pytest.raises(UnsupportedContentType):
        asyncio.run(runtime.inference.infer(InferenceRequest("echo.pt", content_type="x/y"), b"1"))


def test_loading_and_unloading(runtime: Runtime):
    assert asyncio.run(runtime.management.load("echo.pt"))["state"] == "loaded"
    assert asyncio.run(runtime.description.describe("echo.pt"))["methods"]
    assert asyncio.run(runtime.management.unload("echo.pt"))["state"] == "available"
    states = {each["identifier"]: each["state"] for each in runtime.management.list()}
    assert states["echo.pt"] == "available"


def test_the_end_waits_for_requests(root: Path, loop_count: int):
    with ThreadPoolExecutor(1) as pool:
        with Runtime.build(Config(model_root=root, threads=1)) as runtime:
            running = pool.submit(runtime.infer, "slow.pt", [X, loop_count // 4])
            wait_until(lambda: bool(runtime.models.cache.values()))
        assert torch.equal(running.result(), X)


def test_a_request_at_the_end_runs_or_fails(root: Path):
    def ask_until_the_end() -> str:
        try:
            while True:
                assert torch.equal(runtime.infer("echo.pt", [X]), X)
        except RuntimeError as error:
            return str(error)

    with ThreadPoolExecutor(6) as pool:
        with Runtime.build(Config(model_root=root, threads=1)) as runtime:
            runtime.infer("echo.pt", [X])
            asking = [pool.submit(ask_until_the_end) for _ in range(6)]
        ends = {each.result(LIMIT_S) for each in asking}
    assert ends == {"the runtime has ended"}


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_runtime_that_has_ended(root: Path):
    with Runtime.build(Config(model_root=root, threads=1, watch=True)) as runtime:
        runtime.infer("echo.pt", [X])
    with pytest.raises(RuntimeError, match="has ended"):
        runtime.infer("echo.pt", [X])
    with pytest.raises(RuntimeError, match="build another"), runtime:
        pass
    wait_until(lambda: "watcher" not in [thread.name for thread in threading.enumerate()])


@pytest.mark.parametrize("timeout_s", [0, -1.0, float("nan")])
def test_a_deadline_is_above_0(runtime: Runtime, timeout_s: float):
    with pytest.raises(ValueError, match="timeout_s"):
        runtime.infer("echo.pt", [X], timeout_s=timeout_s)


@pytest.mark.parametrize("arguments", [None, 1, (x for x in [X])])
def test_arguments_are_a_mapping_or_a_sequence(runtime: Runtime, arguments: Any):
    with pytest.raises(InvalidInput, match="expected a mapping or a sequence"):
        runtime.infer("echo.pt", arguments)


def test_names_are_strings(runtime: Runtime):
    with pytest.raises(TypeError, match="model: expected str, got PosixPath"):
        runtime.infer(Path("echo.pt"), [X])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="method: expected str, got NoneType"):
        runtime.infer("echo.pt", [X], method=None)  # type: ignore[arg-type]


def test_arrays_of_any_strides(runtime: Runtime):
    record = np.zeros(2, [("a", "f4"), ("b", "i1")])
    record["a"] = 1, 2
    for array in (np.array([2.0, 1.0], "float32")[::-1], record["a"]):
        assert torch.equal(runtime.infer("echo.pt", [array]), X)


def test_a_runtime_that_was_not_entered(root: Path):
    runtime = Runtime.build(Config(model_root=root))
    with pytest.raises(RuntimeError, match="enter the runtime"):
        runtime.infer("echo.pt", [X])
    with pytest.raises(RuntimeError, match="start the runtime"):
        asyncio.run(runtime.inference.infer(InferenceRequest("echo.pt"), b"1"))
    runtime.close()


def test_a_model_root_that_is_missing(tmp_path: Path):
    with pytest.raises(StartupError, match="no such folder"):
        Runtime.build(Config(model_root=tmp_path / "nowhere"))


def test_what_can_not_be_built(root: Path):
    for config in (Config(model_root=root, preload=("no*",)), Config(root, device="warp")):
        with pytest.raises(StartupError):
            Runtime.build(config)


def test_a_preloaded_model_that_does_not_fit_is_named(root: Path, monkeypatch: pytest.MonkeyPatch):
    def preload(*_: Any) -> None:
        raise OutOfMemory("the model needs more memory than the device has left")

    monkeypatch.setattr(ModelLifecycle, "preload", preload)
    with pytest.raises(StartupError, match=r"^`echo\.pt` on cpu: the model needs more memory"):
        Runtime.build(Config(root, device="cpu", preload=("echo*",)))


def test_names_of_the_package():
    assert torch_serving.Config is Config
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = torch_serving.Nothing
