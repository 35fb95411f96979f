"""Values that go through a real server and come back: as arrays, as JSON, by position and name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.pictures import PICTURE, PIXELS
from tests.support.same_values import same
from torch_serving.client import Client, Image, InvalidRequest, bodies, calls

DATA_TYPES = [
    *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
]
RANGE = np.arange(24).reshape(2, 3, 4)
ARRAYS = {
    **{name: RANGE.astype(name) for name in DATA_TYPES},
    "no dimensions": np.array(5, np.int64),
    "nothing": np.zeros((0, 3), np.float32),
    "nothing twice": np.zeros((2, 0, 0), np.int64),
    "transposed": RANGE.astype(np.float32).T,
    "strided": RANGE.astype(np.float32)[:, ::2, ::-1],
    "expanded": np.broadcast_to(np.float32(3), (2, 3)),
    "columns first": np.asfortranarray(RANGE.astype(np.float64)),
    "big-endian": RANGE.astype(">i8"),
    "big-endian float": RANGE.astype(">f4")[::2],
    "extremes": np.array([-(2**63), 2**63 - 1, 2**53 + 1]),
    "unsigned": np.array([0, 2**64 - 1], np.uint64),
    "not numbers": np.array([np.nan, np.inf, -np.inf, -0.0], np.float32),
    "least": np.array([5e-324, 1.7976931348623157e308]),
    "read-only": np.frombuffer(b"\1\2\3\4", np.uint8),
    "matrix": np.ones((2, 2), np.float32).view(np.ndarray),
}


@pytest.fixture(params=["binary", "nested", "json"])
def either(request: pytest.FixtureRequest, url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Clients: with binary bodies where they can be, with binary results as well, and with JSON."""
    if request.param == "nested":
        monkeypatch.setattr(calls, "LARGE_BYTES", 0)
    if request.param == "json":
        monkeypatch.setattr(bodies, "npy_body", lambda _: None)
        monkeypatch.setattr(bodies, "named_body", lambda _: None)
    with Client(url) as client:
        yield client


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(either: Client, name: str):
    array = ARRAYS[name]
    echo = either["echo.pt"]
    same(array, echo(array))
    came = echo(x=array)
    same(array, came)
    assert came.flags.writeable


@pytest.mark.parametrize(
    ("model", "value"),
    [
        ("float.pt", 2.5),
        ("float.pt", float("inf")),
        ("int.pt", -(2**63)),
        ("bool.pt", True),
        ("str.pt", 'ü\u2028\0 "\\ 😀'),
        ("list.pt", [np.ones(2, np.float32), np.zeros((0,), np.int64)]),
        ("list.pt", []),
        ("ints.pt", []),
        ("ints.pt", [2**63 - 1, 0]),
        ("lists.pt", [[1], [], [2, 3]]),
        ("lists.pt", [[]]),
        ("tuple.pt", [np.ones(2, np.float16), 3]),
        ("dict.pt", {"a": 1, "ü.b": 2}),
        ("dict.pt", {}),
        ("dict.pt", {f"key {at}": at for at in range(2000)}),
        ("tensors.pt", {"a": np.ones(2), "b": np.zeros((1, 2), np.int32)}),
        ("tensors.pt", {"a.b": np.ones(2), "a": np.ones(2)}),
    ],
)
def test_other_values(either: Client, model: str, value: Any):
    argument = {"f": "f", "i": "n", "b": "b", "s": "s", "t": "t"}.get(model[0], "d")
    argument = {"ints.pt": "d", "tensors.pt": "d"}.get(model, argument)
    same(value, either[model](value))
    same(value, either[model](**{argument: value}))


def test_many_arguments(either: Client):
    x, y = np.ones(2, np.float32), np.arange(2, dtype=np.float32)
    given = {"d": [x], "o": y, "td": {"t": x}, "n": 3, "s": "ü"}
    expected = [{"ü": [[x + y, x], "ü!", 4]}, "ü"]
    same(expected, either["mixed.pt"](**given))
    same(expected, either["mixed.pt"](*given.values()))
    same(expected, either["mixed.pt"]([x], y, s="ü", td={"t": x}, n=3))
    same([1, 0.5, True, "a"], either["scalars.pt"](n=1, f=0.5, b=True, s="a"))
    same(x + y, either["optional.pt"](x, y))
    same(x, either["optional.pt"](x=x, y=None))
    same(x * 2, either["default.pt"](x))
    same(x * 5, either["default.pt"](x=x, n=5))
    assert either["nothing.pt"](x) is None


def test_numbers_of_numpy_are_numbers(models: Client):
    given = {"n": np.int32(3), "f": np.float32(0.5), "b": np.bool_(True), "s": np.str_("a")}
    same([3, 0.5, True, "a"], models["scalars.pt"](**given))
    same(["a", "bb"], models["lists_of_all.pt"]([], [], [], np.array(["a", "bb"]))[3])


