"""The JSON graph of a program -> the source of a TorchScript method that computes the same."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch

from torch_serving.errors import InvalidServable
from torch_serving.models.backends.export.graph.nodes import NO_TOKEN, write_nodes
from torch_serving.models.backends.export.graph.values import (
    MAX_SHOWN,
    Json,
    Untranslatable,
    expression,
    identifier,
    member_of,
)
from torch_serving.models.backends.export.graph.writer import Scope, Writer

# Inputs of a graph that are tensors of the file: the field with the name that it has there.
TENSORS = {
    "parameter": "parameter_name",
    "buffer": "buffer_name",
    "tensor_constant": "tensor_constant_name",
}
ARGUMENT_TYPES = {
    "as_tensor": "Tensor",
    "as_sym_int": "int",
    "as_sym_float": "float",
    "as_sym_bool": "bool",
}
# Outputs of a graph that are no results: the field with the name of what is written.
MUTATIONS = {
    "buffer_mutation": "buffer_name",
    "parameter_mutation": "parameter_name",
    "user_input_mutation": "user_input_name",
}
TRAINING = ("loss_output", "gradient_to_parameter", "gradient_to_user_input")
OF_TRAINING = (
    "it is a graph for training, which returns gradients: export the module itself, in eval mode"
)


class StoredTensor(NamedTuple):
    """A tensor of the file."""

    kind: str  # as the signature of the graph calls it
    name: str
    is_persistent: bool = True


def stored_tensors(document: Json) -> dict[str, StoredTensor]:
    """The tensors of the file that a graph takes, by the name of the input."""
    found = {}
    for spec in document["graph_module"]["signature"]["input_specs"]:
        kind, value = member_of(spec)
        if kind in TENSORS:
            is_persistent = value.get("persistent", True)
            stored = StoredTensor(kind, value[TENSORS[kind]], is_persistent)
            found[value["arg"]["name"]] = stored
    return found


def check_serves(document: Json) -> None:
    """Raise InvalidServable for a graph that is not for inference."""
    specs = document["graph_module"]["signature"]["output_specs"]
    if any(kind in TRAINING for kind, _ in map(member_of, specs)):
        raise InvalidServable(OF_TRAINING)


def attribute_of(name: str) -> str:
    """The attribute for an input of the graph. Raises Untranslatable."""
    return identifier(name, "t")


def translate(document: Json, device: torch.device) -> str:
    """Translate the graph of a checked document, to run on a device, into the source of `forward`.

    Raises Untranslatable, or InvalidServable for operators that are missing here.
    """
    graph, signature = (document["graph_module"][name] for name in ("graph", "signature"))
    writer = Writer(device)
    scope = writer.scope()
    attributes = {}
    for name, stored in stored_tensors(document).items():
        attributes[stored.name] = scope.names[name] = f"self.{attribute_of(name)}"
    arguments = ["self"]
    for kind, value in map(member_of, signature["input_specs"]):
        if kind == "user_input":
            arguments.append(argument(value["arg"], scope))
        elif kind == "token":
            scope.names[value["arg"]["name"]] = NO_TOKEN
        elif kind not in (*TENSORS, "constant_input"):  # constants stand where they are used
            raise Untranslatable(f"it takes a {kind}")
    write_nodes(graph["nodes"], writer, scope)
    results = write_results(graph, signature["output_specs"], attributes, writer, scope)
    writer.line(f"return {results}")
    return "\n".join([f"def forward({', '.join(arguments)}):", *writer.lines, ""])


def argument(value: Json, scope: Scope) -> str:
    kind, inner = member_of(value)
    if kind not in ARGUMENT_TYPES:
        raise Untranslatable(f"it takes a {kind.removeprefix('as_')}")
    name = scope.new(inner["name"] if kind == "as_tensor" else inner["as_name"])
    return f"{name}: {ARGUMENT_TYPES[kind]}"


def write_results(
    graph: Json, specs: Sequence[Json], attributes: Mapping[str, str], writer: Writer, scope: Scope
) -> str:
    """Write what the program keeps, and return the text of what it returns."""
    results = []
    for spec, output in zip(specs, graph["outputs"], strict=True):
        kind, value = member_of(spec)
        if kind in MUTATIONS:
            name = value[MUTATIONS[kind]]
            target = attributes.get(name) or scope.names.get(name)
            if target is None:
                raise InvalidServable(f"it writes `{name[:MAX_SHOWN]}`, which it does not have")
            writer.line(f"{target}.copy_({expression(output, scope.context)})")
        elif kind == "token":
            continue
        elif kind != "user_output":
            raise Untranslatable(f"it returns a {kind}")
        elif not is_constant(output):
            results.append(expression(output, scope.context))
    return results[0] if len(results) == 1 else f"({', '.join(results)})"


def is_constant(output: Json) -> bool:
    """Whether a result stands in the graph, and is no tensor or symbol."""
    kind, value = member_of(output)
    if kind.startswith("as_sym_"):
        return "as_name" not in value
    return kind not in ARGUMENT_TYPES
