"""The OpenAPI operations below /console."""

from torch_serving.http.openapi import error_responses
from torch_serving.http.openapi.body_schemas import text_or_image
from torch_serving.http.openapi.operation import DOCS, get
from torch_serving.http.openapi.parameters import of_path

FILE_NAME = of_path("name", {"type": "string"})
FILE = get(
    "/console/{name}",
    "consoleFile",
    DOCS,
    "Static files of the console",
    lambda context: (
        text_or_image("text/css")
        | text_or_image("text/javascript")
        | text_or_image("image/svg+xml")
    ),
    errors=error_responses.UNKNOWN,
    parameters=lambda context: [FILE_NAME],
)
