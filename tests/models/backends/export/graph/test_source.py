"""Graphs of programs as TorchScript: statements, operators, names, what can't be said."""

import copy
from typing import Any

import pytest
import torch

from tests.support.exported import document_of, export
from torch_serving.errors import InvalidServable
from torch_serving.models.backends.export.graph.script import script
from torch_serving.models.backends.export.graph.source import check_serves, translate
from torch_serving.models.backends.export.graph.values import Untranslatable

CPU = torch.device("cpu")


class Add(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1


@pytest.fixture(scope="module")
def exported() -> Any:
    return document_of(export(Add(), (torch.ones(2),)))


@pytest.fixture
def document(exported: Any) -> Any:
    return copy.deepcopy(exported)


def node(target: str, *values: Any, outputs: Any = None, **keywords: Any) -> dict[str, Any]:
    """A node of a graph, as files have it."""
    inputs = [{"name": name, "arg": value, "kind": 1} for name, value in values]
    inputs += [{"name": name, "arg": value, "kind": 2} for name, value in keywords.items()]
    outputs = [{"as_tensor": {"name": "add"}}] if outputs is None else outputs
    return {"target": target, "inputs": inputs, "outputs": outputs, "metadata": {}}


def named(name: str) -> tuple[str, Any]:
    return "self", {"as_tensor": {"name": name}}


X = named("x")
TWO = ("other", {"as_int": 2})


def run(document: Any, *nodes: Any, result: Any = None) -> Any:
    """Run the program with other nodes."""
    graph = document["graph_module"]["graph"]
    graph["nodes"] = list(nodes)
    if result is not None:
        graph["outputs"] = [result]
        document["graph_module"]["signature"]["output_specs"] = [{"user_output": {"arg": result}}]
    return script(translate(document, CPU), {})(torch.tensor([1.0, 3.0]))


def number_of(document: Any, target: str, *values: Any, kind: str = "as_sym_int") -> Any:
    """What arithmetic gives."""
    output = {kind: {"as_name": "n"}}
    inputs = [(name, value) for name, value in zip("abc", values, strict=False)]
    return run(document, node(target, *inputs, outputs=[output]), result=output)


def test_a_source_is_a_line_for_each_operator(document: Any):
    assert translate(document, CPU) == (
        "def forward(self, v1_x: Tensor):\n"
        "  v1_add = torch.ops.aten.add(v1_x, 1)\n"
        "  return v1_add\n"
    )


@pytest.mark.parametrize(
    ("target", "values", "kind", "expected"),
    [
        ("_operator.add", (2, 3), "as_sym_int", 5),
        ("_operator.sub", (2, 3), "as_sym_int", -1),
        ("_operator.mul", (2, 3), "as_sym_int", 6),
        ("_operator.floordiv", (7, -2), "as_sym_int", -4),
        ("_operator.mod", (-7, 3), "as_sym_int", 2),
        ("_operator.truediv", (7, 2), "as_sym_float", 3.5),
        ("_operator.pow", (3, 4), "as_sym_int", 81),
        ("_operator.pow", (3, 0), "as_sym_int", 1),
        ("_operator.pow", (3, 20), "as_sym_int", 3**20),
        ("_operator.pow", (4, 0.5), "as_sym_float", 2.0),
        ("_operator.neg", (2,), "as_sym_int", -2),
        ("_operator.pos", (2,), "as_sym_int", 2),
        ("_operator.lshift", (3, 2), "as_sym_int", 12),
        ("_operator.rshift", (12, 2), "as_sym_int", 3),
        ("_operator.and_", (6, 3), "as_sym_int", 2),
        ("_operator.or_", (6, 3), "as_sym_int", 7),
        ("_operator.and_", (True, False), "as_sym_bool", False),
        ("_operator.or_", (True, False), "as_sym_bool", True),
        ("_operator.eq", (2, 2), "as_sym_bool", True),
        ("_operator.ne", (2, 2), "as_sym_bool", False),
        ("_operator.lt", (2, 3), "as_sym_bool", True),
        ("_operator.le", (2, 3), "as_sym_bool", True),
        ("_operator.gt", (2, 3), "as_sym_bool", False),
        ("_operator.ge", (2, 3), "as_sym_bool", False),
        ("torch.sym_not", (True,), "as_sym_bool", False),
        ("torch.sym_int", (2.75,), "as_sym_int", 2),
        ("torch.sym_float", (2,), "as_sym_float", 2.0),
        ("torch.sym_max", (2, 3), "as_sym_int", 3),
        ("torch.sym_min", (2, 3), "as_sym_int", 2),
        ("torch.sym_ite", (True, 2, 3), "as_sym_int", 2),
        ("torch.sym_sqrt", (4,), "as_sym_float", 2.0),
        ("math.trunc", (-2.75,), "as_sym_int", -2),
        ("math.floor", (-2.75,), "as_sym_int", -3),
        ("math.ceil", (2.25,), "as_sym_int", 3),
    ],
)
def test_arithmetic(document: Any, target: str, values: Any, kind: str, expected: Any):
    spelled = {int: "as_int", float: "as_float", bool: "as_bool"}
    arguments = ({spelled[type(each)]: each} for each in values)
    found = number_of(document, target, *arguments, kind=kind)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("kind", "expected"), [("as_sym_int", 3), ("as_sym_float", 3.0), ("as_sym_bool", True)]
)
def test_a_number_that_is_taken_out_of_a_tensor(document: Any, kind: str, expected: Any):
    output = {kind: {"as_name": "n"}}
    nodes = (
        node("torch.ops.aten.amax.default", X),
        node(
            "torch.ops.aten.item.default",
            ("self", {"as_tensor": {"name": "add"}}),
            outputs=[output],
        ),
    )
    found = run(document, *nodes, result=output)
    assert (found, type(found)) == (expected, type(expected))


