"""Named tensors -> arguments, results -> named tensors: without HTTP, and without a protocol."""

from typing import Any, NamedTuple

import pytest
import torch

from tests.support.servables import scripted
from torch_serving.codecs.signature import Signature
from torch_serving.codecs.tensor_tree.flatten import flatten
from torch_serving.codecs.tensor_tree.specs import StringTensor, input_specs, tensor_specs
from torch_serving.codecs.tensor_tree.unflatten import MAX_TENSORS, unflatten
from torch_serving.errors import (
    IncompatibleDtype,
    IncompatibleShape,
    InvalidInput,
    ServingError,
    UnsupportedResult,
)
from torch_serving.models.backends.torchscript.schema import signature_of

CPU = torch.device("cpu")


def signature(arguments: str, result: str = "int", body: str = "return 1") -> Signature:
    return signature_of(scripted(arguments, result, body).forward.schema)


def bound(arguments: str, **tensors: Any) -> list[Any]:
    names = {name.replace("__", "."): value for name, value in tensors.items()}
    return unflatten(signature(arguments).arguments, names)


def text(*values: str, shape: tuple[int, ...] | None = None) -> StringTensor:
    return StringTensor((len(values),) if shape is None else shape, list(values))


def number(value: float, dtype: torch.dtype = torch.int64) -> torch.Tensor:
    return torch.tensor(value, dtype=dtype)


ONE, TWO = torch.ones(1), torch.ones(2)


@pytest.mark.parametrize(
    ("arguments", "tensors", "expected"),
    [
        ("x: Tensor", {"x": ONE}, [ONE]),
        ("n: int", {"n": number(3)}, [3]),
        ("n: int", {"n": torch.tensor([3], dtype=torch.uint8)}, [3]),
        ("n: int", {"n": number(-(2**63))}, [-(2**63)]),
        ("f: float", {"f": number(0.5, torch.float16)}, [0.5]),
        ("f: float", {"f": number(2)}, [2.0]),
        ("b: bool", {"b": number(True, torch.bool)}, [True]),
        ("n: number", {"n": number(True, torch.bool)}, [True]),
        ("n: number", {"n": number(2.5, torch.float64)}, [2.5]),
        ("s: str", {"s": text("é", shape=())}, ["é"]),
        ("s: str", {"s": text("é")}, ["é"]),
        ("n: List[int]", {"n": torch.tensor([1, 2])}, [[1, 2]]),
        ("n: List[int]", {"n": torch.empty(0, dtype=torch.int32)}, [[]]),
        ("n: List[float]", {"n": torch.tensor([1, 2])}, [[1.0, 2.0]]),
        ("n: List[bool]", {"n": torch.tensor([True, False])}, [[True, False]]),
        ("n: List[str]", {"n": text("a", "")}, [["a", ""]]),
        ("d: List[Tensor]", {"d__0": ONE, "d__1": TWO}, [[ONE, TWO]]),
        ("d: List[List[int]]", {"d__0": torch.tensor([1]), "d__1": torch.tensor([2, 3])},
         [[[1], [2, 3]]]),
        ("t: Tuple[Tensor, int]", {"t__0": ONE, "t__1": number(2)}, [(ONE, 2)]),
        ("t: Tuple[Tensor, Optional[int]]", {"t__0": ONE}, [(ONE, None)]),
        ("d: Dict[str, Tensor]", {"d__a": ONE, "d__b__c": TWO}, [{"a": ONE, "b.c": TWO}]),
        ("d: Dict[str, List[Tensor]]", {"d__a__0": ONE, "d__a__1": TWO}, [{"a": [ONE, TWO]}]),
        ("x: Tensor, n: int = 7", {"x": ONE}, [ONE, 7]),
        ("x: Tensor, y: Optional[Tensor]", {"x": ONE}, [ONE, None]),
        ("x: Tensor, y: Optional[Tensor] = None", {"x": ONE, "y": TWO}, [ONE, TWO]),
        ("d: Optional[List[Tensor]] = None", {}, [None]),
        ("x: Tensor, a: Optional[Any] = None", {"x": ONE}, [ONE, None]),
    ],
)  # fmt: skip
def test_what_arguments_are_made_of(arguments: str, tensors: dict[str, Any], expected: list[Any]):
    values = bound(arguments, **tensors)
    assert repr(values) == repr(expected)


