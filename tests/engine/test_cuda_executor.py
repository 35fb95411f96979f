"""The executor of a real card: order, graphs, captures that fail."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from tests.support.client import tensor
from tests.support.servables import mlp, scripted
from torch_serving.codecs.invocation import CodecInvocation
from torch_serving.codecs.media_types import codec_of
from torch_serving.engine.cuda_graphs import EAGER_RUNS
from torch_serving.engine.engine import Engine
from torch_serving.model_config import ModelConfig
from torch_serving.models.loader import load
from torch_serving.models.servable import Method

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
]
CARD = torch.device("cuda:0")
SAFETENSORS = codec_of("application/vnd.safetensors")


def saved(folder: Path, body: str, **config: Any) -> Method:
    scripted("x: Tensor", "Tensor", body).save(folder / "m.pt")
    return load(folder / "m.pt", CARD, ModelConfig(**config)).method("forward")


def served(
    model: Method,
    bodies: Sequence[bytes],
    together: int = 16,
    before: Callable[[], object] = lambda: None,
) -> list[Any]:
    """Responses, or errors, of safetensors bodies of which `together` are on their way at once."""
    engine = Engine(2, in_flight=range(together))
    engine.start()

    async def ask_all() -> list[Any]:
        room = asyncio.Semaphore(together)

        async def ask(body: bytes) -> Any:
            async with room:
                before()
                invocation = CodecInvocation(model, SAFETENSORS, SAFETENSORS)
                response = await engine.submit(invocation, bytearray(body))
                assert isinstance(response, bytes)
                return load_tensors(response)["output_0"]

        return await asyncio.gather(*map(ask, bodies), return_exceptions=True)

    try:
        return asyncio.run(ask_all())
    finally:
        engine.close()
        engine.join(60)


def test_inputs_have_arrived_whatever_other_streams_do(tmp_path: Path):
    """A large input that one stream copied was read in another one, which did not wait."""
    model = saved(tmp_path, "return x.sum(-1)")
    arrays = [np.full((1, 40_000 - n), float(n % 7 + 1), np.float32) for n in range(64)]
    bodies = [save_tensors({"x": each}) for each in arrays]
    for cycles in (0, 2_000_000, 20_000_000):
        sums = served(model, bodies, 4, lambda cycles=cycles: torch.cuda._sleep(cycles))  # type: ignore[misc]
        for array, got in zip(arrays, sums, strict=True):
            assert abs(float(got[0]) - float(array.sum())) < 1.0, cycles


@pytest.mark.parametrize("together", [1, 64])
def test_clients_get_what_is_theirs_from_graphs(tmp_path: Path, together: int):
    model = saved(tmp_path, "return x * 2 + 1", batch=True, max_batch=32)
    arrays = [np.full((1 + n % 3, 16), float(n), np.float32) for n in range(2000)]
    results = served(model, [save_tensors({"x": each}) for each in arrays], together)
    for array, result in zip(arrays, results, strict=True):
        assert np.array_equal(result, array * 2 + 1)
    assert model.device_method is not None
    assert model.device_method.graphs is not None
    assert len(model.device_method.graphs) > 0


@pytest.mark.parametrize("graphs", [True, False])
def test_results_that_a_method_copies_without_waiting_have_arrived(tmp_path: Path, graphs: bool):
    """They were those of an earlier request."""
    model = saved(tmp_path, "return (x * 2).to('cpu', non_blocking=True)", graphs=graphs)
    arrays = [np.full((1, 40_000), float(n), np.float32) for n in range(40)]
    results = served(model, [save_tensors({"x": each}) for each in arrays], 4)
    for array, result in zip(arrays, results, strict=True):
        assert np.array_equal(result, array * 2)


def test_results_of_graphs_are_those_of_the_cpu(tmp_path: Path):
    mlp().save(tmp_path / "mlp.pt")
    config = ModelConfig(batch=True)
    on_card, on_cpu = (
        load(tmp_path / "mlp.pt", device, config).method("forward")
        for device in (CARD, torch.device("cpu"))
    )
    arrays = [np.random.default_rng(n).standard_normal((1, 16), np.float32) for n in range(200)]
    results = served(on_card, [save_tensors({"x": each}) for each in arrays])
    for array, result in zip(arrays, results, strict=True):
        assert np.allclose(result, on_cpu.run([torch.from_numpy(array)]).numpy(), atol=1e-4)


@pytest.mark.parametrize(
    ("body", "exact"),
    [
        ("return x[x > 0]", True),
        ("return x * x.sum().item()", True),
        ("return x.to('cpu').to(x.device) * 1", True),
        ("return x + torch.rand_like(x) * 0", True),
        ("return x + torch.rand_like(x)", False),
        ("return torch.where(x > 0, x, x.nonzero().sum() * 0 + x)", True),
    ],
)
def test_what_no_graph_can_hold_is_served_all_the_same(tmp_path: Path, body: str, exact: bool):
    model = saved(tmp_path, body)
    array = np.ones((1, 4), np.float32)
    results = served(model, [save_tensors({"x": array})] * (EAGER_RUNS + 10), 1)
    for result in results:
        assert isinstance(result, np.ndarray), result
        if exact:
            assert result.shape[-1] == 4
    leaves_nothing(tmp_path)


def leaves_nothing(folder: Path) -> None:
    """Large bodies are copied in a stream of their own: what they took is used again."""
    folder = folder / "after"
    folder.mkdir()
    model = saved(folder, "return x.sum(-1)")
    body = save_tensors({"x": np.ones((1, 1 << 20), np.float32)})
    served(model, [body] * 20)
    before = torch.cuda.memory_reserved()
    served(model, [body] * 300)
    assert torch.cuda.memory_reserved() - before < 256 << 20


def test_shapes_may_change_from_request_to_request(tmp_path: Path):
    model = saved(tmp_path, "return x + 1", batch=True, max_batch=8)
    arrays = [np.full((1 + n % 11, 1 + n % 5), float(n), np.float32) for n in range(600)]
    results = served(model, [save_tensors({"x": each}) for each in arrays], 32)
    for array, result in zip(arrays, results, strict=True):
        assert np.array_equal(result, array + 1)


def test_an_error_in_a_batch_is_that_of_the_guilty(tmp_path: Path):
    model = saved(tmp_path, "assert x.size(1) < 9, 'too wide'\n    return x + 1", batch=True)
    arrays = [np.ones((1, 9 if n % 10 == 3 else 4), np.float32) for n in range(100)]
    results = served(model, [save_tensors({"x": each}) for each in arrays], 32)
    for number, result in enumerate(results):
        assert isinstance(result, np.ndarray) == (number % 10 != 3)


def test_json_in_the_calling_thread(tmp_path: Path):
    model = saved(tmp_path, "return x + 1", batch=True)
    body = json.dumps([tensor([1, 4], [1.0] * 4)]).encode()
    assert b"[2.0,2.0,2.0,2.0]" in Engine(1).run(model, body)
