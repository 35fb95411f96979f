"""What the OpenAPI document needs to know of a running server: models, devices, keys."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from torch_serving.codecs.json._decoder import TypeSpec
from torch_serving.codecs.oip.example import oip_request
from torch_serving.codecs.signature import Signature
from torch_serving.http.openapi import argument_schemas, oip_schemas, result_schemas
from torch_serving.http.openapi.number_schemas import Schema
from torch_serving.http.openapi.tensor_schemas import reference
from torch_serving.models.examples import UNKNOWN, example_value, required, tensor, zeros
from torch_serving.tensor_constraint import MAX_GUESSED, USUAL_TYPE, example_shapes

MAX_NAMES = 1000  # of models in an enum; GET /models lists them all
MAX_METHODS = 200  # with schemas of their own, about 20 KB each
GUESSED = (
    "The shapes of tensors are guesses, as TorchScript does not declare them: replace them. "
    "No valid request was found yet; a warm-up request beside the model is one."
)


class LoadedMethod(NamedTuple):
    """A method of a model that a worker has in memory; `key` is its prefix in the components."""

    model: str
    method: str
    key: str
    signature: Signature
    example: dict[str, Any] | None = None  # a request by name that works


class DocumentContext(NamedTuple):
    """The state of the server when the document is made."""

    model_names: list[str]  # all models below the root
    methods: list[LoadedMethod]
    devices: list[str]
    files: list[str]  # static files of /docs
    needs_key: bool = False
    open_paths: frozenset[str] = frozenset()  # paths that need no key
    root_path: str = ""  # below which a proxy serves the server, if that is known

    def model_name(self) -> Schema:
        """The identifier of a model: an enum, unless there are too many models."""
        few = 0 < len(self.model_names) <= MAX_NAMES
        return {"type": "string"} | ({"enum": self.model_names} if few else {})

    def arguments(self) -> Schema:
        """A body of /serve; models that are not in memory take any JSON."""
        branches = [reference(f"{each.key}.arguments") for each in self.methods]
        models = {each.model for each in self.methods}
        text = "The arguments of the method that is called; each model has its own."
        if models != set(self.model_names) or not branches:
            return {"description": text, "anyOf": [*branches, {"title": "of another model"}]}
        return {"description": text, "anyOf": branches}

    def examples(self) -> dict[str, Any]:
        """A body of /serve for each method, those that work first."""
        return {
            each.key: shown(each, each.example, example(each.signature))
            for each in self.working_first()
        }

    def oip_examples(self) -> dict[str, Any]:
        """A body of the Open Inference Protocol for each model, those that work first."""
        return {each.key: oip_example(each) for each in self.working_first() if takes_oip(each)}

    def working_first(self) -> list[LoadedMethod]:
        return sorted(self.methods, key=lambda each: each.example is None)

    def components(self) -> dict[str, Schema]:
        """Schemas of the arguments and the result of each loaded method."""
        found: dict[str, Schema] = {}
        for each in self.methods:
            title = {"title": f"{each.model}: {each.method}"}
            found[f"{each.key}.arguments"] = title | argument_schemas.arguments(each.signature)
            found[f"{each.key}.result"] = result_schemas.result(each.signature.result)
        return found


def takes_oip(loaded: LoadedMethod) -> bool:
    return loaded.method == "forward" and oip_schemas.takes_tensors(loaded.signature)


def oip_example(loaded: LoadedMethod) -> dict[str, Any]:
    found = None if loaded.example is None else oip_request(loaded.signature, loaded.example)
    return shown(loaded, found, oip_schemas.example(loaded.signature))


def shown(loaded: LoadedMethod, found: Any, guessed: Any) -> dict[str, Any]:
    """An example, with what the page needs to choose the model that it is for."""
    about = {
        "summary": f"{loaded.model}: {loaded.method}",
        "x-model": loaded.model,
        "x-method": loaded.method,
    }
    if found is None:
        return about | {"description": GUESSED, "value": guessed, "x-guessed": True}
    return about | {"value": found}


def example(signature: Signature) -> dict[str, Any]:
    """The required arguments, by name."""
    return {name: example_value(spec, guess) for name, spec in required(signature).items()}


def guess(spec: TypeSpec) -> Any:
    """A tensor as declared; where nothing is declared, of one number."""
    constraint = spec.constraint
    if constraint is None or constraint.shape is None:
        return tensor((1,), (constraint and constraint.data_type) or USUAL_TYPE)
    (shape,) = example_shapes([constraint.shape], 1)
    if math.prod(shape) > MAX_GUESSED:
        return UNKNOWN
    return zeros(constraint.plain_type, tuple(shape))


def loaded_methods(
    published: Iterable[dict[str, Any]], model_names: Iterable[str]
) -> list[LoadedMethod]:
    """Collect the methods that workers have published; of several versions the newest counts."""
    newest: dict[str, dict[str, Any]] = {}
    for entry in sorted(published, key=lambda entry: entry["loaded_s"]):
        examples = newest.get(entry["identifier"], {}).get("examples", {})  # of another worker
        newest[entry["identifier"]] = {
            **entry,
            "examples": {**examples, **entry.get("examples", {})},
        }
    methods = [
        (model, method, signature_json, newest[model]["examples"].get(method))
        for model in sorted(set(model_names) & set(newest))
        for method, signature_json in newest[model]["methods"].items()
    ][:MAX_METHODS]
    keys = keys_of([f"{model}.{method}" for model, method, *_ in methods])
    return [
        LoadedMethod(model, method, key, Signature.from_dict(signature_json), found)
        for (model, method, signature_json, found), key in zip(methods, keys, strict=True)
    ]


def keys_of(names: list[str]) -> list[str]:
    """Keys of components: other characters become `_`, and a number makes equal keys unique."""
    keys, seen = [], Counter[str]()
    for name in names:
        allowed = (c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)
        key = "".join(allowed)
        seen[key] += 1
        keys.append(key if seen[key] == 1 else f"{key}_{seen[key]}")
    return keys
