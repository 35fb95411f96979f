"""What a program may have torch evaluate: arithmetic, and trees that name no modules."""

import json
from typing import Any

import pytest

from tests.support.export_archives import document_of_program, spec_of
from torch_serving.errors import InvalidServable
from torch_serving.models.backends.export.archive.evaluated import check_evaluated

S0 = "Symbol('s0', positive=True, integer=True)"
ARITHMETIC = [
    S0,
    "s0",
    f"Add(Mul(Integer(2), {S0}), Integer(-1))",
    f"FloorDiv({S0}, Integer(2))",
    f"Pow({S0}, Integer(2))",
    "Pow(Integer(2), Integer(10))",
    f"OpaqueUnaryFn_sqrt(ToFloat({S0}))",
    f"Eq({S0}, Integer(1))",
]
OTHERS = [
    "__import__('os').system('true')",
    "eval('1')",
    "S('eval(1)')",
    "Lambda(x, x)",
    "[x for x in (1, 2)]",
    "(lambda: 1)()",
    "Symbol.__class__",
    "L['x'].size()[0]",
    "Symbol('s0)')",
    "Pow(Integer(10), Pow(Integer(10), Integer(10)))",
    "Pow(Integer(10), Integer(1000000000))",
    "(" * 1000 + "1" + ")" * 1000,
    "1" * 100_000,
    "",
    "s0\nimport os",
    "'text'",
    "f'{s0}'",
    "open('/etc/passwd')",
    "OpaqueUnaryFn_x(open('a'))",
]


def with_size(text: str) -> Any:
    document = document_of_program()
    sizes = document["graph_module"]["graph"]["tensor_values"]["x"]["sizes"]
    sizes[0] = {"as_expr": {"expr_str": text}}
    return document


def with_inner_size(text: str) -> Any:
    """The size stands in a graph inside a graph."""
    inner = with_size(text)["graph_module"]["graph"]
    document = document_of_program()
    node = document["graph_module"]["graph"]["nodes"][0]
    argument = {"as_graph": {"name": "inner", "graph": inner}}
    node["inputs"].append({"name": "f", "arg": {"as_string_to_argument": {"a": argument}}})
    return document


def with_number(text: str) -> Any:
    document = document_of_program()
    document["graph_module"]["graph"]["sym_float_values"] = {"f": {"as_expr": {"expr_str": text}}}
    return document


PLACES = [with_size, with_inner_size, with_number]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", ARITHMETIC)
def test_arithmetic_is_evaluated(place: Any, text: str):
    check_evaluated(place(text))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", OTHERS)
def test_nothing_else_is(place: Any, text: str):
    with pytest.raises(InvalidServable, match="is no plain arithmetic") as caught:
        check_evaluated(place(text))
    assert caught.value.detail.isprintable()
    assert len(caught.value.detail) < 200


def defaults_of(module: str) -> Any:
    names = {"default_factory_module": module, "default_factory_name": "x", "dict_context": []}
    return spec_of("collections.defaultdict", context=json.dumps(names))


TREES: dict[str, tuple[Any, str]] = {
    "a tuple": (spec_of("builtins.tuple", spec_of(None), context="null"), ""),
    "a dictionary": (spec_of("builtins.dict", spec_of(None), context='["a"]'), ""),
    "a named tuple": (spec_of("collections.namedtuple", context="a.Point"), ""),
    "defaults": (defaults_of("builtins"), ""),
    "defaults of a module": (defaults_of("antigravity"), "names a module to import"),
    "an enumeration": (
        spec_of("mine", context='[{"__enum__": true, "fqn": "os:x"}]'),
        "names a module to import",
    ),
    "an inner one": (
        spec_of("builtins.list", spec_of(None), defaults_of("os"), context="null"),
        "names a module to import",
    ),
    "no tree": ({"type": "mine"}, "is no tree"),
    "a number": (3, "is no tree"),
}


@pytest.mark.parametrize("key", ["in_spec", "out_spec"])
@pytest.mark.parametrize(("node", "problem"), TREES.values(), ids=TREES)
def test_trees_import_nothing(key: str, node: Any, problem: str):
    document = document_of_program()
    document["graph_module"]["module_call_graph"][0]["signature"][key] = json.dumps([1, node])
    if not problem:
        check_evaluated(document)
        return
    with pytest.raises(InvalidServable, match=problem):
        check_evaluated(document)