@pytest.mark.parametrize(
    ("arguments", "tensors", "error", "problem"),
    [
        ("x: Tensor", {}, InvalidInput, "input `x`: Tensor is missing"),
        ("x: Tensor", {"y": ONE}, InvalidInput, "input `x`: Tensor is missing; got `y`"),
        ("x: Tensor", {"x": ONE, "y": ONE}, InvalidInput, "input `y` is unknown; expected x"),
        ("x: Tensor", {"x": text("a")}, IncompatibleDtype, "expected a tensor of numbers"),
        ("n: int", {"n": ONE}, IncompatibleDtype, "input `n`: expected int, got float32"),
        ("n: int", {"n": number(True, torch.bool)}, IncompatibleDtype, "expected int, got bool"),
        ("n: int", {"n": number(2**63, torch.uint64)}, IncompatibleDtype, "does not fit int64"),
        ("n: int", {"n": torch.tensor([1, 2])}, IncompatibleShape, r"shape \[\] or \[1\].*\[2\]"),
        ("n: int", {"n": torch.tensor([[1]])}, IncompatibleShape, r"got \[1, 1\]"),
        ("n: int", {"n": torch.empty(0, dtype=torch.int64)}, IncompatibleShape, r"got \[0\]"),
        ("f: float", {"f": number(1, torch.complex64)}, IncompatibleDtype, "got complex64"),
        ("f: float", {"f": text("1")}, IncompatibleDtype, "expected float, got strings"),
        ("b: bool", {"b": number(1)}, IncompatibleDtype, "expected bool, got int64"),
        ("n: number", {"n": text("1")}, IncompatibleDtype, "got strings"),
        ("s: str", {"s": ONE}, IncompatibleDtype, "expected str, got float32"),
        ("s: str", {"s": text("a", "b")}, IncompatibleShape, r"got \[2\]"),
        ("n: List[int]", {"n": number(1)}, IncompatibleShape, r"one dimension.*got \[\]"),
        ("n: List[int]", {"n": torch.ones(1, 1).long()}, IncompatibleShape, r"got \[1, 1\]"),
        ("n: List[int]", {"n": ONE}, IncompatibleDtype, r"expected List\[int\], got float32"),
        ("d: List[Tensor]", {}, InvalidInput, r"input `d\.\*`"),
        ("d: List[Tensor]", {"d__1": ONE}, InvalidInput, "is missing"),
        ("d: List[Tensor]", {"d__0": ONE, "d__2": ONE}, InvalidInput, "`d.2` is unknown"),
        ("d: List[Tensor]", {"d__00": ONE}, InvalidInput, "is missing"),
        ("t: Tuple[Tensor, int]", {"t__0": ONE}, InvalidInput, r"`t\.1`: int is missing"),
        ("d: Dict[str, int]", {"d__a": ONE}, IncompatibleDtype, r"input `d\.a`"),
        ("d: Dict[int, int]", {"d__1": number(1)}, InvalidInput, "has no form as tensors"),
        ("a: Any", {"a": ONE}, InvalidInput, "argument `a`: Any has no form as tensors"),
        ("c: complex", {"c": ONE}, InvalidInput, "has no form as tensors"),
        ("u: Union[int, str]", {"u": ONE}, InvalidInput, "has no form as tensors"),
    ],
)
def test_what_is_refused(
    arguments: str, tensors: dict[str, Any], error: type[ServingError], problem: str
):
    with pytest.raises(error, match=problem):
        bound(arguments, **tensors)


