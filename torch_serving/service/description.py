"""What a model takes and gives, for people: signatures, sizes, and a request that works."""

import asyncio
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from torch_serving.codecs.constraints import constraints_in, constraints_of
from torch_serving.codecs.json._decoder import Argument, TypeSpec
from torch_serving.codecs.oip.example import oip_request
from torch_serving.codecs.signature import json_default
from torch_serving.engine.batcher import Batcher
from torch_serving.engine.deadline import Deadline
from torch_serving.engine.devices import DevicePool
from torch_serving.models.examples import unknown_example
from torch_serving.models.lifecycle import ModelLifecycle
from torch_serving.models.load_queue import wait_until_loaded
from torch_serving.models.servable import MAX_SHARED_BYTES, Method, Servable
from torch_serving.service.examples import Examples
from torch_serving.service.fetching import fetched
from torch_serving.service.file_threads import in_file_thread
from torch_serving.service.management import Management
from torch_serving.service.names import find_identifier
from torch_serving.telemetry._counters import SIZES, MethodNumbers

UNKNOWN_SHAPES = "no request was found that works: put tensors of the right shapes in place of …"

MAX_SEARCHES = 16  # of examples that a document starts, one after the other
SEARCHES_WAIT_S = 3.0  # how long the document waits for them


class Description:
    """Describes models that are served. For the thread of one event loop."""

    def __init__(
        self,
        models: ModelLifecycle,
        devices: DevicePool,
        management: Management,
        examples: Examples,
        limit_s: float = math.inf,
    ) -> None:
        """`limit_s` is how long a model may take to load before it is described."""
        self._models = models
        self._devices = devices
        self._management = management
        self._examples = examples
        self._limit_s = limit_s

    async def describe(
        self, model: str, device: str | None = None, timeout_s: float | None = None
    ) -> dict[str, Any]:
        """Return the status of a model, and what it takes and gives. The model is loaded for that.

        Raises what loading raises, DeadlineExceeded while the model loads, and InvalidDevice. After
        `timeout_s`, no example is waited for.
        """
        deadline = Deadline(min(timeout_s or self._limit_s, self._limit_s))
        model = await find_identifier(self._models.repository, model)
        await fetched(self._models.repository, model, deadline)
        choose = self._models.repository.placement.choose
        chosen = await in_file_thread(choose, model, self._devices, device)
        loading = self._models.load(model, chosen)
        servable = await wait_until_loaded(loading, deadline.remaining_s())
        examples = await self._examples_within(deadline.remaining_s(), servable)
        # files and large examples are read, which takes too long for the event loop
        return await in_file_thread(partial(self._describe, model, servable, examples))

    async def find_examples(self) -> None:
        """Look for examples of this process's models, for as long as a document may wait."""
        await self._search(self._models.cache.values())

    async def oip_example(self, servable: Servable, timeout_s: float) -> dict[str, Any] | None:
        """A request for `forward` in the Open Inference Protocol, if one is known soon."""
        await self._search([servable], min(timeout_s, SEARCHES_WAIT_S))
        example = (servable.examples or {}).get("forward")
        return None if example is None else oip_request(servable.main_method().signature, example)

    async def _search(self, servables: Iterable[Servable], wait_s: float = SEARCHES_WAIT_S) -> None:
        unknown = [each for each in servables if each.examples is None][:MAX_SEARCHES]
        searches = [asyncio.create_task(self._shared_examples(each)) for each in unknown]
        if searches:
            _, waiting = await asyncio.wait(searches, timeout=wait_s)
            for search in waiting:
                search.cancel()  # what it waits for goes on, and is remembered

    async def _examples_within(self, wait_s: float, servable: Servable) -> Mapping[str, bytes]:
        search = asyncio.create_task(self._shared_examples(servable))
        done, _ = await asyncio.wait([search], timeout=wait_s)
        if done:
            return search.result()
        search.cancel()
        return {}

    async def _shared_examples(self, servable: Servable) -> Mapping[str, bytes]:
        """Find examples, and publish those that are short to all workers."""
        found = await self._examples.of(servable)
        short = {name: text for name, text in found.items() if len(text) <= MAX_SHARED_BYTES}
        examples = {name: json.loads(text) for name, text in short.items()}
        if servable.examples != examples:
            servable.examples = examples
            self._models.publish()
        return found

    def _describe(
        self, model: str, servable: Servable, examples: Mapping[str, bytes]
    ) -> dict[str, Any]:
        description = describe(servable, examples)
        for name, method in description["methods"].items():
            if "batching" in method:
                ((_, numbers),) = self._management.statistics(servable.identifier, name)
                method["batching"] |= batch_sizes(numbers)
        if "forward" in examples:
            example = description["methods"]["forward"]["example"]
            description["oip_example"] = oip_request(servable.main_method().signature, example)
        return {**self._management.status(model), **description}


