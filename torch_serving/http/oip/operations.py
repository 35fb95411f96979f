"""The operations of the Open Inference Protocol, by route."""

from torch_serving.http.openapi import error_responses
from torch_serving.http.openapi.body_schemas import binary, body, json_of
from torch_serving.http.openapi.error_responses import Errors
from torch_serving.http.openapi.number_schemas import Schema
from torch_serving.http.openapi.oip_schemas import ABSENT, BOOLEAN, TEXT, fixed, nullable
from torch_serving.http.openapi.operation import PROTOCOL, Operation, always, get, post
from torch_serving.http.openapi.parameters import (
    JSON_LENGTH,
    TIMEOUT,
    TIMES,
    VERSIONED,
    Parameter,
    model,
)
from torch_serving.http.openapi.tensor_schemas import reference

Parameters = tuple[Parameter, ...]


def of_model(
    action: str,
    name: str,
    summary: str,
    schema: Schema,
    errors: Errors,
    headers: Parameters = (),
) -> list[Operation]:
    """An action on a model, and the same action on its version."""
    return [
        get(
            f"/v2/models/{{model}}{version}{action}",
            name if not version else f"{name}OfVersion",
            PROTOCOL,
            summary,
            always(schema),
            errors=errors if not version else (*errors, *error_responses.UNKNOWN),
            parameters=lambda context, version=version: [
                model(context),
                *([VERSIONED] if version else []),
                *headers,
            ],
        )
        for version in ("", "/versions/{version}")
    ]


def infer(version: str, name: str) -> Operation:
    return post(
        f"/v2/models/{{model}}{version}/infer",
        name,
        PROTOCOL,
        "Run a model",
        lambda context: (
            json_of(reference("InferResponse")) | {"application/octet-stream": binary()}
        ),
        errors=(
            *error_responses.BODY,
            *error_responses.LOADS,
            *error_responses.INPUT,
            *error_responses.RUN,
            *(error_responses.UNKNOWN if version else ()),
        ),
        parameters=lambda context: [
            model(context),
            *([VERSIONED] if version else []),
            JSON_LENGTH,
            TIMEOUT,
            TIMES,
        ],
        body=lambda context: body(
            reference("InferRequest"),
            {"application/octet-stream": binary()},
            context.oip_examples(),
        ),
        description=(
            "The body is JSON, followed by the binary data of those inputs that have a "
            "`binary_data_size`, in order. With binary data, `Inference-Header-Content-Length` is "
            "the length of the JSON."
        ),
    )


MODEL_OPERATIONS = (
    *of_model(
        "",
        "modelMetadata",
        "Inputs and outputs of a model",
        reference("ModelMetadata"),
        error_responses.LOADS_IN_TIME,
        (TIMEOUT,),
    ),
    *of_model(
        "/ready",
        "modelReady",
        "Whether a model is in memory; if it is not, this starts to load it",
        fixed(name=TEXT, ready={"const": True}),
        (*error_responses.LOADS, *error_responses.NOT_LOADED),
    ),
    *of_model(
        "/config",
        "modelConfig",
        "Inputs and outputs of a model, as its configuration",
        reference("ModelConfig"),
        error_responses.LOADS_IN_TIME,
        (TIMEOUT,),
    ),
    *of_model(
        "/stats",
        "modelStatistics",
        "Statistics of a model",
        reference("ModelStatistics"),
        error_responses.FINDS_MODEL,
    ),
    infer("", "infer"),
    infer("/versions/{version}", "inferOfVersion"),
)
INDEX = {
    "type": "array",
    "items": fixed(name=TEXT, version=TEXT, state={"enum": ["READY", "UNAVAILABLE"]}, reason=TEXT),
}


def change(action: str, summary: str, errors: Errors, headers: Parameters = ()) -> Operation:
    refused = {"properties": {"config": ABSENT}, "patternProperties": {"^file:": ABSENT}}
    parameters = nullable({"type": "object"}) | refused
    schema = {"type": "object", "properties": {"parameters": parameters}}
    return post(
        f"/v2/repository/models/{{model}}/{action}",
        f"{action}InRepository",
        PROTOCOL,
        summary,
        always(fixed()),
        errors=(
            *error_responses.BODY,
            *error_responses.INVALID,
            *errors,
            *error_responses.ALL_WORKERS,
        ),
        parameters=lambda context: [model(context), *headers],
        body=lambda context: body(schema, required=False),
    )


# route template -> operations
OPERATIONS: dict[str, tuple[Operation, ...]] = {
    "/v2": (
        get(
            "/v2",
            "serverMetadata",
            PROTOCOL,
            "Name, version and extensions of the server",
            always(fixed(name=TEXT, version=TEXT, extensions={"type": "array", "items": TEXT})),
        ),
    ),
    "/v2/health/live": (
        get(
            "/v2/health/live",
            "live",
            PROTOCOL,
            "Whether the server is alive",
            always(fixed(live=BOOLEAN)),
        ),
    ),
    "/v2/health/ready": (
        get(
            "/v2/health/ready",
            "serverReady",
            PROTOCOL,
            "Whether the server accepts requests",
            always(fixed(ready=BOOLEAN)),
            errors=error_responses.READINESS,
        ),
    ),
    "/v2/models": (
        get(
            "/v2/models",
            "modelNames",
            PROTOCOL,
            "The names of all models",
            always(fixed(models={"type": "array", "items": TEXT})),
            errors=error_responses.READS_FILES,
        ),
    ),
    "/v2/models/stats": (
        get(
            "/v2/models/stats",
            "allStatistics",
            PROTOCOL,
            "Statistics of all models",
            always(reference("ModelStatistics")),
        ),
    ),
    "/v2/models/{path:path}": MODEL_OPERATIONS,
    "/v2/repository/index": (
        post(
            "/v2/repository/index",
            "repositoryIndex",
            PROTOCOL,
            "All models, and whether they are in memory",
            always(INDEX),
            errors=(*error_responses.BODY, *error_responses.INVALID, *error_responses.READS_FILES),
            body=lambda context: body(
                {"type": "object", "properties": {"ready": nullable(BOOLEAN)}}, required=False
            ),
        ),
    ),
    "/v2/repository/models/{path:path}": (
        change("load", "Load a model in all workers", error_responses.LOADS_IN_TIME, (TIMEOUT,)),
        change(
            "unload", "Drop a model from the memory of all workers", error_responses.FINDS_MODEL
        ),
    ),
}
