"""Documents of programs that are hostile or damaged."""

from typing import Any

import pytest

from tests.support.signature_programs import document, with_range
from torch_serving.errors import InvalidServable
from torch_serving.models.backends.export.signature.signature import program_signature


def without(document: Any, *keys: str) -> Any:
    part = document
    for key in keys[:-1]:
        part = part[key]
    del part[keys[-1]]
    return document


def with_size(**size: Any) -> Any:
    changed = document("linear")
    changed["graph_module"]["graph"]["tensor_values"]["x"]["sizes"][0] = size
    return changed


def with_name(name: str) -> Any:
    changed = document("linear")
    call = changed["graph_module"]["module_call_graph"][0]["signature"]
    call["forward_arg_names"] = [name]
    return changed


HOSTILE = [
    lambda: with_size(as_int=1 << 80),
    lambda: with_size(as_int=-3),
    lambda: with_size(as_int=2.5),
    lambda: with_size(as_expr={"expr_str": "1.5"}),
    lambda: with_range(1 << 70, None),
    lambda: with_range(5, 2),
    lambda: with_name("a\nb"),
    lambda: with_name(""),
    lambda: with_name("x" * 500),
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_documents_are_refused(hostile: Any) -> None:
    with pytest.raises(InvalidServable) as raised:
        program_signature(hostile())
    assert len(raised.value.detail) < 400


@pytest.mark.parametrize(
    "damaged",
    [
        lambda: without(document("linear"), "graph_module", "graph", "tensor_values", "x"),
        lambda: without(document("linear"), "graph_module", "signature", "input_specs"),
        lambda: without(document("trees"), "graph_module", "treespec_namedtuple_fields"),
        dict,
    ],
)
def test_damaged_documents_are_refused(damaged: Any) -> None:
    with pytest.raises(InvalidServable):
        program_signature(damaged())