def test_an_argument_that_binary_bodies_lack(models: Client):
    x = np.ones(2, np.float32)
    for _ in range(2):
        same(x, models["anything.pt"](x=x, a=x))


def test_bfloat16_comes_as_float32(models: Client):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    numbers = np.array([1.5, -0.0, np.inf], np.float32)
    for given in (numbers.astype(ml_dtypes.bfloat16), torch.from_numpy(numbers).bfloat16()):
        same(numbers, models["echo.pt"](given))
        same(numbers, models["echo.pt"](x=given))


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "int64", "bool", "complex64", "uint16"])
@pytest.mark.parametrize("large_bytes", [0, 1 << 60], ids=["nested", "json"])
def test_tensors(models: Client, dtype: str, large_bytes: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(calls, "LARGE_BYTES", large_bytes)
    x = torch.arange(6).reshape(2, 3).to(getattr(torch, dtype)).t()
    came = models["echo.pt"].with_options(results="torch")(x)
    assert came.dtype == x.dtype
    assert torch.equal(came, x)


def test_a_tensor_that_is_a_view(models: Client):
    conjugate = torch.full((2,), 1 + 2j).conj().requires_grad_()
    same(np.array([1 - 2j, 1 - 2j], np.complex64), models["echo.pt"](conjugate))


def test_images(models: Client, tmp_path: Path):
    path, expected = tmp_path / "a.png", PIXELS.transpose(2, 0, 1)
    PICTURE.save(path)
    for image in (path, PICTURE, Image(str(path)), Image(path.read_bytes())):
        same(expected, models["echo.pt"](image))
    batch = Image(path, mode="L", layout="HWC", batch=True, data_type="float32")
    assert models["echo.pt"](x=batch).shape == (1, 4, 6, 1)
    same([expected, expected], models["list.pt"]([PICTURE, path]))
    same({"a": expected}, models["tensors.pt"]({"a": PICTURE}))


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (object(), "argument 1: a value of type object"),
        ([1, {"a": [object()]}], r"argument 1\[1\]\['a'\]\[0\]: a value of type object"),
        (np.array([object()]), "argument 1: an array of object"),
        (np.array(["2020"], "datetime64[D]"), "argument 1: an array of datetime64"),
        (torch.ones(2, 2).to_sparse(), "argument 1: a tensor must be dense"),
        (torch.ones(2).to(torch.float8_e5m2), "argument 1: a tensor of torch.float8_e5m2"),
        (torch.ones(2, device="meta"), "argument 1: a tensor of the device meta"),
        (b"bytes", "argument 1: a value of type bytes"),
        (np.bytes_(b"a"), "argument 1: a value of type bytes"),
        (np.longdouble(1.5), "argument 1: a value of type longdouble"),
        (np.datetime64("2020-01-01"), "argument 1: a value of type date"),
    ],
)
def test_what_can_not_be_sent(models: Client, value: Any, where: str):
    with pytest.raises(TypeError, match=where):
        models["echo.pt"](value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.5, np.array(1.5, np.float32)),
        (np.float16(2), np.array(2, np.float32)),
        ([1, 2.5], np.array([1, 2.5], np.float32)),
        ([[1, 2], [3, 4]], np.array([[1, 2], [3, 4]], np.float32)),
        ([[np.float64(1)], [float("inf")]], np.array([[1], [np.inf]], np.float32)),
        ([], np.array([], np.float32)),
    ],
)
def test_numbers_are_tensors_where_the_model_has_one(either: Client, value: Any, expected: Any):
    for _ in range(2):
        same(expected, either["echo.pt"](value))
    same(expected, either["echo.pt"](x=value))


def test_a_list_that_is_no_tensor(models: Client):
    for value in ([[1], [2, 3]], [1, "a"], [None]):
        with pytest.raises(InvalidRequest):
            models["echo.pt"](value)


def test_a_value_that_holds_itself(models: Client):
    value: list[Any] = []
    value.append(value)
    for call in (lambda: models["echo.pt"](value), lambda: models["echo.pt"](x={"y": value})):
        with pytest.raises(ValueError, match="an argument holds itself"):
            call()


def test_an_integer_that_is_too_large(models: Client):
    with pytest.raises(ValueError, match="argument `n`: an integer does not fit 64 bits"):
        models["int.pt"](n=2**63)


def test_arguments_given_twice_or_too_many(models: Client):
    with pytest.raises(TypeError, match="argument `x` was given twice"):
        models["two.pt"](np.ones(1), x=np.ones(1))
    with pytest.raises(TypeError, match="takes 2 arguments"):
        models["two.pt"](np.ones(1), np.ones(1), np.ones(1), z=1)
    with pytest.raises(InvalidRequest, match="has no method `backward`"):
        models["two.pt"].backward(np.ones(1), y=1)
