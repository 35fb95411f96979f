"""The operations of all routes except /v2, by route.

A route that ends in a path parameter has several operations: its resource parses the path's end.
"""

from torch_serving.codecs.media_types import CODECS
from torch_serving.http.openapi import error_responses
from torch_serving.http.openapi.body_schemas import (
    ENTRY,
    HEALTH,
    MODEL,
    MODELS,
    RESULT,
    binary,
    body,
    json_of,
    text_or_image,
)
from torch_serving.http.openapi.operation import (
    DOCS,
    INFERENCE,
    MODELS_TAG,
    SERVER,
    Operation,
    always,
    get,
    post,
)
from torch_serving.http.openapi.parameters import DEVICE, OF_SERVE, TIMEOUT, file_name, identifier
from torch_serving.telemetry.prometheus import families

SERVE = post(
    "/serve",
    "serve",
    INFERENCE,
    "Run a model",
    lambda context: json_of(RESULT) | {media: binary() for media in CODECS},
    errors=(
        *error_responses.IDENTIFIER,
        *error_responses.DEVICE,
        *error_responses.NEGOTIATED,
        *error_responses.BODY,
        *error_responses.LOADS,
        *error_responses.INPUT,
        *error_responses.RUN,
    ),
    parameters=lambda context: [*(make(context) for make in OF_SERVE), TIMEOUT],
    body=lambda context: body(
        context.arguments(), {media: binary() for media in CODECS}, context.examples()
    ),
    description=(
        "The model is loaded if it is not in memory. The body has the arguments of the method: by "
        "name, in order or, for a single argument, the bare value. A body whose media type is "
        "none of the binary ones is read as JSON. `Content-Encoding` may be gzip, deflate or zstd. "
        "`Accept` selects the media type of the response."
    ),
)
MODEL_OPERATIONS = (
    get(
        "/models/{identifier}",
        "describeModel",
        MODELS_TAG,
        "Arguments and results of a model, which is loaded if needed",
        always(MODEL),
        errors=(*error_responses.LOADS, *error_responses.DEVICE),
        parameters=lambda context: [identifier(context), DEVICE(context)],
    ),
    Operation(
        "delete",
        "/models/{identifier}",
        "unloadModel",
        MODELS_TAG,
        "Drop a model from the memory of all workers",
        always(ENTRY),
        errors=(*error_responses.FINDS_MODEL, *error_responses.ALL_WORKERS),
        parameters=lambda context: [identifier(context)],
        description="The file is kept, and the next request loads it again.",
    ),
    post(
        "/models/{identifier}/load",
        "loadModel",
        MODELS_TAG,
        "Load a model in all workers",
        always(ENTRY),
        errors=(*error_responses.LOADS, *error_responses.DEVICE, *error_responses.ALL_WORKERS),
        parameters=lambda context: [identifier(context), DEVICE(context)],
    ),
)


# route template -> operations
OPERATIONS: dict[str, tuple[Operation, ...]] = {
    "/serve": (SERVE,),
    "/models": (
        get(
            "/models",
            "listModels",
            MODELS_TAG,
            "All models below the root",
            always(MODELS),
            errors=error_responses.READS_FILES,
        ),
    ),
    "/models/{identifier:path}": MODEL_OPERATIONS,
    "/metrics": (
        get(
            "/metrics",
            "metrics",
            SERVER,
            "Metrics of all workers for Prometheus",
            lambda context: text_or_image("text/plain"),
            description="\n".join(f"- `{name}`: {text}" for name, text in families()),
        ),
    ),
    "/healthcheck": (
        get("/healthcheck", "healthcheck", SERVER, "Whether the server is alive", always(HEALTH)),
    ),
    "/ready": (
        get(
            "/ready",
            "ready",
            SERVER,
            "Whether the server accepts requests",
            always(HEALTH),
            errors=error_responses.STOPS,
        ),
    ),
    "/openapi.json": (
        get("/openapi.json", "openapi", DOCS, "This document", always({"type": "object"})),
    ),
    "/docs": (
        get(
            "/docs",
            "docs",
            DOCS,
            "This document as a page",
            lambda context: text_or_image("text/html"),
        ),
    ),
    "/docs/{name}": (
        get(
            "/docs/{name}",
            "docsFile",
            DOCS,
            "Static files of the page",
            lambda context: (
                text_or_image("text/css")
                | text_or_image("text/javascript")
                | text_or_image("image/png")
            ),
            errors=error_responses.UNKNOWN,
            parameters=lambda context: [file_name(context)],
        ),
    ),
}
