"""Requests that a model takes: as its owner gave them, or as its weights suggest.

What is suggested is tried, so this is for a copy of a model, never for one that serves: a run may
crash, end never, break a device or change the model's buffers.
"""

import itertools
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import torch

from torch_serving.codecs.constants import written
from torch_serving.codecs.json._decoder import TypeSpec
from torch_serving.codecs.signature import Signature
from torch_serving.engine.job import Job
from torch_serving.engine.steps import run_all
from torch_serving.errors import ServingError
from torch_serving.models.samples import warm_ups_of
from torch_serving.models.servable import Method, Servable
from torch_serving.tensor_constraint import example_shapes

# Requests are tried until one works; this bounds how many, and for how long.
MAX_TRIES = 60
MAX_SEARCH_S = 2.0  # of this thread, whatever else the machine does
MAX_WAIT_S = 4.0  # in all, and less than EXAMPLES_LIMIT_S: a model that waits has not crashed
MAX_EXAMPLE_BYTES = 1 << 20  # three images of 224 x 224 pixels
IMAGE_SIDES = (8, 32, 64, 224)  # height and width that convolutions may want
SIDES = (4, *IMAGE_SIDES)  # of dimensions that are declared to have any size
COLOURS = (1, 3)  # channels of images
UNKNOWN = "…"


def given_example(servable: Servable) -> bytes | None:
    """The first warm-up request that can be written by name: its owner knows the model best."""
    method = servable.main_method()
    for request in warm_ups_of(servable):
        if len(request.body) <= MAX_EXAMPLE_BYTES:
            for body in by_name(method.signature, request.body):
                # InvalidInput: it stands for something else; ValueError: JSON can't hold its floats
                with suppress(ServingError, ValueError):
                    method.decode(text := compact(body))
                    return text
    return None


def by_name(signature: Signature, body: bytes) -> Iterator[dict[str, Any]]:
    """Yield what a body may mean, as an object by name."""
    names = [argument.name for argument in signature.arguments]
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return
    if isinstance(document, dict) and document.keys() & set(names):
        yield {name: value for name, value in document.items() if name in names}
    if isinstance(document, list):
        yield dict(zip(names, document, strict=False))
    if len(names) == 1:
        yield {names[0]: document}


def compact(document: Any) -> bytes:
    """JSON without spaces. Raises ValueError for what it can't hold."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode()


def find_examples(servable: Servable, methods: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield a request by name that works for each method for which one is found by trying."""
    left_bytes, last_s = MAX_EXAMPLE_BYTES, time.monotonic() + MAX_WAIT_S
    for name in methods:
        example = find_example(servable, servable.method(name), left_bytes, last_s)
        if example is not None:
            left_bytes -= len(example)
            yield name, example


def find_example(
    servable: Servable, method: Method, limit_bytes: int, last_s: float = math.inf
) -> bytes | None:
    """Try requests until one works; `last_s` is when to give up, as the monotonic clock has it."""
    stop_s = time.thread_time() + MAX_SEARCH_S
    tries = requests(servable, method.signature)
    for request in itertools.islice(tries, MAX_TRIES):
        body = compact(request)
        if len(body) <= limit_bytes:
            job = Job(method, body)
            run_all((job,))
            if job.error is None:
                return body
        if time.thread_time() > stop_s or time.monotonic() > last_s:
            break
    return None


def requests(servable: Servable, signature: Signature) -> Iterator[dict[str, Any]]:
    """Yield requests that may work; where all is declared, hardly more than one."""
    specs = [each for spec in required(signature).values() for each in tensors_of(spec)]
    shapes = [each.constraint.shape for each in specs if has_shape(each) and each.constraint]
    declared = [shape for shape in shapes if shape is not None]
    count = len(specs) - len(declared)
    known = dict.fromkeys(  # sides make no difference where no size is open
        tuple(map(tuple, example_shapes(declared, side))) for side in SIDES
    )
    for sizes in known:
        if 2 * sum(map(math.prod, sizes)) <= MAX_EXAMPLE_BYTES:
            for candidates in choices(servable, count) if count else [()]:
                yield example_with(signature, iter(candidates), iter(sizes))


