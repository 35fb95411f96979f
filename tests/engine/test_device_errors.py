"""Memory that runs out, and devices in error."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from tests.support.batching import body_of, method
from tests.support.client import in_a_thread
from tests.support.fake_device import FakeAccelerator
from tests.support.loaded import method_of
from tests.support.servables import SOURCES, scripted
from torch_serving.engine.accelerator import set_accelerator
from torch_serving.engine.device_errors import device_error
from torch_serving.engine.engine import Engine
from torch_serving.engine.events import EngineEvents
from torch_serving.errors import DeviceFailed, InferenceFailed, OutOfMemory

CPU = torch.device("cpu")


def test_memory_is_freed_once_and_the_request_tried_again():
    freed = []

    def free(device: torch.device, missing_bytes: int | None) -> bool:
        freed.append(device)
        return True

    engine = Engine(1, events=EngineEvents(free_memory=free))
    engine.start()
    model = method()
    run, failures = model.run, [1]

    def run_out(inputs: list[Any]) -> Any:
        if failures:
            failures.pop()
            raise OutOfMemory("none left")
        return run(inputs)

    model.run = run_out  # type: ignore[method-assign]
    try:
        assert b"[2.0]" in asyncio.run(engine.submit(model, body_of(1.0)))
        failures += [1, 1]
        with pytest.raises(OutOfMemory):
            asyncio.run(engine.submit(model, body_of(1.0)))
    finally:
        engine.close()
    assert freed == [CPU, CPU]


def test_a_device_in_error_is_reported_and_ends_the_worker():
    reported: list[Any] = []
    engine = Engine(1, events=EngineEvents(on_fatal=lambda *why: reported.append(why)))
    engine.start()
    model = method()

    def fail(*inputs: Any) -> Any:
        raise RuntimeError("CUDA error: device-side assert triggered")

    model._run = fail
    try:
        with pytest.raises(DeviceFailed):
            asyncio.run(engine.submit(model, body_of(1.0)))
    finally:
        engine.close()
    assert reported == [("a device is in error", ("model",))]


@pytest.fixture(params=[False, True], ids=["threads", "device"])
def runs_on_device(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.param:
        set_accelerator(CPU, FakeAccelerator())
    yield
    set_accelerator(CPU, None)


@pytest.mark.usefixtures("runs_on_device")
@pytest.mark.parametrize("words", ["CUDA error: out of memory", "CUDA error: assert"])
def test_a_model_can_not_pretend_that_its_device_is_in_error(words: str):
    reported: list[Any] = []
    engine = Engine(1, events=EngineEvents(on_fatal=lambda *why: reported.append(why)))
    engine.start()
    model = method(body=f"raise ValueError('{words}')\n    return x")
    try:
        with pytest.raises(InferenceFailed, match=words):
            asyncio.run(engine.submit(model, body_of(1.0)))
    finally:
        engine.close()
    assert reported == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("CUDA error: an illegal memory access was encountered", DeviceFailed),
        ("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm(`", DeviceFailed),
        ("CUDA driver error: unspecified launch failure", DeviceFailed),
        ("CUDA error: out of memory", OutOfMemory),
        ("CUDA driver error: out of memory", OutOfMemory),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", OutOfMemory),
        ("cuDNN error: CUDNN_STATUS_ALLOC_FAILED", OutOfMemory),
        ("RuntimeError: CUDA error: invalid configuration argument\nSearch for", None),
        ("CUDA error: no kernel image is available for execution on the device", None),
        ("CUDA error: invalid device ordinal\nGPU device may be out of range", None),
        ("CUDA error: invalid device function\nSearch for", None),
        ("CUDA error: CUBLAS_STATUS_NOT_SUPPORTED when calling `cublasGemmEx(`", None),
        ("CUDA error: CUDA driver version is insufficient for CUDA runtime version", None),
        ("CUDA error: no CUDA-capable device is detected", None),
    ],
)
def test_a_call_that_is_refused_leaves_a_device_as_it_was(text: str, kind: type | None):
    error = device_error(RuntimeError(text))
    assert (error and type(error)) is kind


@pytest.mark.parametrize("words", ["out of memory", "CUDA error: why?"])
def test_what_a_model_says_of_itself_is_no_error(words: str):
    """Torch shows the code around what failed, comments included."""
    module = scripted("x: Tensor", "Tensor", f"y = x + 1  # {words}\n    return y.view(7)")
    with pytest.raises(RuntimeError, match=words) as raised:
        module(torch.ones(2))
    assert device_error(raised.value) is None


def test_a_request_for_more_memory_than_there_is():
    method = method_of(scripted("x: Tensor", "Tensor", "return x.expand(1 << 45).clone()"))
    with pytest.raises(OutOfMemory):
        in_a_thread(Engine(1).run, method, b'[{"type":"tensor","value":[1]}]')


@pytest.mark.parametrize("step", ["decode", "encode"])
def test_a_device_reports_its_errors_in_any_step(step: str):
    """What runs on a GPU fails when somebody waits for it."""
    echo = method_of(scripted(*SOURCES["echo.pt"]))
    body = b'[{"type":"tensor","value":[1]}]'
    freed: list[torch.device] = []
    reported: list[Any] = []
    working = getattr(echo, step)
    errors: list[Exception] = [torch.cuda.OutOfMemoryError("CUDA out of memory")]
    errors += [RuntimeError("CUDA error: device-side assert triggered")]

    def fail_twice(value: Any) -> Any:
        if errors:
            raise errors.pop(0)
        return working(value)

    def free(device: torch.device, missing_bytes: int | None) -> bool:
        freed.append(device)
        return True

    setattr(echo, step, fail_twice)
    events = EngineEvents(free_memory=free, on_fatal=lambda *why: reported.append(why))
    engine = Engine(1, events=events)

    async def ask() -> bytes:
        with pytest.raises(DeviceFailed):  # when it was tried again
            await engine.submit(echo, body)
        return await engine.submit(echo, body)

    engine.start()
    try:
        assert b'"value":[1.0]' in asyncio.run(ask())
    finally:
        engine.close()
    assert freed == [CPU]
    assert reported == [("a device is in error", ("model",))]
