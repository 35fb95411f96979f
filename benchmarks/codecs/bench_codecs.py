"""Decoding and encoding beside the usual libraries. Equality is checked before timing."""

import json
from collections.abc import Callable

import numpy as np
import orjson
import pytest
import simdjson
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.codecs.bare import BareLoop
from benchmarks.support.payloads import (
    ELEMENTS,
    FEATURES,
    IMAGE,
    IMAGE_BODY,
    IMAGE_SHAPE,
    RESULT,
    RESULTS,
    SMALL_BODY,
    SMALL_RESULT,
)
from torch_serving.codecs.arrays import bfloat16_to_tensor, to_numpy
from torch_serving.codecs.json._decoder import Argument, Decoder, TypeSpec, ValueFactory
from torch_serving.codecs.json._encoder import Encoder

ARGUMENTS = [Argument("x", TypeSpec("tensor", "Tensor"))]
DECODER = Decoder(ARGUMENTS, ValueFactory(torch.from_numpy, bfloat16=bfloat16_to_tensor))
ENCODER = Encoder(torch.Tensor, to_numpy)


def ours(body: bytes) -> torch.Tensor:
    return DECODER.decode(body)[0]


def json_and_torch(body: bytes) -> torch.Tensor:
    tensor = json.loads(body)[0]
    return torch.tensor(tensor["value"], dtype=torch.float32).reshape(tensor["shape"])


def orjson_and_numpy(body: bytes) -> torch.Tensor:
    tensor = orjson.loads(body)[0]
    return torch.from_numpy(np.array(tensor["value"], np.float32).reshape(tensor["shape"]))


def pysimdjson_and_numpy(body: bytes) -> torch.Tensor:
    tensor = simdjson.Parser().parse(body)[0]
    numbers = np.frombuffer(tensor["value"].as_buffer(of_type="d"), np.float64)
    return torch.from_numpy(numbers.astype(np.float32).reshape(tensor["shape"].as_list()))


@pytest.mark.benchmark(group="decode 1x3x224x224")
@pytest.mark.parametrize("decode", [ours, json_and_torch, orjson_and_numpy, pysimdjson_and_numpy])
def bench_decode(benchmark: BenchmarkFixture, decode: Callable[[bytes], torch.Tensor]) -> None:
    expected = torch.from_numpy(IMAGE.astype(np.float32))
    assert torch.equal(decode(IMAGE_BODY), expected)
    benchmark.pedantic(decode, (IMAGE_BODY,), rounds=30, warmup_rounds=3)


@pytest.mark.benchmark(group="decode 1x3x224x224")
def bench_decode_bare_loop(benchmark: BenchmarkFixture) -> None:
    bare = BareLoop(IMAGE_BODY, IMAGE.size)
    assert bare() == IMAGE.size
    assert np.array_equal(bare.numbers.reshape(IMAGE_SHAPE), IMAGE.astype(np.float32))
    benchmark.pedantic(bare, rounds=30, warmup_rounds=3)


@pytest.mark.benchmark(group="decode 150,528 numbers of each type")
@pytest.mark.parametrize("name", ELEMENTS)
def bench_elements(benchmark: BenchmarkFixture, name: str) -> None:
    body, numbers = ELEMENTS[name]
    torch.testing.assert_close(ours(body), numbers)  # torch rounds to 16 bits twice
    benchmark.pedantic(ours, (body,), rounds=30, warmup_rounds=3)


def encode_ours(tensor: torch.Tensor) -> bytes:
    return ENCODER.encode(tensor)


def encode_json(tensor: torch.Tensor) -> bytes:
    return json.dumps(tensor.tolist()).encode()


def encode_orjson(tensor: torch.Tensor) -> bytes:
    return orjson.dumps(tensor.numpy(), option=orjson.OPT_SERIALIZE_NUMPY)


@pytest.mark.benchmark(group="encode 150,528 float32")
@pytest.mark.parametrize("encode", [encode_ours, encode_json, encode_orjson])
def bench_encode(benchmark: BenchmarkFixture, encode: Callable[[torch.Tensor], bytes]) -> None:
    document = json.loads(encode(RESULT))
    numbers = document["value"] if isinstance(document, dict) else document
    assert np.array_equal(np.array(numbers, np.float32), RESULT.numpy())
    benchmark.pedantic(encode, (RESULT,), rounds=30, warmup_rounds=3)


@pytest.mark.benchmark(group="encode 150,528 numbers of each type")
@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.parametrize("encode", [encode_ours, encode_orjson])
def bench_results(
    benchmark: BenchmarkFixture, name: str, encode: Callable[[torch.Tensor], bytes]
) -> None:
    tensor = RESULTS[name]
    if encode is encode_orjson and tensor.dtype == torch.bfloat16:
        pytest.skip("numpy has no bfloat16, and orjson writes numpy's types")
    document = json.loads(encode(tensor))
    numbers = document["value"] if isinstance(document, dict) else document
    exact = torch.float64 if tensor.is_floating_point() else tensor.dtype
    assert torch.equal(torch.tensor(numbers, dtype=exact).to(tensor.dtype), tensor)
    benchmark.pedantic(encode, (tensor,), rounds=30, warmup_rounds=3)


def codec(body: bytes, result: torch.Tensor) -> bytes:
    DECODER.decode(body)
    return ENCODER.encode(result)


def torch_calls(body: bytes, result: torch.Tensor) -> bytes:
    """The codec's calls into torch: make a tensor of an array, and get a result's memory."""
    torch.from_numpy(np.empty((1, 16), np.float32))
    result.numpy()
    return b""


@pytest.mark.benchmark(group="small body: 16 floats in, 4 out")
@pytest.mark.parametrize("step", [codec, torch_calls])
def bench_small(benchmark: BenchmarkFixture, step: Callable[[bytes, torch.Tensor], bytes]) -> None:
    assert np.array_equal(ours(SMALL_BODY).numpy(), FEATURES)
    benchmark.pedantic(step, (SMALL_BODY, SMALL_RESULT), rounds=30, iterations=2000)
