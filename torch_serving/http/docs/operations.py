"""The OpenAPI operations of /docs."""

from torch_serving.http.openapi import error_responses
from torch_serving.http.openapi.body_schemas import text_or_image
from torch_serving.http.openapi.operation import DOCS, get
from torch_serving.http.openapi.parameters import file_name

PAGE = get(
    "/docs",
    "docs",
    DOCS,
    "This document as a page",
    lambda context: text_or_image("text/html"),
)

FILE = get(
    "/docs/{name}",
    "docsFile",
    DOCS,
    "Static files of the page",
    lambda context: (
        text_or_image("text/css") | text_or_image("text/javascript") | text_or_image("image/png")
    ),
    errors=error_responses.UNKNOWN,
    parameters=lambda context: [file_name(context)],
)
