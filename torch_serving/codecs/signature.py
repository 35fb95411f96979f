"""Signatures as plain data, for those who don't have the model: other workers, and documents."""

import json
import math
from typing import Any

from torch_serving.codecs.json._decoder import Argument, TypeSpec
from torch_serving.errors import ServingError
from torch_serving.models.backends.torchscript.schema import Enums, Signature, signature_of

# A longer one is not told to other workers: what they share has an end (inventory.LIMIT_BYTES).
MAX_TOLD_BYTES = 8192

Told = dict[str, Any]


def tell(signature: Signature) -> Told:
    arguments = [
        [each.name, tell_spec(each.spec), each.required, plain(each.default)]
        for each in signature.arguments
    ]
    return {"arguments": arguments, "result": tell_spec(signature.result)}


def tell_spec(spec: TypeSpec) -> list[Any]:
    return [spec.kind, spec.type, [tell_spec(part) for part in spec.parts], list(spec.names)]


def read(told: Told) -> Signature:
    """Undo `tell`; a default that has no JSON form is its text now."""
    arguments = [
        Argument(name, read_spec(spec), required, default)
        for name, spec, required, default in told["arguments"]
    ]
    return Signature(tuple(arguments), read_spec(told["result"]))


def read_spec(told: list[Any]) -> TypeSpec:
    kind, type_, parts, names = told
    return TypeSpec(kind, type_, *map(read_spec, parts), names=tuple(names))


def plain(default: Any) -> Any:
    """A default as JSON; what has no JSON form as text."""
    known = default is None or isinstance(default, bool | int | str)
    finite = isinstance(default, float) and math.isfinite(default)
    return default if known or finite else str(default)


def tell_methods(module: Any, names: list[str], enums: Enums) -> dict[str, Told]:
    """What the methods of a module take and give, but for those that no request can call."""
    methods = {}
    for name in names:
        try:
            told = tell(signature_of(module._c._get_method(name).schema, enums))
        except ServingError:
            continue
        if len(json.dumps(told)) <= MAX_TOLD_BYTES:
            methods[name] = told
    return methods
