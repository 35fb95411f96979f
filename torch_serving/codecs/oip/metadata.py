"""What the protocol tells of the server and its models."""

from collections.abc import Iterable
from typing import Any

from torch_serving import __version__
from torch_serving.codecs.interfaces import MethodInfo
from torch_serving.codecs.json._decoder import TypeSpec
from torch_serving.codecs.oip.datatypes import BYTES, OF_KIND, usual_datatype
from torch_serving.codecs.tensor_tree.specs import (
    Slot,
    can_be_named,
    inputs_of,
    is_vector,
    slots_of,
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
    "a Tensor takes any datatype and shape: TorchScript does not tell them, so the usual datatype "
    "and one dimension stand here for all"
)
EACH_INPUT = "`*` stands for 0, 1, … of a list, or for a key: "
EACH_OUTPUT = "`*` stands for 0, 1, … of a list, or for a key, and is known from an answer: "


def input_slots(method: MethodInfo) -> list[Slot]:
    return [slot for argument in method.signature.arguments for slot in inputs_of(argument)]


def output_slots(method: MethodInfo) -> list[Slot]:
    return list(slots_of(method.signature.result, ""))


def model_metadata(model: str, method: MethodInfo) -> dict[str, Any]:
    usual = usual_datatype(method.weights_dtype)
    return {
        "name": model,
        "versions": [VERSION],
        "platform": method.platform,
        "inputs": [described(slot, usual) for slot in input_slots(method) if slot.is_fixed],
        "outputs": [described(slot, usual) for slot in output_slots(method) if slot.is_fixed],
        "parameters": parameters_of(method),
    }


def described(slot: Slot, usual: str) -> dict[str, Any]:
    datatype, shape = datatype_and_shape(slot.spec, usual)
    return {"name": slot.name, "datatype": datatype, "shape": shape}


def datatype_and_shape(spec: TypeSpec, usual: str) -> tuple[str, list[int]]:
    """Datatype and shape of one tensor."""
    if spec.kind == "tensor":
        return usual, [-1]
    part = spec.parts[0] if is_vector(spec) else spec
    return OF_KIND[part.kind], [-1] if is_vector(spec) else []


def parameters_of(method: MethodInfo) -> dict[str, str]:
    """What inputs and outputs can't say of themselves."""
    inputs, outputs = input_slots(method), output_slots(method)
    refused = [
        f"{argument.name}: {argument.spec.type}"
        for argument in method.signature.arguments
        if not can_be_named(argument.spec)
    ]
    tensors = any(slot.spec.kind == "tensor" for slot in [*inputs, *outputs])
    told = {
        "signature": str(method.signature),
        "tensors": ANY_TENSOR if tensors else "",
        "optional_inputs": ", ".join(slot.name for slot in inputs if not slot.required),
        "variable_inputs": variable(EACH_INPUT, inputs),
        "variable_outputs": variable(EACH_OUTPUT, outputs),
        "refused_arguments": ", ".join(refused),
    }
    return {name: text for name, text in told.items() if text}


def variable(explanation: str, slots: Iterable[Slot]) -> str:
    names = ", ".join(slot.name for slot in slots if not slot.is_fixed)
    return explanation + names if names else ""


def model_config(model: str, method: MethodInfo) -> dict[str, Any]:
    """The same in the words of Triton's model configuration."""
    metadata = model_metadata(model, method)
    batching = method.batcher
    batches = batching is not None and batching.state != "off"
    return {
        "name": model,
        "platform": method.platform,
        "backend": "pytorch",
        "version_policy": {"latest": {"num_versions": 1}},
        "max_batch_size": batching.max_rows if batching is not None and batches else 0,
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
