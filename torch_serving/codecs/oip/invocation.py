"""The invocation of an Open Inference Protocol request: named tensors in, named tensors out."""

from typing import Any

from torch_serving.codecs.interfaces import (
    JSON_HEADERS,
    Body,
    Encoded,
    Headers,
    MethodInfo,
    Response,
)
from torch_serving.codecs.oip.datatypes import usual_datatype
from torch_serving.codecs.oip.metadata import VERSION
from torch_serving.codecs.oip.request import InferRequest, read_raw, read_request
from torch_serving.codecs.oip.response import unknown_output, write_response
from torch_serving.codecs.tensor_tree.flatten import flatten
from torch_serving.codecs.tensor_tree.specs import can_be_named, tensor_specs
from torch_serving.codecs.tensor_tree.unflatten import unflatten

MAX_QUICK_JSON = 64 * 1024  # bytes before binary data that take no time to speak of


class OipInvocation:
    """One request: unlike a method, it is not shared, and its response depends on its body.

    `request` is what `decode` read, without the inputs, and `encode` needs: the request's id, and
    which outputs it wants in which form.
    """

    def __init__(self, method: MethodInfo, model: str, json_bytes: int | None) -> None:
        is_binary = json_bytes is not None and json_bytes <= MAX_QUICK_JSON
        self.method = method
        self.model = method.model
        self.device = method.device
        self.batcher = method.batcher
        self.device_method = method.device_method
        self.inline = method.inline_for("v2 binary" if is_binary else "v2 json")
        self.counters = method.counters
        self.headers: Headers = JSON_HEADERS
        self.run = method.run
        self.translate = method.translate
        self._name = model  # as the request spells it
        self._json_bytes = json_bytes
        self.request = InferRequest(None, {}, [], False)

    def decode(self, body: Body) -> list[Any]:
        arguments = self.method.signature.arguments
        if self._json_bytes == 0:
            request = read_raw(body, arguments, usual_datatype(self.method.weights_dtype))
        else:
            # what may run on the event loop is bounded, and takes nothing but tensors
            request = read_request(body, self._json_bytes, not self.inline.bounded)
        self.check_outputs(request)
        self.request = request._replace(inputs={})  # they need not outlive the run
        values = unflatten(arguments, request.inputs)
        if self.method.check is not None:
            self.method.check(values)
        return values

    def check_outputs(self, request: InferRequest) -> None:
        """Refuse outputs that the schema rules out before anything runs for them."""
        result = self.method.signature.result
        if not request.outputs or not can_be_named(result):
            return
        specs = list(tensor_specs(result, ""))
        names = [tensor.name for tensor in specs]
        for requested in request.outputs:
            if requested.name not in names and all(tensor.is_fixed for tensor in specs):
                raise unknown_output(requested.name, names)

    def encode(self, outputs: Any) -> Encoded:
        tensors = flatten(outputs, self.method.signature.result)
        body, json_bytes = write_response(self._name, VERSION, self.request, tensors)
        if json_bytes is None:
            return body
        headers = (
            ("content-type", "application/octet-stream"),
            ("inference-header-content-length", str(json_bytes)),
        )
        return Response(headers, body)