def test_keywords_stay_keywords(document: Any):
    found = run(document, node("torch.ops.aten.add.Tensor", X, TWO, alpha={"as_float": 0.5}))
    assert found.tolist() == [2.0, 4.0]


def test_files_of_older_torchs_do_not_say_what_is_a_keyword(document: Any):
    old = node("torch.ops.aten.add.Tensor", X, TWO, alpha={"as_int": 3})
    for each in old["inputs"]:
        del each["kind"]
    assert run(document, old).tolist() == [7.0, 9.0]


def test_results_may_be_tuples_and_lists(document: Any):
    pair = [{"as_tensor": {"name": "values"}}, {"as_tensor": {"name": "places"}}]
    both = [{"as_tensors": [{"name": "first"}, {"name": "second"}]}]
    one = [{"as_tensors": [{"name": "add"}]}]
    sum_ = [{"as_tensor": {"name": "sum"}}]
    found = run(
        document,
        node("torch.ops.aten.split.Tensor", X, ("split_size", {"as_int": 1}), outputs=both),
        node("torch.ops.aten.max.dim", named("second"), ("dim", {"as_int": 0}), outputs=pair),
        node("torch.ops.aten.split.Tensor", named("x"), ("split_size", {"as_int": 2}), outputs=one),
        node(
            "torch.ops.aten.add.Tensor", named("add"), ("other", named("values")[1]), outputs=sum_
        ),
        result=sum_[0],
    )
    assert found.tolist() == [4.0, 6.0]


def test_a_product_and_a_sum_stay_one_operator(document: Any):
    """TorchScript would run two, slower and with other bits, if both factors were constants."""
    inputs = [(name, {"as_tensor": {"name": "x"}}) for name in ("self", "mat1", "mat2")]
    document["graph_module"]["graph"]["nodes"] = [node("torch.ops.aten.addmm.default", *inputs)]
    module = script(translate(document, CPU), {})
    x = torch.randn(32, 32)
    for _ in range(3):
        assert torch.equal(module(x), torch.addmm(x, x, x))
    assert "aten::addmm" in str(torch.jit.last_executed_optimized_graph())


