"""A request by name in the Open Inference Protocol: the same arguments, or none."""

import json
from pathlib import Path

import pytest
import torch

from tests.support.json_values import plain
from tests.support.typed_models import CASES, Case, file_of
from torch_serving.codecs.oip.example import oip_request
from torch_serving.codecs.oip.invocation import OipInvocation
from torch_serving.codecs.tensor_tree.specs import can_be_named
from torch_serving.models.loader import load

# Values of which names tell nothing: empty ones, and what comes after None.
NAMELESS = ("Tuple[()]", "Dict[str, int]", "List[Optional[Tensor]]")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.type)
def test_requests_of_each_type(typed_models: Path, case: Case):
    method = load(typed_models / file_of(case.type), torch.device("cpu")).method("forward")
    (argument,) = method.signature.arguments
    named = {argument.name: plain(case.value)}
    request = oip_request(method.signature, named)
    if not can_be_named(argument.spec):
        assert request is None
    elif request is not None:  # the protocol has no complex numbers
        decoded = OipInvocation(method, "m", None).decode(json.dumps(request).encode())
        expected = method.decode(json.dumps(named).encode())
        assert repr(method.run(decoded)) == repr(method.run(expected))
    else:
        assert "complex" in str(named) or case.type in NAMELESS
