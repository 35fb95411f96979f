"""Which request is measured: an example of the server's, random tensors, or a file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from torch_serving.bench.address import Address
from torch_serving.bench.random_values import random_document, random_tensor
from torch_serving.bench.target import Target
from torch_serving.bench.tensors import BYTES, DATATYPES, NamedTensor, oip_body, safetensors_body
from torch_serving.errors import StartupError
from torch_serving.suggestions import did_you_mean

FORMS = ("json", "v2", "safetensors")
MEDIA_TYPES = {
    "json": "application/json",
    "v2": "application/json",
    "safetensors": "application/vnd.safetensors",
}
LOAD_TIMEOUT_S = 330.0  # a description loads the model
GIVE_BODY = "give a request that works with --body FILE"


@dataclass(frozen=True)
class Request:
    """What is wanted: `body` wins over an example; `rows` asks for random tensors."""

    model: str
    method: str = "forward"
    form: str = "json"
    body: bytes | None = None
    rows: int | None = None

    def target_at(self, address: Address) -> Target:
        """Return the request as it is sent. Raises StartupError."""
        body, headers, origin = self._content(address)
        return Target(address, self._path(address), body, headers, self.model, self.method, origin)

    def _path(self, address: Address) -> str:
        if self.form == "v2":
            return address.path(f"/v2/models/{quote(self.model)}/infer")
        query = {"servable_identifier": self.model}
        if self.method != "forward":
            query["method"] = self.method
        return address.path(f"/serve?{urlencode(query, quote_via=quote, safe='/')}")

    def _content(self, address: Address) -> tuple[bytes, Mapping[str, str], str]:
        if self.body is not None:
            media_type = MEDIA_TYPES[self.form]
            accept = {"Accept": media_type} if self.form == "safetensors" else {}
            return self.body, {"Content-Type": media_type, **accept}, "from a file"
        description = self._description(address)
        origin = "its example" if self.rows is None else f"random, {self.rows} rows"
        if self.form == "json":
            document = self._example(description)
            if self.rows is not None:
                document = random_document(document, self.rows)
            text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
            return text, {"Content-Type": MEDIA_TYPES["json"]}, origin
        tensors = self._tensors(description)
        if self.rows is not None:
            tensors = [random_tensor(each, self.rows) for each in tensors]
        encode = oip_body if self.form == "v2" else safetensors_body
        return *encode(tensors), origin

    def _description(self, address: Address) -> dict[str, Any]:
        """What the server tells of the model, or the metadata of another server."""
        response = address.get(f"/models/{quote(self.model)}", LOAD_TIMEOUT_S)
        document = response.document()
        if response.status == 200 and "methods" in document:
            return document
        if self.form == "v2":
            other = address.get(f"/v2/models/{quote(self.model)}", LOAD_TIMEOUT_S)
            if other.status == 200 and "inputs" in other.document():
                return other.document()
        words = document.get("detail") or document.get("description") or f"status {response.status}"
        raise StartupError(f"{address.name} does not describe {self.model}: {words}; {GIVE_BODY}")

    def _example(self, description: dict[str, Any]) -> Any:
        methods = description["methods"]
        if self.method not in methods:
            hint = did_you_mean(self.method, methods)
            raise StartupError(f"{self.model} has no method {self.method}{hint}")
        if note := methods[self.method].get("note"):
            raise StartupError(f"{self.model}: {note}; {GIVE_BODY}")
        return methods[self.method]["example"]

    def _tensors(self, description: dict[str, Any]) -> list[NamedTensor]:
        if self.method != "forward":
            raise StartupError(f"--form {self.form}: examples are of forward alone; {GIVE_BODY}")
        if "inputs" in description:  # metadata: shapes without values
            tensors = [empty_tensor(each, self.rows or 1) for each in description["inputs"]]
        else:
            self._example(description)
            request = description.get("oip_example") or {"inputs": []}
            tensors = [NamedTensor.of(each) for each in request["inputs"]]
        if not tensors:
            raise StartupError(f"--form {self.form}: {self.model} has no such example; {GIVE_BODY}")
        if self.form == "safetensors" and any(each.datatype == BYTES for each in tensors):
            raise StartupError(f"--form safetensors: {self.model} takes strings; use --form json")
        return tensors


def empty_tensor(declared: Mapping[str, Any], rows: int) -> NamedTensor:
    """A tensor of the shape that metadata tells, with a one for each size that it leaves open."""
    shape = [size if size >= 0 else 1 for size in declared["shape"]]
    if declared["datatype"] not in DATATYPES:
        raise StartupError(f"{declared['name']} is {declared['datatype']}; {GIVE_BODY}")
    made = NamedTensor(declared["name"], declared["datatype"], shape, [])
    return random_tensor(made, rows if declared["shape"][:1] == [-1] else (shape or [1])[0])
