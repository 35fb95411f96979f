"""Schemas of request and response bodies, except the models' arguments and results."""

from typing import Any

from torch_serving.http.openapi.number_schemas import Schema
from torch_serving.http.openapi.oip_schemas import BOOLEAN, COUNT, TEXT, fixed, record
from torch_serving.http.openapi.tensor_schemas import reference

Content = dict[str, Any]
JSON = "application/json"
NULLABLE_TEXT: Schema = {"type": ["string", "null"]}
NULLABLE_COUNT: Schema = {"type": ["integer", "null"], "minimum": 0}
TIMESTAMP: Schema = {"type": "string", "format": "date-time"}


def json_of(schema: Schema) -> Content:
    return {JSON: {"schema": schema}}


def binary() -> Content:
    return {"schema": {}}  # OpenAPI 3.1: no type for raw bytes


def text_or_image(media_type: str) -> Content:
    return {media_type: {"schema": {"type": "string"} if "image" not in media_type else {}}}


def body(
    schema: Schema,
    others: Content | None = None,
    examples: Content | None = None,
    required: bool = True,
) -> Content:
    shown = {"schema": schema} | ({"examples": examples} if examples else {})
    return {"required": required, "content": {JSON: shown} | (others or {})}


def ok(content: Content, headers: dict[str, Any]) -> Content:
    return {"description": "OK", "headers": headers, "content": content}


def success(description: str, **others: Schema) -> Schema:
    return fixed(
        code={"const": 200}, message={"const": "OK"}, description={"const": description}, **others
    )


HEALTH = success("OK")
LOAD = fixed(
    threads=COUNT | {"description": "Executor threads of all workers."},
    busy=COUNT | {"description": "Executor threads that have a request."},
    queue=COUNT | {"description": "Requests that wait for an executor thread."},
    rejected=COUNT | {"description": "Requests that found the queue full, since the start."},
    draining=BOOLEAN | {"description": "Whether the server stops."},
)
RESULT = success("Success", result=reference("Result"))
PLAIN_RESULT = success("Success", result=reference("PlainResult"))

LOADED = fixed(
    device=TEXT,
    version=TEXT,
    weights_bytes=COUNT,
    runs=TEXT | {"description": "What it runs as, and why not otherwise."},
    since=TIMESTAMP,
    workers=COUNT | {"minimum": 1},
)
STATUS: dict[str, Schema] = {
    "identifier": TEXT,
    "state": {"enum": ["available", "fetching", "invalid", "loaded", "quarantined"]},
    "bytes": NULLABLE_COUNT,
    "kind": NULLABLE_TEXT | {"description": "Of the file; null where it is no model."},
    "version": NULLABLE_TEXT | {"description": "Identifies the content of the file."},
    "loaded": {"type": "array", "items": LOADED},
    "loads": COUNT,
    "requests": COUNT,
    "hits": {"type": "integer", "description": "Requests that found the model in memory."},
    "last_used": {"type": ["string", "null"], "format": "date-time"},
}
OPTIONAL: dict[str, Schema] = {
    "other_names": {
        "type": "array",
        "items": TEXT,
        "description": "By which requests may name it as well.",
    },
    "quarantine_left_s": {"type": "number"},
    "fetched_bytes": COUNT | {"description": "What has come of a remote file, of `bytes`."},
    "problem": TEXT
    | {"description": "Why it can't be loaded, as far as that is seen at a glance."},
    "warning": TEXT | {"description": "Why an older version is still served."},
}
OIP_EXAMPLE: Schema = {
    "type": ["object", "null"],
    "description": "The example of `forward` in the Open Inference Protocol, if it has a form.",
}
ENTRY: Schema = fixed(**STATUS, **OPTIONAL) | {"required": list(STATUS)}
WORKER_MEMORY = fixed(worker=COUNT, allocated_bytes=COUNT, reserved_bytes=COUNT)
DEVICE = fixed(
    device=TEXT,
    up=BOOLEAN | {"description": "False if a worker goes on without it: it is absent or in error."},
    weights_bytes=COUNT | {"description": "Of the models in all workers."},
    total_bytes=NULLABLE_COUNT,
    free_bytes=NULLABLE_COUNT,
    workers={"type": "array", "items": WORKER_MEMORY},
)
MODELS = fixed(models={"type": "array", "items": ENTRY}, devices={"type": "array", "items": DEVICE})

ARGUMENT = record(name=TEXT, type=TEXT, required=BOOLEAN)
DECLARED = {
    "data_type": TEXT,
    "shape": {"type": "array", "description": "In the words of a model's TOML file."},
}
TENSORS = {"type": "object", "additionalProperties": {"type": "object", "properties": DECLARED}}
ARGUMENT["properties"] |= {**DECLARED, "tensors": TENSORS}
BATCHING = record(
    state=TEXT,
    max_batch=COUNT,
    requests=COUNT,
    runs_of_up_to={"type": "object", "additionalProperties": COUNT},
)
METHOD: Schema = record(
    signature=TEXT,
    arguments={"type": "array", "items": ARGUMENT},
    result=TEXT,
    example={"type": "object", "description": "A valid request by name, if one was found."},
)
METHOD["properties"] |= {"note": TEXT, "batching": BATCHING, "results": TENSORS}
DESCRIPTION: dict[str, Schema] = {
    "device": TEXT,
    "runs": TEXT | {"description": "What it runs as, with the reason where that is slower."},
    "parameters": COUNT,
    "parameter_bytes": COUNT,
    "data_type": NULLABLE_TEXT,
    "methods": {"type": "object", "additionalProperties": METHOD},
}
PECULIAR: dict[str, Schema] = {
    "stateful": TEXT | {"description": "What it keeps from one run to the next."},
    "unbatched": TEXT | {"description": "Why requests to it can't run as one."},
    "oip_example": OIP_EXAMPLE,
}
MODEL: Schema = fixed(**STATUS, **DESCRIPTION, **OPTIONAL, **PECULIAR) | {
    "required": [*STATUS, *DESCRIPTION]
}
