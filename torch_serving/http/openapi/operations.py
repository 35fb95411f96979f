"""The routes of the application but for /v2, and what may be asked of each.

A route whose last part takes any path stands for several operations: its resource reads the path
from its end.
"""

from torch_serving.http.negotiation import FORMS
from torch_serving.http.openapi import error_responses
from torch_serving.http.openapi.body_schemas import (
    ANSWER,
    ENTRY,
    HEALTH,
    MODEL,
    MODELS,
    binary,
    body,
    json_of,
    other,
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
    lambda facts: json_of(ANSWER) | {media: binary() for media in FORMS},
    errors=(
        *error_responses.IDENTIFIER,
        *error_responses.DEVICE,
        *error_responses.NEGOTIATED,
        *error_responses.BODY,
        *error_responses.LOADS,
        *error_responses.INPUT,
        *error_responses.RUN,
    ),
    parameters=lambda facts: [*(make(facts) for make in OF_SERVE), TIMEOUT],
    body=lambda facts: body(
        facts.arguments(), {media: binary() for media in FORMS}, facts.examples()
    ),
    description=(
        "The model is loaded if it is not in memory. The body holds the arguments of its method, "
        "by name, in order or, for one argument, alone. Every media type but those of the binary "
        "forms is read as JSON. Bodies may be packed, as `Content-Encoding` says: gzip, deflate, "
        "zstd. `Accept` asks for an answer in a binary form."
    ),
)
MODEL_ROUTE = (
    get(
        "/models/{identifier}",
        "describeModel",
        MODELS_TAG,
        "What a model takes and gives; it is loaded for that",
        always(MODEL),
        errors=(*error_responses.LOADS, *error_responses.DEVICE),
        parameters=lambda facts: [identifier(facts), DEVICE(facts)],
    ),
    Operation(
        "delete",
        "/models/{identifier}",
        "unloadModel",
        MODELS_TAG,
        "Drop a model from the memory of all workers",
        always(ENTRY),
        errors=(*error_responses.KNOWS_MODEL, *error_responses.ALL_WORKERS),
        parameters=lambda facts: [identifier(facts)],
        description="Its file stays, and the next request loads it again.",
    ),
    post(
        "/models/{identifier}/load",
        "loadModel",
        MODELS_TAG,
        "Load a model in all workers",
        always(ENTRY),
        errors=(*error_responses.LOADS, *error_responses.DEVICE, *error_responses.ALL_WORKERS),
        parameters=lambda facts: [identifier(facts), DEVICE(facts)],
    ),
)


# By the templates that the application registers.
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
    "/models/{identifier:path}": MODEL_ROUTE,
    "/metrics": (
        get(
            "/metrics",
            "metrics",
            SERVER,
            "Numbers for Prometheus, of all workers",
            lambda facts: other("text/plain"),
            description="\n".join(f"- `{name}`: {text}" for name, text in families()),
        ),
    ),
    "/healthcheck": (
        get("/healthcheck", "healthcheck", SERVER, "Whether the server answers", always(HEALTH)),
    ),
    "/ready": (
        get(
            "/ready",
            "ready",
            SERVER,
            "Whether the server wants requests",
            always(HEALTH),
            errors=error_responses.STOPS,
        ),
    ),
    "/openapi.json": (
        get("/openapi.json", "openapi", DOCS, "This document", always({"type": "object"})),
    ),
    "/docs": (
        get("/docs", "docs", DOCS, "A page of this document", lambda facts: other("text/html")),
    ),
    "/docs/{name}": (
        get(
            "/docs/{name}",
            "docsFile",
            DOCS,
            "What that page loads",
            lambda facts: other("text/css") | other("text/javascript") | other("image/png"),
            errors=error_responses.UNKNOWN,
            parameters=lambda facts: [file_name(facts)],
        ),
    ),
}
