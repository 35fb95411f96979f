"""Parameters of requests: of the path, the query and the headers."""

from typing import Any

from torch_serving.codecs.oip.metadata import VERSION
from torch_serving.http.openapi.context import Facts
from torch_serving.http.serve.parameters import IDENTIFIER

Parameter = dict[str, Any]


def of_path(name: str, schema: dict[str, Any], text: str = "") -> Parameter:
    described = {"description": text} if text else {}
    return {"name": name, "in": "path", "required": True, "schema": schema, **described}


def of_query(name: str, schema: dict[str, Any], text: str, required: bool = False) -> Parameter:
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": text,
        "schema": schema,
    }


def of_header(name: str, schema: dict[str, Any], text: str) -> Parameter:
    return {"name": name, "in": "header", "description": text, "schema": schema}


def identifier(facts: Facts) -> Parameter:
    text = "The model's path below the model root; `/` may stand in it as it is."
    return of_path("identifier", facts.model_name(), text)


def model(facts: Facts) -> Parameter:
    return identifier(facts) | {"name": "model"}


def file_name(facts: Facts) -> Parameter:
    return of_path("name", {"type": "string"} | ({"enum": facts.files} if facts.files else {}))


def servable(facts: Facts) -> Parameter:
    text = "The model's path below the model root."
    return of_query(IDENTIFIER, facts.model_name(), text, required=True)


def device(facts: Facts) -> Parameter:
    text = "Where to run; without it, where the model's settings or the server's flags say."
    return of_query("device", {"type": "string", "enum": facts.devices}, text)


def method(facts: Facts) -> Parameter:
    schema = {"type": "string", "default": "forward"}
    return of_query("method", schema, "An exported method of the model.")


def invalidation(facts: Facts) -> Parameter:
    schema = {"type": "number", "minimum": 0, "maximum": 1, "default": 0}
    text = "With this probability, drop the model from memory first and load it again."
    return of_query("invalidation_probability", schema, text)


DEVICE = device
OF_SERVE = (servable, method, device, invalidation)
VERSIONED = of_path("version", {"enum": [VERSION]})
TIMEOUT = of_header(
    "X-Request-Timeout-Ms",
    {"type": "integer", "minimum": 1, "maximum": 10**12 - 1},
    "An earlier deadline than the server's own.",
)
JSON_LENGTH = of_header(
    "Inference-Header-Content-Length",
    {"type": "integer", "minimum": 0, "maximum": 10**12 - 1},
    "How many bytes of the body are JSON. None: all. 0: the body is one input, without JSON.",
)
