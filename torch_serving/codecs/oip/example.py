"""A request of `/serve` by name -> the same request in the Open Inference Protocol."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from torch_serving.codecs.arrays import bfloat16_to_tensor
from torch_serving.codecs.json._decoder import Decoder, TypeSpec, ValueFactory
from torch_serving.codecs.oip.response import data_of, datatype_of
from torch_serving.codecs.signature import Signature
from torch_serving.codecs.tensor_tree.flatten import leaf_of
from torch_serving.codecs.tensor_tree.specs import Leaf, can_be_named, fields_of, is_leaf, joined
from torch_serving.codecs.tensor_tree.unflatten import unflatten
from torch_serving.errors import ServingError

FACTORY = ValueFactory(tensor=torch.from_numpy, bfloat16=bfloat16_to_tensor)


def oip_request(signature: Signature, named: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a request in JSON; None for arguments that the protocol has no form for."""
    given = [each for each in signature.arguments if each.name in named]
    if not all(can_be_named(each.spec) for each in given):
        return None
    try:
        values = Decoder(given, FACTORY).decode(json.dumps(named).encode())
        leaves: dict[str, Leaf] = {}
        for argument, value in zip(given, values, strict=True):
            leaves.update(leaves_of(argument.name, value, argument.spec))
        unflatten(given, leaves)  # names may not tell an empty container, or what is None
        return {"inputs": [entry(name, leaf) for name, leaf in leaves.items()]}
    except ServingError:
        return None


def leaves_of(name: str, value: Any, spec: TypeSpec) -> Iterator[tuple[str, Leaf]]:
    """The tensors of an argument, by name."""
    if spec.kind == "optional":
        if value is not None:
            yield from leaves_of(name, value, spec.parts[0])
    elif spec.kind == "constant":
        return  # it may be left out
    elif spec.closed:
        for member, inner in (spec.members or {}).items():
            yield from leaves_of(joined(name, member), value[member], inner)
    elif is_leaf(spec):
        leaf = leaf_of(value, spec, name)
        if leaf is not None:
            yield name, leaf
    elif spec.kind == "tuple":
        for field, part, inner in zip(fields_of(spec), value, spec.parts, strict=True):
            yield from leaves_of(joined(name, field), part, inner)
    else:
        parts = value.items() if spec.kind == "dict" else enumerate(value)
        for key, part in parts:
            yield from leaves_of(joined(name, key), part, spec.parts[-1])


def entry(name: str, leaf: Leaf) -> dict[str, Any]:
    return {
        "name": name,
        "datatype": datatype_of(name, leaf),
        "shape": list(leaf.shape),
        "data": json.loads(data_of(leaf)),
    }