@pytest.mark.parametrize("name", ["self", "torch", "lambda", "float", "print", "None", "v1_x"])
def test_names_hide_nothing(document: Any, name: str):
    output = {"as_tensor": {"name": name}}
    renamed = node("torch.ops.aten.add.Tensor", X, TWO, outputs=[output])
    assert run(document, renamed, result=output).tolist() == [3.0, 5.0]


@pytest.mark.parametrize("name", ["x = 1\n  y", "", "a.b", "1x", "ä", "x)"])
def test_names_that_are_none_are_refused(document: Any, name: str):
    output = {"as_tensor": {"name": name}}
    with pytest.raises(Untranslatable):
        run(document, node("torch.ops.aten.add.Tensor", X, TWO, outputs=[output]))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("torch.hub.load", "has no twin in TorchScript"),
        ("torch.ops.aten._print.default", "gives no result"),
        ("torch.ops.higher_order.scan", "the operator scan has no twin"),
        ("torch.ops.higher_order.flex_attention", "the operator flex_attention has no twin"),
        ("torch.ops.aten.add.Tensor\n", "has no twin"),
    ],
)
def test_targets_without_a_twin(document: Any, target: str, words: str):
    with pytest.raises(Untranslatable, match=words):
        run(document, node(target, X, TWO))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("torch.ops.torchvision.nms.default", r"torchvision::nms\.default .* --import torchvision"),
        ("torch.ops.aten.never_was.default", r"does not have its operator aten::never_was"),
        ("torch.ops.aten.add.never_was", r"does not have its operator aten::add\.never_was"),
    ],
)
def test_operators_that_are_not_here(document: Any, target: str, words: str):
    with pytest.raises(InvalidServable, match=words):
        run(document, node(target, X, TWO))


def test_an_argument_that_the_operator_does_not_have(document: Any):
    with pytest.raises(Untranslatable, match="has no argument `by`"):
        run(document, node("torch.ops.aten.add.Tensor", X, ("by", {"as_int": 1})))


def test_what_torchscript_refuses_is_told_with_its_line(document: Any):
    with pytest.raises(Untranslatable, match=r"TorchScript refuses it: .* \(at `v1_add = "):
        run(document, node("torch.ops.aten.add.Tensor", X, ("other", {"as_string": "two"})))


def test_graphs_for_training_are_not_served(document: Any):
    spec = {"loss_output": {"arg": {"name": "add"}}}
    document["graph_module"]["signature"]["output_specs"] = [spec]
    with pytest.raises(InvalidServable, match="it is a graph for training"):
        check_serves(document)


def test_devices_of_the_file_are_the_one_that_serves(document: Any):
    on = {"as_device": {"type": "cpu", "index": None}}
    made = node("torch.ops.aten.ones.default", ("size", {"as_ints": [2]}), device=on)
    document["graph_module"]["graph"]["nodes"] = [made]
    text = translate(document, torch.device("cuda", 1))
    assert 'torch.ops.aten.ones([2], device=torch.device("cuda:1"))' in text


def test_a_long_program_is_none_for_torchscript(document: Any):
    """Its passes go from operator to operator on the stack, and would end the process."""
    nodes = document["graph_module"]["graph"]["nodes"]
    document["graph_module"]["graph"]["nodes"] = nodes * 8193
    with pytest.raises(Untranslatable, match="more than 8,192 operators"):
        translate(document, CPU)


def test_conditions_of_loops_that_hold_loops_are_bounded(document: Any):
    """Each is written twice: nested, they would take all memory."""
    one = {"as_tensor": {"name": "x"}}
    graph: Any = {"inputs": [one], "outputs": [one], "nodes": []}
    for _ in range(22):
        inner = {"as_graph": {"name": "g", "graph": graph}}
        loop = node(
            "torch.ops.higher_order.while_loop",
            ("", inner),
            ("", inner),
            ("", {"as_tensors": [{"name": "x"}]}),
            outputs=[{"as_tensor": {"name": "add"}}],
        )
        graph = {"inputs": [one], "outputs": [{"as_tensor": {"name": "add"}}], "nodes": [loop]}
    document["graph_module"]["graph"]["nodes"] = graph["nodes"]
    with pytest.raises(Untranslatable, match="more than"):
        translate(document, CPU)
