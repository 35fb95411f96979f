"""Arguments as bodies of every wire form, and results read back from them."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

import numpy as np
import safetensors.torch
import torch

from tests.support.oip import body_of
from torch_serving import InferenceRequest
from torch_serving.codecs.interfaces import Response
from torch_serving.codecs.media_types import OIP
from torch_serving.codecs.oip.datatypes import DATATYPES, OF_TENSOR
from torch_serving.codecs.safetensors import SAFETENSORS

SAFE = SAFETENSORS.media_type
Arguments = dict[str, Any]  # by name, in the order of the signature
Results = dict[str, Any]  # by path


class Form(NamedTuple):
    """One way to ask. `encode` returns None where the arguments have no such form."""

    name: str
    encode: Callable[[Arguments], bytes | None]
    decode: Callable[[Response], Results]
    media_type: str | None = None
    is_binary: bool = True  # its results are tensors alone

    def request(self, model: str, body: bytes) -> InferenceRequest:
        length = len(body)
        if self.media_type == OIP:
            length = json.JSONDecoder().raw_decode(body.decode("latin-1"))[1]
        return InferenceRequest(
            model, content_type=self.media_type, accept=self.media_type, json_bytes=length
        )


def positional_body(arguments: Arguments) -> bytes:
    return json.dumps([json_of(value) for value in arguments.values()]).encode()


def named_body(arguments: Arguments) -> bytes:
    return json.dumps({name: json_of(value) for name, value in arguments.items()}).encode()


def bare_body(arguments: Arguments) -> bytes | None:
    values = list(arguments.values())
    return json.dumps(json_of(values[0])).encode() if len(values) == 1 else None


def json_of(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        flat = value.resolve_conj().reshape(-1)
        flat = torch.view_as_real(flat).reshape(-1) if flat.is_complex() else flat
        data_type = str(value.dtype).removeprefix("torch.")
        head = {"type": "tensor", "shape": list(value.shape), "data_type": data_type}
        return {**head, "value": flat.tolist()}
    parts = dict(parts_of(value))
    if isinstance(value, dict):
        return {
            "type": "generic_dict",
            "value": {key: json_of(each) for key, each in parts.items()},
        }
    if isinstance(value, list | tuple) or parts:
        return [json_of(each) for each in parts.values()]
    return value


def parts_of(value: Any) -> Iterator[tuple[str | int, Any]]:
    """The parts of a container by key, field or index; nothing for other values."""
    if isinstance(value, dict):
        yield from value.items()
    elif is_dataclass(value):
        yield from ((field.name, getattr(value, field.name)) for field in fields(value))
    elif isinstance(value, list | tuple):
        yield from zip(getattr(value, "_fields", range(len(value))), value, strict=True)


def leaves(value: Any, path: str = "") -> Results:
    """The values in a tree by path."""
    if isinstance(value, list | tuple | dict) or is_dataclass(value):
        found: Results = {}
        for key, part in parts_of(value):
            name = f"output_{key}" if isinstance(key, int) else key
            found |= leaves(part, f"{path}.{key}" if path else name)
        return found
    return {path or "output_0": value}


def tensors_of(results: Results) -> Results:
    """What a binary form has of some values: tensors alone. Words and None are left out."""
    return {
        name: torch.as_tensor(np.asarray(value) if isinstance(value, float) else value)
        for name, value in results.items()
        if value is not None and not isinstance(value, str)
    }


def input_tensors(arguments: Arguments) -> dict[str, torch.Tensor]:
    return {
        name: value.contiguous()
        for name, value in tensors_of(leaves_of_arguments(arguments)).items()
    }


def leaves_of_arguments(arguments: Arguments) -> Results:
    found: Results = {}
    for name, value in arguments.items():
        found |= leaves(value, name)
    return found


def json_results(response: Response) -> Results:
    return leaves(value_of(json.loads(response.body)["result"]))


def value_of(document: Any) -> Any:
    """A result of JSON as Python has it."""
    if isinstance(document, list):
        return [value_of(each) for each in document]
    kind, value = document["type"], document.get("value")
    if kind == "tensor":
        return tensor_of(document["data_type"], document["shape"], value)
    if kind in ("generic_dict", "named_tuple"):
        return {key: value_of(each) for key, each in value.items()}
    return value


def tensor_of(data_type: str, shape: Sequence[int], values: list[Any]) -> torch.Tensor:
    dtype = getattr(torch, data_type)
    numbers = [float(each) if isinstance(each, str) else each for each in values]
    if dtype.is_complex:
        pairs = torch.tensor(numbers, dtype=torch.float32).reshape(-1, 2)
        return torch.view_as_complex(pairs).reshape(*shape)
    return torch.tensor(numbers, dtype=dtype).reshape(tuple(shape))


def oip_json_body(arguments: Arguments) -> bytes | None:
    tensors = input_tensors(arguments)
    if any(tensor.is_complex() for tensor in tensors.values()):
        return None
    inputs = [
        {**head_of(name, tensor), "data": tensor.reshape(-1).tolist()}
        for name, tensor in tensors.items()
    ]
    return json.dumps({"inputs": inputs}).encode()


def oip_binary_body(arguments: Arguments) -> bytes | None:
    tensors = input_tensors(arguments)
    if any(tensor.is_complex() for tensor in tensors.values()):
        return None
    buffers = [bytes_of(tensor) for tensor in tensors.values()]
    inputs = [
        {**head_of(name, tensor), "parameters": {"binary_data_size": len(buffer)}}
        for (name, tensor), buffer in zip(tensors.items(), buffers, strict=True)
    ]
    body, _ = body_of(inputs, *buffers, parameters={"binary_data_output": True})
    return body


def head_of(name: str, tensor: torch.Tensor) -> dict[str, Any]:
    return {"name": name, "datatype": OF_TENSOR[tensor.dtype], "shape": list(tensor.shape)}


def bytes_of(tensor: torch.Tensor) -> bytes:
    return tensor.reshape(-1).view(torch.uint8).numpy().tobytes()


def oip_results(response: Response) -> Results:
    lengths = dict(response.headers).get("inference-header-content-length")
    start = int(lengths) if lengths else len(response.body)
    found: Results = {}
    for output in json.loads(response.body[:start])["outputs"]:
        datatype, shape = DATATYPES[output["datatype"]], output["shape"]
        if "data" in output:
            found[output["name"]] = tensor_of(datatype.json, shape, output["data"])
            continue
        end = start + output["parameters"]["binary_data_size"]
        array = np.frombuffer(response.body[start:end], datatype.array).copy()
        found[output["name"]] = torch.from_numpy(array).view(datatype.tensor).reshape(shape)
        start = end
    return found


def safetensors_body(arguments: Arguments) -> bytes:
    return safetensors.torch.save(input_tensors(arguments))


def safetensors_results(response: Response) -> Results:
    return dict(safetensors.torch.load(response.body))


FORMS = {
    form.name: form
    for form in (
        Form("positional", positional_body, json_results, is_binary=False),
        Form("named", named_body, json_results, is_binary=False),
        Form("bare", bare_body, json_results, is_binary=False),
        Form("oip-json", oip_json_body, oip_results, OIP),
        Form("oip-binary", oip_binary_body, oip_results, OIP),
        Form("safetensors", safetensors_body, safetensors_results, SAFE),
    )
}