def batch_sizes(numbers: MethodNumbers | None) -> dict[str, Any]:
    """How many requests ran together, in all workers."""
    if numbers is None:
        return {"requests": 0, "runs_of_up_to": {}}
    runs, requests = numbers.batches
    sizes = [*map(str, SIZES), "more"]
    runs_by_size = {size: count for size, count in zip(sizes, runs, strict=True) if count}
    return {"requests": requests, "runs_of_up_to": runs_by_size}


def describe(servable: Servable, examples: Mapping[str, bytes]) -> dict[str, Any]:
    """Describe a servable and its methods as JSON. `examples` has requests that work by method."""
    parameters = list(servable.program.parameters())
    dtypes = Counter(str(tensor.dtype).removeprefix("torch.") for tensor in parameters)
    return {
        "device": str(servable.device),
        "runs": servable.program.runs,
        "parameters": sum(tensor.numel() for tensor in parameters),
        "parameter_bytes": sum(tensor.numel() * tensor.element_size() for tensor in parameters),
        "data_type": dtypes.most_common(1)[0][0] if dtypes else None,
        **({"stateful": servable.state} if servable.state else {}),
        **({"unbatched": servable.program.unbatched} if servable.program.unbatched else {}),
        "methods": {
            name: describe_method(servable.method(name), examples.get(name))
            for name in servable.method_names()
        },
    }


def describe_method(method: Method, example: bytes | None) -> dict[str, Any]:
    arguments = [
        {"name": argument.name, "type": argument.spec.type, "required": argument.required}
        | ({} if argument.required else {"default": json_default(argument.default)})
        | declared_of(argument)
        for argument in method.signature.arguments
    ]
    return {
        "signature": str(method.signature),
        "arguments": arguments,
        "structure": {each.name: structure_of(each.spec) for each in method.signature.arguments},
        "result": method.signature.result.type,
        **results_of(method),
        **describe_example(method, example),
        **({"batching": describe_batching(method.batcher)} if method.batcher else {}),
    }


def structure_of(spec: TypeSpec) -> dict[str, Any]:
    """A type as a tree, for programs that make forms."""
    members = {key: structure_of(part) for key, part in (spec.members or {}).items()}
    found = {
        "parts": [structure_of(part) for part in spec.parts],
        "names": list(spec.names),
        "members": members,
        "closed": spec.closed,
    }
    constant = {"value": json_default(spec.value)} if spec.kind == "constant" else {}
    declared = spec.constraint.described() if spec.constraint is not None else {}
    known = {key: value for key, value in found.items() if value}
    return {"kind": spec.kind, "type": spec.type, **known, **constant, **declared}


def results_of(method: Method) -> dict[str, Any]:
    """What is known of the tensors in a result, by the names that named tensors have."""
    found = constraints_in(method.signature.result, "")
    return (
        {"results": {name or "output_0": each.described() for name, each in found.items()}}
        if found
        else {}
    )


def declared_of(argument: Argument) -> dict[str, Any]:
    """What is declared of an argument, or of the tensors in it."""
    found = {name: each.described() for name, each in constraints_of(argument).items()}
    own = found.pop(argument.name, {})
    return {**own, "tensors": found} if found else own


def describe_batching(batcher: Batcher) -> dict[str, Any]:
    return {"state": batcher.state.value, "max_batch": batcher.max_rows}


def describe_example(method: Method, example: bytes | None) -> dict[str, Any]:
    """A request by name that works; if none was found, one with … for tensors."""
    if example is None:
        return {"example": unknown_example(method.signature), "note": UNKNOWN_SHAPES}
    return {"example": json.loads(example)}