def test_so_many_inputs_that_nobody_looks_for_them():
    tensors = {f"d.{index}": ONE for index in range(MAX_TENSORS + 1)}
    with pytest.raises(InvalidInput, match="1025 inputs; the limit is 1024"):
        unflatten(signature("d: List[Tensor]").arguments, tensors)


class Pair(NamedTuple):
    first: torch.Tensor
    second: list[int]


@pytest.mark.parametrize(
    ("value", "result", "expected"),
    [
        (ONE, "Tensor", {"output_0": ONE}),
        (3, "int", {"output_0": number(3)}),
        (True, "bool", {"output_0": number(True, torch.bool)}),
        (0.5, "float", {"output_0": number(0.5, torch.float64)}),
        ("é", "str", {"output_0": text("é", shape=())}),
        ([1, 2], "List[int]", {"output_0": torch.tensor([1, 2])}),
        ([True], "List[bool]", {"output_0": torch.tensor([True])}),
        (["a", "b"], "List[str]", {"output_0": text("a", "b")}),
        ([], "List[int]", {"output_0": torch.empty(0, dtype=torch.int64)}),
        ([], "List[str]", {"output_0": text()}),
        ([], "List[Tensor]", {}),
        ([ONE, TWO], "List[Tensor]", {"output_0": ONE, "output_1": TWO}),
        ((ONE, 2), "Tuple[Tensor, int]", {"output_0": ONE, "output_1": number(2)}),
        ((ONE, None), "Tuple[Tensor, Optional[int]]", {"output_0": ONE}),
        (
            ([], [ONE]),
            "Tuple[List[float], List[Tensor]]",
            {"output_0": torch.empty(0, dtype=torch.float64), "output_1.0": ONE},
        ),
        ({"a": ONE, "b": TWO}, "Dict[str, Tensor]", {"a": ONE, "b": TWO}),
        ({1: ONE}, "Dict[int, Tensor]", {"1": ONE}),
        ({"a": []}, "Dict[str, List[int]]", {"a": torch.empty(0, dtype=torch.int64)}),
        ({}, "Dict[str, Tensor]", {}),
        (None, "Optional[Tensor]", {}),
        (Pair(ONE, [1]), "Any", {"first": ONE, "second": torch.tensor([1])}),
        (
            [{"boxes": ONE, "labels": [1]}, {"boxes": TWO, "labels": []}],
            "List[Dict[str, Tensor]]",
            {"output_0.boxes": ONE, "output_0.labels": torch.tensor([1]), "output_1.boxes": TWO},
        ),
    ],
)
def test_what_results_are_called(value: Any, result: str, expected: dict[str, Any]):
    spec = None if result == "Any" else spec_of_result(result)
    assert repr(flatten(value, spec)) == repr(expected)


def spec_of_result(result: str) -> Any:
    """An argument's type is compiled in the same way, and needs no value of it."""
    return signature(f"x: {result}").arguments[0].spec


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (2**70, "does not fit 64 bits"),
        ([2**70], "does not fit 64 bits"),
        (1j, "a value of type complex has no form as tensors"),
        ({"a": {"b": 1j}}, "result `a.b`"),
        ({ONE: 1}, "a key of type Tensor"),
        ({"a.b": 1, "a": {"b": 2}}, "two parts of the result are called `a.b`"),
    ],
)
def test_results_that_have_no_names(value: Any, problem: str):
    with pytest.raises(UnsupportedResult, match=problem):
        flatten(value, None)


def test_names_that_are_known_beforehand_and_those_that_are_not():
    known = signature("x: Tensor, d: List[Tensor], n: int = 2")
    specs = [tensor for argument in known.arguments for tensor in input_specs(argument)]
    assert [(tensor.name, tensor.is_fixed, tensor.required) for tensor in specs] == [
        ("x", True, True),
        ("d.*", False, True),
        ("n", True, False),
    ]
    spec = spec_of_result("Tuple[Tensor, Dict[str, List[Tensor]], List[int]]")
    assert [tensor.name for tensor in tensor_specs(spec, "")] == [
        "output_0",
        "output_1.*.*",
        "output_2",
    ]
