"""The OpenAPI operations below /console."""

from torch_serving import errors
from torch_serving.http.openapi import error_responses
from torch_serving.http.openapi.body_schemas import DEVICE, json_of, text_or_image
from torch_serving.http.openapi.number_schemas import Schema
from torch_serving.http.openapi.oip_schemas import COUNT, TEXT, fixed
from torch_serving.http.openapi.operation import DOCS, SERVER, get
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

COUNTS: Schema = {"type": "array", "items": COUNT}
BY_NAME: Schema = {"type": "object", "additionalProperties": COUNT}
NUMBER: Schema = {"type": "number", "minimum": 0}
UNIX_S: Schema = {"type": ["number", "null"], "description": "Seconds since 1970."}
SAMPLE = fixed(
    t=NUMBER,
    codes=BY_NAME,
    seconds=COUNTS | {"description": "Durations of requests, by `bounds_s`; not cumulative."},
    sum_s=NUMBER,
    batches=COUNTS | {"description": "Runs by the number of requests, by `sizes`."},
    batched=COUNT | {"description": "Requests in all these runs."},
    queue=COUNT,
    busy=COUNT,
    threads=COUNT,
    resident_bytes=COUNT,
    cpu_s=NUMBER,
    errors=BY_NAME,
    rejected=COUNT,
    device_bytes=BY_NAME,
)
WORKER = fixed(
    worker=TEXT,
    pid=COUNT,
    threads=COUNT,
    busy=COUNT,
    queue=COUNT,
    models=COUNT,
    cache_bytes=COUNT,
    resident_bytes=COUNT,
    cpu_s=NUMBER,
)
BUSY: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
NUMBERS = fixed(
    codes=BY_NAME,
    seconds=COUNTS,
    sum_s=NUMBER,
    loads=COUNT,
    cold_starts=COUNT,
    steps={
        "type": "object",
        "additionalProperties": {"type": "array", "description": "How often, and seconds in all."},
    },
    last=UNIX_S,
)
START = fixed(
    version=TEXT,
    started=UNIX_S,
    interval_s=NUMBER,
    bounds_s={"type": "array", "items": NUMBER},
    sizes=COUNTS,
    steps={"type": "array", "items": TEXT},
    workers={"type": "array", "items": WORKER},
    devices={
        "type": "array",
        "items": fixed(**DEVICE["properties"], utilization=BUSY),
    },
    history={"type": "array", "items": SAMPLE},
    models={"type": "object", "additionalProperties": NUMBERS},
)
STATS = get(
    "/console/stats",
    "consoleStats",
    SERVER,
    "What the server counts: now, and every two seconds of the last ten minutes",
    lambda context: json_of(START) | text_or_image("text/event-stream"),
    errors=(*error_responses.PARAMETERS, errors.Overloaded),
    description=(
        "As a stream of server-sent events: `start` with this document, then a `sample` every two "
        "seconds, with the numbers of those models that have changed. All counters count since the "
        "server's start."
    ),
)
