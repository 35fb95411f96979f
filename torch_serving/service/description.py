"""What a model takes and gives, for people: signatures, sizes, and a request that works."""

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import torch

from torch_serving.codecs.json._decoder import TypeSpec
from torch_serving.codecs.signature import json_default
from torch_serving.engine.batcher import Batcher
from torch_serving.engine.devices import DevicePool
from torch_serving.engine.job import Job
from torch_serving.engine.steps import run_all
from torch_serving.models.lifecycle import ModelLifecycle, wait_until_loaded
from torch_serving.models.servable import Method, Servable
from torch_serving.service.management import Management
from torch_serving.telemetry._counters import SIZES, MethodNumbers

# Requests are tried until one works; this bounds how many, and for how long.
MAX_TRIES = 60
MAX_SEARCH_S = 2.0
IMAGE_SIDES = (8, 32, 64, 224)  # height and width that convolutions may want
UNKNOWN = "…"
UNKNOWN_SHAPES = "no request was found that works: put tensors of the right shapes in place of …"


class Description:
    """Describes models that are served. For the thread of one event loop."""

    def __init__(self, models: ModelLifecycle, devices: DevicePool, management: Management) -> None:
        self._models = models
        self._devices = devices
        self._management = management

    async def describe(self, model: str, device: str | None = None) -> dict[str, Any]:
        """Return the status of a model, and what it takes and gives. The model is loaded for that.

        Raises what loading raises, and InvalidDevice.
        """
        chosen = self._models.repository.choose_device(model, self._devices, device)
        servable = await wait_until_loaded(self._models.load(model, chosen))
        # requests are tried, which takes too long for the event loop
        return await asyncio.to_thread(self._describe, model, servable)

    def _describe(self, model: str, servable: Servable) -> dict[str, Any]:
        description = describe(servable)
        for name, method in description["methods"].items():
            if "batching" in method:
                ((_, numbers),) = self._management.statistics(servable.identifier, name)
                method["batching"] |= batch_sizes(numbers)
        return {**self._management.status(model), **description}


def batch_sizes(numbers: MethodNumbers | None) -> dict[str, Any]:
    """How many requests ran together, in all workers."""
    if numbers is None:
        return {"requests": 0, "runs_of_up_to": {}}
    runs, requests = numbers.batches
    sizes = [*map(str, SIZES), "more"]
    runs_by_size = {size: count for size, count in zip(sizes, runs, strict=True) if count}
    return {"requests": requests, "runs_of_up_to": runs_by_size}


def describe(servable: Servable) -> dict[str, Any]:
    """Describe a servable and its methods as JSON."""
    parameters = list(servable.program.parameters())
    dtypes = Counter(str(tensor.dtype).removeprefix("torch.") for tensor in parameters)
    return {
        "device": str(servable.device),
        "parameters": sum(tensor.numel() for tensor in parameters),
        "parameter_bytes": sum(tensor.numel() * tensor.element_size() for tensor in parameters),
        "data_type": dtypes.most_common(1)[0][0] if dtypes else None,
        "methods": {name: describe_method(servable, name) for name in servable.method_names()},
    }


def describe_method(servable: Servable, name: str) -> dict[str, Any]:
    method = servable.method(name)
    arguments = [
        {"name": argument.name, "type": argument.spec.type, "required": argument.required}
        | ({} if argument.required else {"default": json_default(argument.default)})
        for argument in method.signature.arguments
    ]
    return {
        "signature": str(method.signature),
        "arguments": arguments,
        "result": method.signature.result.type,
        **example_of(servable, servable.untracked(name)),
        **({"batching": describe_batching(method.batcher)} if method.batcher else {}),
    }


def describe_batching(batcher: Batcher) -> dict[str, Any]:
    return {"state": batcher.state.value, "max_batch": batcher.max_rows}


