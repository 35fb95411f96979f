"""The OpenAPI operation of /serve."""

from torch_serving.codecs.image_files import MEDIA_TYPES
from torch_serving.codecs.media_types import CODECS, NESTED, PLAIN
from torch_serving.http.openapi import error_responses
from torch_serving.http.openapi.body_schemas import PLAIN_RESULT, RESULT, binary, body, json_of
from torch_serving.http.openapi.operation import INFERENCE, post
from torch_serving.http.openapi.parameters import OF_SERVE, TIMEOUT, TIMES

SERVE = post(
    "/serve",
    "serve",
    INFERENCE,
    "Run a model",
    lambda context: (
        json_of(RESULT)
        | {PLAIN: {"schema": PLAIN_RESULT}}
        | {media: binary() for media in (*CODECS, NESTED)}
    ),
    errors=(
        *error_responses.IDENTIFIER,
        *error_responses.DEVICE,
        *error_responses.NEGOTIATED,
        *error_responses.BODY,
        *error_responses.LOADS,
        *error_responses.INPUT,
        *error_responses.RUN,
    ),
    parameters=lambda context: [*(make(context) for make in OF_SERVE), TIMEOUT, TIMES],
    body=lambda context: body(
        context.arguments(),
        {media: binary() for media in (*CODECS, *MEDIA_TYPES)},
        context.examples(),
    ),
    description=(
        "The model is loaded if it is not in memory. The body has the arguments of the method: by "
        "name, in order or, for a single argument, the bare value. A body whose media type is "
        "none of the binary ones is read as JSON. An image file may be the body of a method that "
        "needs one tensor; its media type may have the parameters `data_type`, `batch`, `mode` and "
        "`layout`. `Content-Encoding` may be gzip, deflate or zstd. "
        "`Accept` selects the media type of the response; `plain` asks for JSON without envelopes."
    ),
)
