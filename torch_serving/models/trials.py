"""What is done with a model in a process of its own, where a crash costs no worker.

It is done on the CPU, whatever device serves the model: a graphics card takes a second to open, and
one fault breaks it for the whole process.
"""

from typing import Any

import torch

from torch_serving.models.backends.registry import backend_of
from torch_serving.models.files import open_file
from torch_serving.models.loader import load_open
from torch_serving.models.repository import CPU, ModelRepository
from torch_serving.models.servable import ModelSource, Servable

Request = dict[str, Any]


def load_request(source: ModelSource, device: torch.device) -> Request:
    """A worker's request to try to load a file for a device.

    Warm-up requests of another device than the CPU are left to it: on the CPU they may take minutes
    or want operators that it lacks, which says nothing about that device.
    """
    warms_up = device.type == "cpu"
    key = [*(source.file or ()), *source.sidecars, warms_up]
    return {"name": source.identifier, "warms_up": warms_up, "key": key}


def try_load(repository: ModelRepository, request: Request, descriptor: int) -> None:
    """Load the open file of a request. Raises whatever loading raises."""
    model = repository.resolve(request["name"], CPU)
    file = open_file(descriptor, repository.real_path(model))
    if request["warms_up"]:
        load_open(file, CPU, repository.read_config(model), ModelSource(model.identifier))
    else:
        Servable(backend_of(model.identifier).load(file, CPU), CPU)
