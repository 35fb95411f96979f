"""Whether a runtime gives what the modules of the zoo give."""

import asyncio
import inspect
from typing import Any

import torch

from tests.support.zoo.model import ZooModel
from tests.support.zoo.requests import FORMS, Form, Results, leaves, tensors_of
from torch_serving import Runtime


def check_all_forms(runtime: Runtime, model: ZooModel, identifier: str, tolerance: float) -> None:
    """Assert that every form of request and every size has the results of the module."""
    for size in model.sizes:
        arguments = arguments_of(model, size)
        expected = leaves(model.eager(size))
        for form in FORMS.values():
            found = ask(runtime, identifier, form, arguments)
            if found is not None:
                wanted = tensors_of(expected) if form.is_binary else expected
                where = f"{form.name}, size {size}"
                check_equal(found, wanted, where, None if model.draws else tolerance)
            if model.counts:  # each run starts where the last one ended
                asyncio.run(runtime.management.unload(identifier))


def check_requests_at_once(runtime: Runtime, model: ZooModel, identifier: str, count: int) -> None:
    """Assert that many requests, which may run as one, have the results that each has alone."""
    size = model.sizes[-1]
    form = FORMS["positional"]

    async def ask_all() -> list[Results]:
        bodies = [form.encode(arguments_of(model, size, seed)) for seed in range(count)]
        runs = [runtime.inference.infer(form.request(identifier, b), b) for b in bodies if b]
        return [form.decode(response) for response in await asyncio.gather(*runs)]

    for seed, found in enumerate(asyncio.run(ask_all())):
        check_equal(found, leaves(model.eager(size, seed)), f"request {seed}", 1e-5)


def arguments_of(model: ZooModel, size: int | None = None, seed: int = 1) -> dict[str, Any]:
    """The arguments by name."""
    inputs = model.arguments(size, seed)
    signature = inspect.signature(model.module().forward)
    return dict(signature.bind(*inputs.positional, **inputs.by_keyword).arguments)


def ask(runtime: Runtime, identifier: str, form: Form, arguments: dict[str, Any]) -> Results | None:
    """The results of a request; None if the arguments have no such form."""
    body = form.encode(arguments)
    if body is None:
        return None
    request = form.request(identifier, body)
    return form.decode(asyncio.run(runtime.inference.infer(request, body)))


def check_equal(found: Results, wanted: Results, where: str, tolerance: float | None) -> None:
    """Assert that results are equal; without a tolerance, only types and shapes count."""
    assert found.keys() == wanted.keys(), where
    for path, value in wanted.items():
        where_in = f"{where}: {path}"
        if not isinstance(value, torch.Tensor):
            assert (found[path], type(found[path])) == (value, type(value)), where_in
            continue
        kinds = [(each.dtype, each.shape) for each in (found[path], value)]
        assert kinds[0] == kinds[1], where_in
        if tolerance is not None:
            torch.testing.assert_close(
                found[path],
                value,
                rtol=tolerance,
                atol=tolerance,
                equal_nan=True,
                msg=lambda message, where=where_in: f"{where}: {message}",  # type: ignore[misc]
            )
