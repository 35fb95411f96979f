"""Results that no response can hold, on a device: their errors are those of the CPU."""

import asyncio
from typing import Any

import pytest

from tests.support.batching import body_of
from tests.support.device_engine import Accelerators, served
from tests.support.loaded import method_of
from tests.support.servables import scripted
from torch_serving.errors import UnsupportedResult

BODIES = {
    "meta": "x.to('meta')",
    "nested": "torch._nested_tensor_from_mask(x.unsqueeze(0), x[:, :1] > 0)",
    "sparse": "x.to_sparse()",
    "quantized": "torch.quantize_per_tensor(x, 0.1, 0, torch.quint8)",
}


@pytest.mark.filterwarnings("ignore")  # torch's, of kinds that it has for a while only
@pytest.mark.parametrize("kind", BODIES)
def test_what_is_no_plain_tensor(device: Accelerators, kind: str):
    check_refused(BODIES[kind], f"a {kind} tensor")


@pytest.mark.parametrize("result", ["x.view([1] * 64 + [-1])", "torch.zeros([1] * 65)"])
def test_more_dimensions_than_an_array_has(device: Accelerators, result: str):
    check_refused(result, "no array has the shape [1, 1,")


def check_refused(result: str, words: str) -> None:
    """See that each of three requests gets the error, and that the device goes on."""
    model = method_of(scripted("x: Tensor", "Tensor", f"return {result}"))
    with served() as server:

        async def ask() -> list[Any]:
            return await server.ask(model, *[body_of(1.0, 2.0)] * 3)

        for error in asyncio.run(ask()):
            assert isinstance(error, UnsupportedResult), error
            assert words in error.detail
        assert not server.fatal
