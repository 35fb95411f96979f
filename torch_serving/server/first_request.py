"""A request to a model that works: for the line that a server prints at its start."""

import json
import os
from contextlib import suppress
from typing import NamedTuple

import torch

from torch_serving.errors import ServingError
from torch_serving.models.examples import MAX_EXAMPLE_BYTES, find_example, given_example
from torch_serving.models.files import open_regular
from torch_serving.models.placement import CPU
from torch_serving.models.plain_example import plain_example, text_of
from torch_serving.models.repository import ModelRepository
from torch_serving.models.servable import Servable
from torch_serving.models.trials import load_copy
from torch_serving.server.curl import MAX_SHOWN


class FirstRequest(NamedTuple):
    """A body and the method that takes it."""

    body: str
    method: str = "forward"

    @property
    def is_short(self) -> bool:
        return len(self.body) <= MAX_SHOWN and self.body.isprintable()


def given_request(repository: ModelRepository, name: str) -> FirstRequest | None:
    """The first short request that is known without a load: a warm-up request, or samples."""
    try:
        requests = repository.read_config(repository.resolve(name, CPU)).warmup
    except ServingError:
        return None
    bodies = [each.body.decode("utf-8", "replace").strip() for each in requests]
    short = (request for request in map(FirstRequest, bodies) if request.is_short)
    loaded = (each for each in repository.loaded() if each.identifier == name)
    return next(short, None) or next(filter(None, map(sample_request, loaded)), None)


def sample_request(servable: Servable) -> FirstRequest | None:
    """A short request for the main method, made of the sample inputs of a loaded program."""
    example = given_example(servable)
    request = example and as_request(servable, example)
    return request if request and request.is_short else None


def search_request(repository: ModelRepository, name: str) -> FirstRequest | None:
    """Load a copy of a model, and find a request by trying; a short one is better."""
    with suppress(ServingError, OSError):
        descriptor = open_regular(repository.real_path(repository.resolve(name, CPU)))
        try:
            copy = load_copy(repository, name, descriptor)
        finally:
            os.close(descriptor)
        if request := sample_request(copy):
            return request
        with torch.inference_mode():
            example = find_example(copy, copy.main_method(), MAX_EXAMPLE_BYTES)
        return as_request(copy, example) if example else None
    return None


def as_request(servable: Servable, example: bytes) -> FirstRequest:
    """An example as people write it."""
    plain = plain_example(servable.main_method(), json.loads(example))
    return FirstRequest(text_of(plain), servable.main_name)
