"""`.pt2` archives made by hand: a program that adds a weight to its input, and a package."""

import io
import json
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

import torch

Json = dict[str, Any]

PROGRAM = "models/model.json"
WEIGHTS_CONFIG = "data/weights/model_weights_config.json"
CONSTANTS_CONFIG = "data/constants/model_constants_config.json"
WEIGHT = "data/weights/weight_0"
SAMPLE_INPUTS = "data/sample_inputs/model.pt"
FLOAT, STRIDED = 7, 7


def tensor_meta(*sizes: int) -> Json:
    """The metadata of a contiguous tensor of floats."""
    strides = torch.empty(sizes, device="meta").stride()
    return {
        "dtype": FLOAT,
        "sizes": [{"as_int": size} for size in sizes],
        "requires_grad": False,
        "device": {"type": "cpu", "index": None},
        "strides": [{"as_int": stride} for stride in strides],
        "storage_offset": {"as_int": 0},
        "layout": STRIDED,
    }


def tensor(name: str) -> Json:
    return {"as_tensor": {"name": name}}


def node(target: str, result: str, **arguments: Json) -> Json:
    return {
        "target": target,
        "inputs": [{"name": key, "arg": each, "kind": 1} for key, each in arguments.items()],
        "outputs": [tensor(result)],
        "metadata": {},
    }


def spec_of(node_type: str | None, *children: Json, context: Any = None) -> Json:
    return {"type": node_type, "context": context, "children_spec": list(children)}


def tree(*arguments: str) -> tuple[str, str]:
    """The trees of positional arguments that are tensors, and of one tensor as the result."""
    leaf = spec_of(None)
    positional = spec_of("builtins.tuple", *(leaf for _ in arguments), context="null")
    inputs = spec_of(
        "builtins.tuple", positional, spec_of("builtins.dict", context="[]"), context="null"
    )
    return json.dumps([1, inputs]), json.dumps([1, leaf])


def document_of_program() -> Json:
    """A program: y = x + w, for two floats each."""
    in_spec, out_spec = tree("x")
    graph = {
        "inputs": [tensor("p_w"), tensor("x")],
        "outputs": [tensor("y")],
        "nodes": [node("torch.ops.aten.add.Tensor", "y", self=tensor("x"), other=tensor("p_w"))],
        "tensor_values": {name: tensor_meta(2) for name in ("p_w", "x", "y")},
        "sym_int_values": {},
        "sym_bool_values": {},
        "is_single_tensor_return": False,
        "custom_obj_values": {},
        "sym_float_values": {},
    }
    signature = {
        "input_specs": [
            {"parameter": {"arg": {"name": "p_w"}, "parameter_name": "w"}},
            {"user_input": {"arg": tensor("x")}},
        ],
        "output_specs": [{"user_output": {"arg": tensor("y")}}],
    }
    call = {
        "inputs": [tensor("x")],
        "outputs": [tensor("y")],
        "in_spec": in_spec,
        "out_spec": out_spec,
        "forward_arg_names": ["x"],
    }
    return {
        "graph_module": {
            "graph": graph,
            "signature": signature,
            "module_call_graph": [{"fqn": "", "signature": call}],
            "metadata": {},
            "treespec_namedtuple_fields": {},
        },
        "opset_version": {"aten": 10},
        "range_constraints": {},
        "schema_version": {"major": 8, "minor": 20},
        "verifiers": ["TRAINING"],
        "torch_version": "2.13.0",
        "guards_code": [],
    }


def payload_meta(path_name: str, *sizes: int) -> Json:
    return {
        "path_name": path_name,
        "is_param": True,
        "use_pickle": False,
        "tensor_meta": tensor_meta(*sizes),
    }


def saved(value: object) -> bytes:
    data = io.BytesIO()
    torch.save(value, data)
    return data.getvalue()


def marks() -> dict[str, bytes]:
    return {
        "archive_format": b"pt2",
        "archive_version": b"0",
        ".data/version": b"6",
        "byteorder": b"little",
    }


def entries_of_program(first: float = 10.0, second: float = 20.0) -> dict[str, bytes]:
    """What torch.export.save writes for `document_of_program`, with these weights."""
    return {
        WEIGHT: struct.pack("<2f", first, second),
        WEIGHTS_CONFIG: json.dumps({"config": {"w": payload_meta("weight_0", 2)}}).encode(),
        CONSTANTS_CONFIG: b'{"config": {}}',
        PROGRAM: json.dumps(document_of_program()).encode(),
        SAMPLE_INPUTS: saved(((torch.ones(2),), {})),
        **marks(),
    }


def entries_of_package() -> dict[str, bytes]:
    """What a package holds, with a library that is none."""
    metadata = {"AOTI_PLATFORM": "linux", "AOTI_DEVICE_KEY": "cpu"}
    return {
        "data/aotinductor/model/m.wrapper_metadata.json": json.dumps(metadata).encode(),
        "data/aotinductor/model/m.wrapper.so": b"\x7fELF",
        **marks(),
    }


def packed(entries: Mapping[str, bytes], root: str = "m/") -> bytes:
    """Write an archive as torch does: all entries are stored, in one folder."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(root + name), content)
    return data.getvalue()