def example_of(servable: Servable, method: Method) -> dict[str, Any]:
    """A request by name that works, found by trying; if none is found, one with … for tensors."""
    specs = {
        argument.name: argument.spec for argument in method.signature.arguments if argument.required
    }
    tensor_count = sum(count_tensors(spec) for spec in specs.values())
    stop_s = time.monotonic() + MAX_SEARCH_S
    for candidates in itertools.islice(choices(servable, tensor_count), MAX_TRIES):
        tensors = iter(candidates)
        body = {name: example_value(spec, tensors) for name, spec in specs.items()}
        job = Job(method, json.dumps(body).encode())
        run_all((job,))
        if job.error is None:
            return {"example": body}
        if time.monotonic() > stop_s:
            break
    unknown = iter([UNKNOWN] * tensor_count)
    body = {name: example_value(spec, unknown) for name, spec in specs.items()}
    return {"example": body, "note": UNKNOWN_SHAPES}


def count_tensors(spec: TypeSpec) -> int:
    """How many tensors the example of a spec holds."""
    if spec.kind in ("tensor", "any"):
        return 1
    if spec.kind == "optional":
        return 0
    parts = spec.parts[:1] if spec.kind == "union" else spec.parts
    return sum(count_tensors(part) for part in parts)


def choices(servable: Servable, tensor_count: int) -> Iterator[tuple[Any, ...]]:
    """Yield a value for each tensor: first the same one for all, then any mixture."""
    shapes = likely_shapes(servable.program.parameters())
    known = [tensor(shape, data_type) for shape, data_type in shapes]
    yield from ((candidate,) * tensor_count for candidate in known)
    if tensor_count > 1:
        yield from itertools.product(known, repeat=tensor_count)


def tensor(shape: tuple[int, ...], data_type: str) -> dict[str, Any]:
    count = torch.Size(shape).numel()
    return {"type": "tensor", "shape": list(shape), "value": [0] * count, "data_type": data_type}


def likely_shapes(parameters: Iterable[torch.Tensor]) -> list[tuple[tuple[int, ...], str]]:
    """What the first weights suggest that inputs look like, the likeliest first."""
    shapes: dict[tuple[tuple[int, ...], str], None] = {}
    weights = [weight for weight in parameters if weight.dim() > 1][:6]
    for weight in weights:
        data_type = str(weight.dtype).removeprefix("torch.")
        features = weight.shape[1]
        if weight.dim() == 2:
            shapes[(1, features), data_type] = None
            shapes[(1, 1, features), data_type] = None
            shapes[(1, 4), "int64"] = None  # indices into an embedding
        for side in IMAGE_SIDES[: 6 - weight.dim()]:
            if weight.dim() > 2:
                shapes[(1, features, *[side] * (weight.dim() - 2)), data_type] = None
    for shape in ((1,), (1, 1), (2, 2), (1, 4), (1, 3, 8, 8), ()):
        shapes[shape, "float32"] = None
        shapes[shape, "int64"] = None
    return list(shapes)


EXAMPLES = {
    "bool": True, "int": 1, "float": 1.0, "number": 1, "complex": [1.0, 0.0], "str": "text",
    "device": "cpu", "none": None, "optional": None,
}  # fmt: skip


def example_value(spec: TypeSpec, tensors: Iterator[Any]) -> Any:
    """A value for a spec in plain JSON, its tensors taken from `tensors`."""
    if spec.kind in ("tensor", "any"):
        return next(tensors)
    if spec.kind == "enum":
        return spec.names[0]
    if spec.kind in EXAMPLES:
        return EXAMPLES[spec.kind]
    parts = spec.parts[:1] if spec.kind == "union" else spec.parts
    values = [example_value(part, tensors) for part in parts]
    if spec.kind == "union":
        return values[0]
    if spec.kind == "dict":
        return {"key": values[1]} if spec.parts[0].kind == "str" else [values]
    return dict(zip(spec.names, values, strict=True)) if spec.names else values
