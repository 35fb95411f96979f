"""What stands here for the addresses of other servers, told to who asks there."""

import re
from urllib.parse import quote

MAX_NAME = 100  # characters of a model's name that are told
MODELS = "models are at POST /serve?servable_identifier={}"
PROBES = "liveness is at GET /healthcheck, readiness at GET /ready"
OIP = "the Open Inference Protocol has /v2/models/<path>, with /infer for requests, and /v2/health"
NAME = "([^/:]+)"

# The first that fits a path says it; a group is the name of a model.
ELSEWHERE = (
    ("/(?:ping|health|healthz|livez|readyz|live|status)", PROBES),
    ("/serve/(.+)", MODELS),
    (f"/(?:predictions|predict|infer|v1/models)/{NAME}(?:/.*|:.*)?", MODELS),
    ("/v1/models|/api/models|/repository.*", "models are listed at GET /models"),
    ("/v2/.*", OIP),
    ("/(?:swagger|redoc|api|api-docs|swagger-ui).*", "a page of all requests is at /docs"),
)
PATTERNS = tuple([(re.compile(path), words) for path, words in ELSEWHERE])


def what_is_meant(path: str) -> str:
    """Say where to ask instead of at a path that is not there."""
    for pattern, words in PATTERNS:
        found = pattern.fullmatch(path.rstrip("/"))
        if found:
            return words.format(*[quote(name[:MAX_NAME], safe="/") for name in found.groups()])
    return MODELS.format("<path>")


def is_about_a_model(path: str) -> bool:
    """Whether a path that is not there names a model, as other servers do."""
    return any(words == MODELS and it.fullmatch(path.rstrip("/")) for it, words in PATTERNS)
