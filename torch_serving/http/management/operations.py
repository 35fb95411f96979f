"""The OpenAPI operations of /models.

`MODEL` has several paths of one route, whose resource parses the end of the path.
"""

from torch_serving.http.openapi import body_schemas, error_responses
from torch_serving.http.openapi.operation import MODELS_TAG, Operation, always, get, post
from torch_serving.http.openapi.parameters import TIMEOUT, device, identifier

LIST = get(
    "/models",
    "listModels",
    MODELS_TAG,
    "All models below the root",
    always(body_schemas.MODELS),
    errors=error_responses.READS_FILES,
)

MODEL = (
    get(
        "/models/{identifier}",
        "describeModel",
        MODELS_TAG,
        "Arguments and results of a model, which is loaded if needed",
        always(body_schemas.MODEL),
        errors=(*error_responses.LOADS, *error_responses.DEVICE),
        parameters=lambda context: [identifier(context), device(context), TIMEOUT],
    ),
    Operation(
        "delete",
        "/models/{identifier}",
        "unloadModel",
        MODELS_TAG,
        "Drop a model from the memory of all workers",
        always(body_schemas.ENTRY),
        errors=(
            *error_responses.FINDS_MODEL,
            *error_responses.PARAMETERS,
            *error_responses.ALL_WORKERS,
        ),
        parameters=lambda context: [identifier(context)],
        description="The file is kept, and the next request loads it again.",
    ),
    post(
        "/models/{identifier}/load",
        "loadModel",
        MODELS_TAG,
        "Load a model in all workers",
        always(body_schemas.ENTRY),
        errors=(*error_responses.LOADS, *error_responses.DEVICE, *error_responses.ALL_WORKERS),
        parameters=lambda context: [identifier(context), device(context), TIMEOUT],
    ),
)
