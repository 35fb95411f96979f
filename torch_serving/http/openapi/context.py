"""What a document says of one server: its models, and whom it answers."""

import itertools
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from torch_serving.codecs.signature import Signature
from torch_serving.http.openapi import argument_schemas, result_schemas
from torch_serving.http.openapi.argument_schemas import reference
from torch_serving.http.openapi.number_schemas import Schema
from torch_serving.service.description import example_value, tensor

MAX_NAMES = 1000  # of models: a longer list is left to GET /models
MAX_METHODS = 200  # that are told of: each takes about 20 KB of the document
GUESSED = (
    "TorchScript does not tell the shapes of tensors: put them in. `GET /models/<path>` has a "
    "request that works, where one can be found."
)


class Known(NamedTuple):
    """A method of a model that some worker has in memory; `key` names it among the schemas."""

    model: str
    method: str
    key: str
    signature: Signature


class Facts(NamedTuple):
    names: list[str]  # of the models below the root
    known: list[Known]
    devices: list[str]
    files: list[str]  # that /docs is made of
    needs_key: bool = False
    open_paths: frozenset[str] = frozenset()  # that need no key

    def model_name(self) -> Schema:
        """A name of a model: one of those that are there, if they are not too many."""
        few = 0 < len(self.names) <= MAX_NAMES
        return {"type": "string"} | ({"enum": self.names} if few else {})

    def arguments(self) -> Schema:
        """A body of /serve. Where not all models are in memory, others take what they take."""
        branches = [reference(f"{each.key}.arguments") for each in self.known]
        models = {each.model for each in self.known}
        text = "The arguments of the method that is called: each model takes its own."
        if models != set(self.names) or not branches:
            return {"description": text, "anyOf": [*branches, {"title": "of another model"}]}
        return {"description": text, "anyOf": branches}

    def examples(self) -> dict[str, Any]:
        """A body of /serve for each method. The shapes of its tensors are anybody's guess."""
        return {
            each.key: {
                "summary": f"{each.model}: {each.method}",
                "description": GUESSED,
                "value": example(each.signature),
            }
            for each in self.known
        }

    def components(self) -> dict[str, Schema]:
        """What each method takes and gives."""
        found: dict[str, Schema] = {}
        for each in self.known:
            title = {"title": f"{each.model}: {each.method}"}
            found[f"{each.key}.arguments"] = title | argument_schemas.arguments(each.signature)
            found[f"{each.key}.result"] = result_schemas.result(each.signature.result)
        return found


def example(signature: Signature) -> dict[str, Any]:
    """Arguments by name, as the schema has them."""
    tensors = itertools.repeat(tensor((1,), "float32"))
    needed = (each for each in signature.arguments if each.required)
    return {each.name: example_value(each.spec, tensors) for each in needed}


def known_of(held: Iterable[dict[str, Any]], names: Iterable[str]) -> list[Known]:
    """Read what workers tell of the models that they hold: the newest, where versions differ."""
    newest: dict[str, dict[str, Any]] = {}
    for entry in sorted(held, key=lambda entry: entry["loaded_s"]):
        newest[entry["identifier"]] = entry["methods"]
    methods = [
        (model, method, told)
        for model in sorted(set(names) & set(newest))
        for method, told in newest[model].items()
    ][:MAX_METHODS]
    keys = keys_of([f"{model}.{method}" for model, method, _ in methods])
    return [
        Known(model, method, key, Signature.from_dict(told))
        for (model, method, told), key in zip(methods, keys, strict=True)
    ]


def keys_of(names: list[str]) -> list[str]:
    """Keys of components, which have few characters; a number tells apart what gets the same."""
    keys, seen = [], Counter[str]()
    for name in names:
        allowed = (c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)
        key = "".join(allowed)
        seen[key] += 1
        keys.append(key if seen[key] == 1 else f"{key}_{seen[key]}")
    return keys
