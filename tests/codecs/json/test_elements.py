"""All element types, in and out, to the last bit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.client import tensor
from tests.support.servables import scripted
from torch_serving.engine.engine import Engine
from torch_serving.errors import IncompatibleDtype, UnsupportedResult
from torch_serving.models.loader import load
from torch_serving.models.servable import Method

CPU = torch.device("cpu")
ENGINE = Engine(1)
LIMITS = {
    name: [np.iinfo(name).min, np.iinfo(name).max, 1, 0]
    for name in ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
}
FLOATS = {
    "float16": [65500.0, 6e-08, 0.1, -0.0],
    "bfloat16": [3.39e38, 1e-40, 0.1, -0.0],
    "float32": [3.4028235e38, 1e-45, 0.1, -0.0],
    "float64": [1.7976931348623157e308, 5e-324, 0.1, -0.0],
}
# parts of TorchScript -> a tensor of the same values that lies otherwise in memory
LAYOUTS = {
    "as it is": "x",
    "requires a gradient": "x * torch.ones([], dtype=x.dtype).requires_grad_()",
    "transposed": "x.t().contiguous().t()",
    "every second": "torch.stack([x, x]).permute(1, 2, 0)[:, :, 1]",
    "offset": "torch.cat([x, x])[x.size(0):]",
    "expanded": "x.unsqueeze(0).expand(3, -1, -1)[2]",
    "channels last": (
        "x.unsqueeze(0).unsqueeze(0).expand(2, 3, -1, -1)"
        ".contiguous(memory_format=torch.channels_last)[1, 2]"
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("elements")


def model(folder: Path, expression: str = "x", arguments: str = "x: Tensor") -> Method:
    path = folder / "model.pt"
    result = "Tuple[Tensor, Dict[str, List[Tensor]]]" if expression.startswith("(") else "Tensor"
    scripted(arguments, result, f"return {expression}").save(path)
    return load(path, CPU).method("forward")


def written(method: Method, values: torch.Tensor) -> Any:
    """What the method would return for these values."""
    return json.loads(method.encode(values))["result"]


def read_back(method: Method, value: Any) -> torch.Tensor:
    [read] = method.decode(json.dumps([value]).encode())
    return read


@pytest.fixture(scope="module")
def echo(folder: Path) -> Method:
    return model(folder)


def result(method: Method, body: Any) -> Any:
    return json.loads(ENGINE.run(method, json.dumps(body).encode()))["result"]


@pytest.mark.parametrize(("data_type", "value"), [*LIMITS.items(), *FLOATS.items()])
def test_limits_come_back(echo: Method, data_type: str, value: list):
    response = result(echo, tensor([2, 2], value, data_type))
    assert (response["data_type"], response["shape"]) == (data_type, [2, 2])
    if data_type == "bfloat16":
        value = torch.tensor(value, dtype=torch.bfloat16).to(torch.float64).tolist()
        response["value"] = (
            torch.tensor(response["value"]).to(torch.bfloat16).to(torch.float64).tolist()
        )
    assert list(map(repr, response["value"])) == list(map(repr, value))


@pytest.mark.parametrize("data_type", LIMITS)
def test_what_is_beyond_the_limits_is_refused(echo: Method, data_type: str):
    lowest, highest, *_ = LIMITS[data_type]
    for value in (lowest - 1, highest + 1, 0.5, 1.5, "1", True, None):
        with pytest.raises(IncompatibleDtype) as caught:
            result(echo, tensor([3], [0, 1, value], data_type))
        assert caught.value.detail.startswith("/value/2: ")


def test_booleans(echo: Method):
    value = [True, False, 1, 0]
    response = result(echo, tensor([4], value, "bool"))
    assert response == tensor([4], [True, False, True, False], "bool")
    assert [type(element) for element in response["value"]] == [bool] * 4


@pytest.mark.parametrize("data_type", ["float16", "bfloat16", "float32", "float64"])
def test_numbers_that_are_not_finite(echo: Method, data_type: str):
    x = tensor([3], ["NaN", "Infinity", "-Infinity"], data_type)
    assert result(echo, x) == x


def test_every_bfloat16(echo: Method):
    patterns = torch.arange(65536, dtype=torch.int32).to(torch.int16)
    values = patterns.view(torch.bfloat16)
    out = written(echo, values)
    assert out["data_type"] == "bfloat16"
    read = read_back(echo, out)
    assert read.dtype == torch.bfloat16
    unordered = values.isnan()
    assert torch.equal(read.view(torch.int16)[~unordered], patterns[~unordered])
    assert set(read.view(torch.int16)[unordered].tolist()) == {0x7FC0}
    # numbers are written by their own value, not only by one that rounds to it
    numbers = [float(value) for value in out["value"] if not isinstance(value, str)]
    finite = values[values.isfinite()].to(torch.float64)
    np.testing.assert_allclose(numbers, finite.numpy(), rtol=2**-8, atol=1e-40)


def test_bfloat16_has_the_fewest_digits(echo: Method):
    response = result(echo, tensor([4], [0.1, 1.00390625, 3.0, 300.0], "bfloat16"))
    assert response["value"] == [0.1, 1.0, 3.0, 300.0]


@pytest.mark.parametrize("data_type", ["float16", "float32", "float64"])
def test_random_bits(echo: Method, data_type: str):
    random = np.random.default_rng(7).bytes(4000 * 8)
    values = np.frombuffer(random, data_type)[:4000]
    values = torch.from_numpy(values[~np.isnan(values)].copy())
    read = read_back(echo, written(echo, values))
    assert read.dtype == values.dtype
    assert read.numpy().tobytes() == values.numpy().tobytes()


PAIRS = [[1.5, -0.0], [-2.5, "NaN"], ["Infinity", 0.1], [0.0, "-Infinity"]]
FLAT = [part for pair in PAIRS for part in pair]


@pytest.mark.parametrize("data_type", ["complex64", "complex128"])
def test_complex_numbers(echo: Method, data_type: str):
    expected = tensor([2, 2], FLAT, data_type)
    for body in (
        {"type": "tensor", "shape": [2, 2], "value": FLAT, "data_type": data_type},
        {"type": "tensor", "value": [PAIRS[:2], PAIRS[2:]], "data_type": data_type},
        {
            "type": "tensor",
            "shape": [2, 2],
            "value": [PAIRS[:2], PAIRS[2:]],
            "data_type": data_type,
        },
    ):
        response = result(echo, body)
        assert response == expected
        assert list(map(repr, response["value"])) == list(map(repr, FLAT))


@pytest.mark.parametrize("data_type", ["complex64", "complex128"])
@pytest.mark.parametrize("shape", [[0], [2, 0], []])
def test_complex_shapes(echo: Method, data_type: str, shape: list):
    value = [1.0, -2.0] if shape == [] else []
    x = tensor(shape, value, data_type)
    assert result(echo, x) == x


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("torch.conj(x)", [1.0, -2.0, -3.0, -0.5]),
        ("torch.conj(x).t()", [1.0, -2.0, -3.0, -0.5]),
        ("torch.conj(x)[:, 1:]", [-3.0, -0.5]),
        ("torch.imag(torch.conj(x))", [-2.0, -0.5]),  # its negative bit is set
        ("torch.imag(torch.conj(x)).t()", [-2.0, -0.5]),
        ("torch.real(x)", [1.0, -3.0]),
        ("torch.view_as_real(x)", [1.0, 2.0, -3.0, 0.5]),
    ],
)
@pytest.mark.parametrize("data_type", ["complex64", "complex128"])
def test_lazy_views_of_complex_numbers(folder: Path, data_type: str, expression: str, value: list):
    x = tensor([1, 2], [1.0, 2.0, -3.0, 0.5], data_type)
    assert result(model(folder, expression), x)["value"] == value


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_in_memory(folder: Path, layout: str):
    method = model(folder, LAYOUTS[layout])
    for data_type in (*LIMITS, *FLOATS, "bool", "complex64", "complex128"):
        if "gradient" in layout and not data_type.startswith(("float", "bfloat", "complex")):
            continue
        count = 12 if "complex" in data_type else 6
        numbers = [n % 2 if data_type == "bool" else n for n in range(count)]
        response = result(method, tensor([2, 3], numbers, data_type))
        assert response == tensor([2, 3], numbers, data_type)


@pytest.mark.parametrize("expression", ["x[0]", "x.sum()", "x[:0]", "x.t()[1]"])
def test_bfloat16_views(folder: Path, expression: str):
    numbers = torch.arange(6, dtype=torch.bfloat16).reshape(2, 3)
    expected = eval(expression, {"x": numbers})
    response = result(model(folder, expression), tensor([2, 3], list(range(6)), "bfloat16"))
    assert (response["shape"], response["value"]) == (
        list(expected.shape),
        expected.flatten().tolist(),
    )


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("x.to_sparse()", "a sparse tensor"),
        ("x.to_sparse_csr()", "a sparse tensor"),
        ("torch.quantize_per_tensor(x, 0.5, 0, torch.quint8)", "a quantized tensor"),
        ("x.to(torch.float8_e5m2)", "a tensor of torch.float8_e5m2"),
        ("x.to(torch.complex32)", "a tensor of torch.complex32"),
    ],
)
@pytest.mark.filterwarnings("ignore:Sparse", "ignore:ComplexHalf", "ignore:.*quantize")
def test_tensors_without_a_form(folder: Path, expression: str, kind: str):
    for location, around in (("", "{}"), ("[1]['a'][1]", "(x, {{'a': [x, {}]}})")):
        method = model(folder, around.format(expression))
        with pytest.raises(UnsupportedResult) as caught:
            result(method, tensor([1, 2], [1, 2]))
        assert caught.value.detail.startswith(f"result{location}: {kind} has no JSON form")
