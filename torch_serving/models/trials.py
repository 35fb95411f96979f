"""What is done with a model in a process of its own, where a crash costs no worker.

It is done on the CPU, whatever device serves the model: a graphics card takes a second to open, and
one fault breaks it for the whole process.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch

from torch_serving.model_config import ModelConfig
from torch_serving.models.backends.registry import backend_of
from torch_serving.models.examples import find_examples
from torch_serving.models.files import open_file
from torch_serving.models.loader import load_open
from torch_serving.models.placement import CPU
from torch_serving.models.repository import ModelRepository
from torch_serving.models.servable import ModelSource, Servable

EXAMPLES_LIMIT_S = 5  # then the process that looks for examples is ended

Request = dict[str, Any]
TryLoad = Callable[[Request, int], bool]  # a request to the parent, and a file's descriptor


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
    if request["warms_up"]:
        model = repository.resolve(request["name"], CPU)
        repository.import_modules(model)
        file = open_file(descriptor, repository.real_path(model))
        load_open(file, CPU, repository.read_config(model), ModelSource(model.identifier))
    else:
        load_copy(repository, request["name"], descriptor)


def examples_request(name: str, methods: Sequence[str]) -> Request:
    """A worker's request for examples of requests to these methods of a model."""
    return {"name": name, "examples_of": methods}


def examples(repository: ModelRepository, request: Request, descriptor: int) -> Iterator[bytes]:
    """Yield a line for each example that is found, with a copy of the model in the open file."""
    copy = load_copy(repository, request["name"], descriptor)
    with torch.inference_mode():
        for method, example in find_examples(copy, request["examples_of"]):
            yield method.encode() + b"\t" + example + b"\n"


def read_examples(lines: Iterable[bytes]) -> dict[str, bytes]:
    """The examples by method. A process that crashed may have left the last line unfinished."""
    whole = (line.partition(b"\t") for line in lines if line.endswith(b"\n"))
    return {method.decode(): example.rstrip(b"\n") for method, _, example in whole}


def load_copy(repository: ModelRepository, name: str, descriptor: int) -> Servable:
    """Load the open file of a model as it is; beside it, only declarations count."""
    model = repository.resolve(name, CPU)
    repository.import_modules(model)
    file = open_file(descriptor, repository.real_path(model))
    config = repository.read_config(model)
    declared = ModelConfig(input=config.input, method=config.method)
    program = backend_of(file.path, model.identifier).load(file, CPU)
    return Servable(program, CPU, declared, ModelSource(model.identifier))