def has_shape(spec: TypeSpec) -> bool:
    return spec.constraint is not None and spec.constraint.shape is not None


def unknown_example(signature: Signature) -> dict[str, Any]:
    """A request with … in the place of tensors."""
    return {
        name: example_value(spec, lambda _: UNKNOWN) for name, spec in required(signature).items()
    }


def example_with(
    signature: Signature, tensors: Iterator[Any], sizes: Iterator[tuple[int, ...]]
) -> dict[str, Any]:
    """A request with plain numbers where shapes are declared, of `sizes`, and else `tensors`."""

    def fill(spec: TypeSpec) -> Any:
        constraint = spec.constraint
        if constraint is not None and has_shape(spec):
            return zeros(constraint.plain_type, next(sizes))
        value = next(tensors)
        if constraint is not None and constraint.data_type:
            value = {**value, "data_type": constraint.data_type}
        return value

    return {name: example_value(spec, fill) for name, spec in required(signature).items()}


def zeros(data_type: str, shape: tuple[int, ...]) -> Any:
    """Nested zeros; in an envelope where nesting does not tell the shape."""
    is_complex = data_type.startswith("complex")
    if 0 in shape[:-1] or (is_complex and not shape):
        count = math.prod(shape) * (2 if is_complex else 1)
        return {"type": "tensor", "shape": list(shape), "value": [0] * count}
    value: Any = [0, 0] if is_complex else False if data_type == "bool" else 0
    for size in reversed(shape):
        value = [value] * size
    return value


def required(signature: Signature) -> dict[str, TypeSpec]:
    return {argument.name: argument.spec for argument in signature.arguments if argument.required}


def tensors_of(spec: TypeSpec) -> Iterator[TypeSpec]:
    """The tensors that the example of a spec holds."""
    if spec.kind in ("tensor", "any"):
        yield spec
    elif spec.kind != "optional":
        for part in example_parts(spec):
            yield from tensors_of(part)


def example_parts(spec: TypeSpec) -> Sequence[TypeSpec]:
    if spec.members is not None:
        return list(spec.members.values())
    return spec.parts[:1] if spec.kind == "union" else spec.parts


def choices(servable: Servable, tensor_count: int) -> Iterator[tuple[Any, ...]]:
    """Yield a value for each tensor: first the same one for all, then any mixture."""
    known = [
        tensor(shape, data_type)
        for shape, data_type in likely_shapes(servable.program.parameters())
        if 2 * torch.Size(shape).numel() <= MAX_EXAMPLE_BYTES  # `0,` for each element
    ]
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
        sides = IMAGE_SIDES[: 6 - weight.dim()] if weight.dim() > 2 else ()
        for side in sides:
            shapes[(1, features, *[side] * (weight.dim() - 2)), data_type] = None
        if weight.dim() == 4 and features in COLOURS:  # a model may take one image alone
            for side in sides:
                shapes[(features, side, side), data_type] = None
    for shape in ((1,), (1, 1), (2, 2), (1, 4), (1, 3, 8, 8), ()):
        shapes[shape, "float32"] = None
        shapes[shape, "int64"] = None
    return list(shapes)


EXAMPLES = {
    "bool": True, "int": 1, "float": 1.0, "number": 1, "complex": [1.0, 0.0], "str": "text",
    "device": "cpu", "none": None, "optional": None,
}  # fmt: skip


def example_value(spec: TypeSpec, fill: Callable[[TypeSpec], Any]) -> Any:
    """A value for a spec in plain JSON; `fill` gives its tensors."""
    if spec.kind in ("tensor", "any"):
        return fill(spec)
    if spec.kind == "enum":
        return spec.names[0]
    if spec.kind == "constant":
        return json.loads(written(spec.value))
    if spec.kind in EXAMPLES:
        return EXAMPLES[spec.kind]
    values = [example_value(part, fill) for part in example_parts(spec)]
    if spec.kind == "union":
        return values[0]
    if spec.members is not None:
        return dict(zip(spec.members, values, strict=True))
    if spec.kind == "dict":
        return {"key": values[1]} if spec.parts[0].kind == "str" else [values]
    return dict(zip(spec.names, values, strict=True)) if spec.names else values
