"""Paths below /v2/models/ -> models and actions, and an `InferenceRequest` for inference.

Names of models may hold `/`, so a path is read from its end. The order of checks: path, then
`Inference-Header-Content-Length`. What follows elsewhere is the body, then the model.
"""

import functools
from collections.abc import Iterable
from typing import NamedTuple

from torch_serving.codecs.media_types import OIP
from torch_serving.codecs.oip.metadata import VERSION
from torch_serving.codecs.oip.request import json_length
from torch_serving.errors import InvalidParameter, MethodNotAllowed, NotFound
from torch_serving.http.serve.endpoint import PARAMETERS
from torch_serving.service.interfaces import InferenceRequest

MAX_REMEMBERED = 1024  # heads: clients send few different ones
MAX_PATH = 1024  # characters of one that is remembered
ACTIONS = ("infer", "ready", "config", "stats")


class ModelAction(NamedTuple):
    """What a path asks of which model; without an action, its metadata."""

    model: str
    action: str


def model_action(path: str) -> ModelAction:
    """Read what follows `/v2/models/`. Raises NotFound for another version than 1."""
    model, _, action = path.rpartition("/")
    if action not in ACTIONS or not model:
        model, action = path, ""
    name, versions, version = model.rpartition("/versions/")
    if versions and name:
        if version != VERSION:
            raise NotFound(f"version `{version[:40]}`: models have version {VERSION}")
        return ModelAction(name, action)
    return ModelAction(model, action)


def inference_request(path: str, json_bytes: str | None) -> InferenceRequest:
    """Read what follows `/v2/models/`, and the header with the length of the JSON.

    Raises NotFound, MethodNotAllowed for another action than inference, or InvalidParameter.
    """
    is_short = len(path) <= MAX_PATH and len(json_bytes or "") <= MAX_PATH
    read = remembered if is_short else remembered.__wrapped__
    return read(path, json_bytes)


def check_query(names: Iterable[str]) -> None:
    """Raise InvalidParameter for what only `/serve` does; others are for proxies on the way."""
    for name in names:
        if name in PARAMETERS:
            raise InvalidParameter(
                f"`{name}` is a query parameter of /serve; it means nothing here"
            )


@functools.lru_cache(MAX_REMEMBERED)
def remembered(path: str, json_bytes: str | None) -> InferenceRequest:
    model, action = model_action(path)
    if action != "infer":
        raise MethodNotAllowed("GET, HEAD")
    length = json_length(json_bytes)
    return InferenceRequest(model, content_type=OIP, accept=OIP, json_bytes=length)
