"""The OpenAPI operation of /."""

from torch_serving.http.openapi.body_schemas import NULLABLE_TEXT, json_of, text_or_image
from torch_serving.http.openapi.number_schemas import Schema
from torch_serving.http.openapi.oip_schemas import TEXT, fixed
from torch_serving.http.openapi.operation import SERVER, get

CONTENTS: Schema = fixed(
    name={"const": "torch-serving"},
    version=TEXT,
    serve=TEXT,
    models=TEXT,
    v2=TEXT,
    metrics=TEXT,
    ready=TEXT,
    docs=TEXT,
    openapi=TEXT,
    console=NULLABLE_TEXT | {"description": "The page for browsers; null: it is off."},
)

ROOT = get(
    "/",
    "root",
    SERVER,
    "Where things are; for browsers the console",
    lambda context: json_of(CONTENTS) | text_or_image("text/html"),
)
