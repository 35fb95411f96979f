"""The protocol's data types, as rows: their names in JSON, in numpy and in torch."""

from typing import Any, NamedTuple

import numpy as np
import torch

from torch_serving.codecs.json._decoder import TypeSpec

BYTES = "BYTES"


class Datatype(NamedTuple):
    """`json` is the decoder's name for it. numpy has no bfloat16: `array` is that of its bits."""

    name: str
    json: str
    array: np.dtype[Any]
    tensor: torch.dtype


def row(name: str, json: str, array: str = "") -> Datatype:
    return Datatype(name, json, np.dtype(array or json), getattr(torch, json))


DATATYPES = {
    each.name: each
    for each in (
        row("BOOL", "bool"),
        *(row(f"INT{bits}", f"int{bits}") for bits in (8, 16, 32, 64)),
        *(row(f"UINT{bits}", f"uint{bits}") for bits in (8, 16, 32, 64)),
        row("FP16", "float16"),
        row("BF16", "bfloat16", "uint16"),
        row("FP32", "float32"),
        row("FP64", "float64"),
    )
}
NAMES = (*DATATYPES, BYTES)
OF_JSON = {each.json: each.name for each in DATATYPES.values()}
OF_TENSOR = {each.tensor: each.name for each in DATATYPES.values()}
# Datatypes of the numbers and strings in a schema, by kind.
OF_KIND = {"int": "INT64", "float": "FP64", "number": "FP64", "bool": "BOOL", "str": BYTES}


def declared_datatype(spec: TypeSpec, usual: str) -> str:
    """The datatype that is declared of a tensor, or the usual one."""
    declared = spec.constraint.data_type if spec.constraint else ""
    return OF_JSON.get(declared, usual)


def usual_datatype(dtype: torch.dtype | None) -> str:
    """The datatype that a model's tensors usually have: that of its weights."""
    return OF_TENSOR.get(dtype, "FP32") if dtype else "FP32"
