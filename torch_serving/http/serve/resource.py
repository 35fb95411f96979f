"""Inference: one request through one model."""

import falcon.asgi

from torch_serving.codecs.invocation import invocation_of
from torch_serving.engine.devices import asked_device
from torch_serving.errors import InvalidParameter
from torch_serving.http.negotiation import form_of_answer, form_of_body
from torch_serving.http.request import Request
from torch_serving.http.serve.parameters import parameters_of
from torch_serving.service.inference import Inference


class Serve:
    def __init__(self, inference: Inference, max_body_bytes: int) -> None:
        self._inference = inference
        self._max_body_bytes = max_body_bytes

    async def on_post(self, req: Request, resp: falcon.asgi.Response) -> None:
        identifier, device_name, name, invalidation = parameters_of(req.params)
        asked = asked_device(device_name)
        read = form_of_body(req.content_type)
        write = form_of_answer(req.get_header("accept"))
        body = await req.read_body(self._max_body_bytes)
        method = self._inference.loaded_method(identifier, name, asked, invalidation)
        if method is None:
            method = await self._inference.load_method(identifier, name, asked)
        req.count_in(method.counters)
        invocation = invocation_of(method, read, write)
        resp.data = await self._inference.submit(invocation, body, timeout_of(req))
        resp.set_headers(invocation.headers)


def timeout_of(req: Request) -> float | None:
    """The deadline that a client sets, in seconds."""
    text = req.get_header("x-request-timeout-ms")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text[:12]) > 0 and len(text) <= 12):
        raise InvalidParameter(
            f"header `X-Request-Timeout-Ms`: expected a whole number above 0, got `{text[:40]}`"
        )
    return int(text) / 1000
