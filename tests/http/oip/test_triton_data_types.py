"""Tensors of all data types, sent and received by tritonclient."""

import ml_dtypes
import numpy as np
import pytest
import tritonclient.http as triton

from tests.support.triton import FLOATS, given, wanted

NUMPY = {
    "BOOL": "bool",
    **{f"INT{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": f"float{bits}" for bits in (16, 32, 64)},
}


@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize("received", [True, False])
@pytest.mark.parametrize("shape", [(2, 3), (6,), (), (0,), (2, 0, 3), (1, 1, 1, 6)])
def test_binary_data_and_json_both_ways(
    asked: triton.InferenceServerClient, sent: bool, received: bool, shape: tuple
):
    array = np.resize(FLOATS, shape)
    result = asked.infer(
        "echo.pt", [given("x", array, binary=sent)], outputs=wanted("output_0", binary=received)
    )
    assert np.array_equal(result.as_numpy("output_0"), array)
    assert result.as_numpy("output_0").shape == array.shape
    assert ("data" in result.get_output("output_0")) is not received


@pytest.mark.parametrize("datatype", NUMPY)
@pytest.mark.parametrize("binary", [True, False])
def test_every_datatype(asked: triton.InferenceServerClient, datatype: str, binary: bool):
    low, high = 0, 2
    if "INT" in datatype:
        low, high = np.iinfo(NUMPY[datatype]).min, np.iinfo(NUMPY[datatype]).max
    array = np.array([[low, 1, high]], NUMPY[datatype])
    result = asked.infer(
        "echo.pt",
        [given("x", array, datatype, binary)],
        outputs=wanted("output_0", binary=binary),
    )
    assert result.get_output("output_0")["datatype"] == datatype
    assert np.array_equal(result.as_numpy("output_0"), array)
    assert result.as_numpy("output_0").dtype == array.dtype


def test_bfloat16(asked: triton.InferenceServerClient):
    array = np.array([1.5, -3.25, 0.0], ml_dtypes.bfloat16)
    result = asked.infer("echo.pt", [given("x", array, "BF16")])
    assert result.get_output("output_0")["datatype"] == "BF16"
    assert np.array_equal(result.as_numpy("output_0"), array)
    result = asked.infer(
        "echo.pt", [given("x", array, "BF16")], outputs=wanted("output_0", binary=False)
    )
    assert np.array_equal(result.as_numpy("output_0").astype("float32"), array.astype("float32"))


@pytest.mark.parametrize("binary", [True, False])
def test_what_json_has_no_numbers_for(asked: triton.InferenceServerClient, binary: bool):
    array = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45], "float32")
    result = asked.infer(
        "echo.pt",
        [given("x", array, binary=binary)],
        outputs=wanted("output_0", binary=binary),
    )
    response = result.as_numpy("output_0")
    assert np.array_equal(response, array, equal_nan=True)
    assert np.array_equal(np.signbit(response), np.signbit(array))


@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize("received", [True, False])
def test_strings(asked: triton.InferenceServerClient, sent: bool, received: bool):
    array = np.array(["é", "", '\U0001f600 \\"\n'], object)
    inputs = [
        given("n", np.array([1, 2**62], "int64"), "INT64"),
        given("f", np.array([0.5], "float64"), "FP64"),
        given("b", np.array([True, False]), "BOOL"),
        given("s", array, "BYTES", sent),
    ]
    names = ["output_3", "output_0"]
    result = asked.infer("lists_of_all.pt", inputs, outputs=wanted(*names, binary=received))
    strings = [t.decode() if isinstance(t, bytes) else t for t in result.as_numpy("output_3")]
    assert strings == array.tolist()
    assert result.as_numpy("output_0").tolist() == [1, 2**62]


@pytest.mark.parametrize("shape", [(), (1,)])
def test_numbers_and_strings_of_their_own(asked: triton.InferenceServerClient, shape: tuple):
    inputs = [
        given("n", np.full(shape, -3, "int64"), "INT64"),
        given("f", np.full(shape, 0.1, "float64"), "FP64"),
        given("b", np.full(shape, True), "BOOL"),
        given("s", np.full(shape, b"text", object), "BYTES"),
    ]
    result = asked.infer("scalars.pt", inputs)
    values = [result.as_numpy(f"output_{index}") for index in range(4)]
    assert [value.shape for value in values] == [()] * 4
    assert [value.item() for value in values] == [-3, 0.1, True, b"text"]
