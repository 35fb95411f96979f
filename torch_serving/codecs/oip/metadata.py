"""The metadata of the server and its models."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch_serving import __version__
from torch_serving.codecs.interfaces import MethodInfo
from torch_serving.codecs.json._decoder import TypeSpec
from torch_serving.codecs.oip.datatypes import (
    BYTES,
    OF_KIND,
    declared_datatype,
    usual_datatype,
)
from torch_serving.codecs.tensor_tree.specs import (
    TensorSpec,
    can_be_named,
    input_specs,
    is_vector,
    tensor_specs,
)

VERSION = "1"  # of every model: a file has no other
SERVER = {
    "name": "torch-serving",
    "version": __version__,
    "extensions": [
        "binary_tensor_data",
        "model_repository",
        "model_configuration",
        "statistics",
        "parameters",
    ],
}

ANY_TENSOR = (
    "a Tensor takes any datatype and shape: TorchScript records neither, so what is declared "
    "stands here, else what a request that works has, else the usual datatype and one dimension"
)
EACH_INPUT = "`*` stands for 0, 1, … of a list, or for a key: "
EACH_OUTPUT = "`*` stands for 0, 1, … of a list, or for a key, and is known from a response: "


def input_specs_of(method: MethodInfo) -> list[TensorSpec]:
    return [spec for argument in method.signature.arguments for spec in input_specs(argument)]


def output_specs_of(method: MethodInfo) -> list[TensorSpec]:
    return list(tensor_specs(method.signature.result, ""))


def model_metadata(
    model: str, method: MethodInfo, example: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The metadata of a model; `example` is a request that works."""
    usual = usual_datatype(method.weights_dtype)
    sent = {each["name"]: each for each in example["inputs"]} if example else {}
    specs = [spec for spec in input_specs_of(method) if spec.is_fixed]
    return {
        "name": model,
        "versions": [VERSION],
        "platform": method.platform,
        "inputs": [described(spec, usual, sent.get(spec.name)) for spec in specs],
        "outputs": [described(spec, usual) for spec in output_specs_of(method) if spec.is_fixed],
        "parameters": parameters_of(method),
    }


def described(
    spec: TensorSpec, usual: str, sent: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    datatype, shape = datatype_and_shape(spec.type_spec, sent["datatype"] if sent else usual)
    if sent and spec.type_spec.kind == "tensor" and not is_declared(spec.type_spec):
        shape = [-1] * len(sent["shape"])
    return {"name": spec.name, "datatype": datatype, "shape": shape}


def is_declared(spec: TypeSpec) -> bool:
    """Whether the shape of a tensor is declared."""
    return spec.constraint is not None and spec.constraint.shape is not None


def is_open(spec: TypeSpec) -> bool:
    """Whether a tensor has a type or a shape that nothing tells."""
    told = spec.constraint is not None and spec.constraint.data_type and is_declared(spec)
    return spec.kind == "tensor" and not told


def datatype_and_shape(spec: TypeSpec, usual: str) -> tuple[str, list[int]]:
    """Datatype and shape of one tensor."""
    if spec.kind == "tensor":
        shape = spec.constraint.shape if spec.constraint else None
        sizes = [-1] if shape is None else [each.least if each.is_fixed else -1 for each in shape]
        return declared_datatype(spec, usual), sizes
    part = spec.parts[0] if is_vector(spec) else spec
    return OF_KIND[part.kind], [-1] if is_vector(spec) else []


def parameters_of(method: MethodInfo) -> dict[str, str]:
    """Facts about a method that the lists of inputs and outputs have no room for."""
    inputs, outputs = input_specs_of(method), output_specs_of(method)
    refused = [
        f"{argument.name}: {argument.spec.type}"
        for argument in method.signature.arguments
        if not can_be_named(argument.spec)
    ]
    tensors = any(is_open(spec.type_spec) for spec in [*inputs, *outputs])
    parameters = {
        "signature": str(method.signature),
        "tensors": ANY_TENSOR if tensors else "",
        "optional_inputs": ", ".join(spec.name for spec in inputs if not spec.required),
        "variable_inputs": variable(EACH_INPUT, inputs),
        "variable_outputs": variable(EACH_OUTPUT, outputs),
        "refused_arguments": ", ".join(refused),
    }
    return {name: text for name, text in parameters.items() if text}


def variable(explanation: str, specs: Iterable[TensorSpec]) -> str:
    names = ", ".join(spec.name for spec in specs if not spec.is_fixed)
    return explanation + names if names else ""


def model_config(
    model: str, method: MethodInfo, example: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The metadata as Triton's model configuration."""
    metadata = model_metadata(model, method, example)
    return {
        "name": model,
        "platform": method.platform,
        "backend": "pytorch",
        "version_policy": {"latest": {"num_versions": 1}},
        "max_batch_size": method.batcher.max_batch if method.batcher else 0,
        "input": [configured(each) for each in metadata["inputs"]],
        "output": [configured(each) for each in metadata["outputs"]],
        "parameters": {
            name: {"string_value": text} for name, text in metadata["parameters"].items()
        },
    }


def configured(described: dict[str, Any]) -> dict[str, Any]:
    datatype = described["datatype"]
    data_type = "TYPE_STRING" if datatype == BYTES else f"TYPE_{datatype}"
    return {"name": described["name"], "data_type": data_type, "dims": described["shape"]}
