"""Odd programs that pass as JSON of torch.export: they are served, or refused in one line."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.export_archives import (
    PROGRAM,
    document_of_program,
    entries_of_program,
    node,
    packed,
    spec_of,
    tensor,
    tensor_meta,
)
from torch_serving.errors import InvalidServable, ServingError
from torch_serving.models.loader import load

CPU = torch.device("cpu")
BODY = b'[{"type": "tensor", "value": [1.0, 2.0]}]'
X = tensor("x")
OPERATOR = "torch.ops.aten.relu.default"
EINSUM = "torch.ops.aten.einsum.default"

Change = Callable[[Any], object]


def graph_of(document: Any) -> Any:
    return document["graph_module"]["graph"]


def before(target: str, result: str = "z", **arguments: Any) -> Change:
    """One more node, before the others."""

    def change(document: Any) -> None:
        graph_of(document)["nodes"].insert(0, node(target, result, **arguments))
        graph_of(document)["tensor_values"][result] = tensor_meta(2)

    return change


def with_outputs(*outputs: Any) -> Change:
    """One more node, with these results."""

    def change(document: Any) -> None:
        before(OPERATOR, self=X)(document)
        graph_of(document)["nodes"][0]["outputs"] = list(outputs)

    return change


def call_signature(**changes: Any) -> Change:
    def change(document: Any) -> None:
        document["graph_module"]["module_call_graph"][0]["signature"].update(changes)

    return change


def sized(text: str) -> Change:
    def change(document: Any) -> None:
        sizes = [{"as_expr": {"expr_str": text}}]
        graph_of(document)["tensor_values"]["x"]["sizes"] = sizes

    return change


def ranged(least: int, most: int) -> Change:
    def change(document: Any) -> None:
        sized("Symbol('s0')")(document)
        document["range_constraints"] = {"s0": {"min_val": least, "max_val": most}}

    return change


def takes(**value: Any) -> Change:
    """Another kind of input in the place of the tensor."""

    def change(document: Any) -> None:
        document["graph_module"]["signature"]["input_specs"][1] = {"user_input": {"arg": value}}
        graph_of(document)["inputs"][1] = value

    return change


def gives(kind: str = "user_output", **spec: Any) -> Change:
    """Another kind of output beside the tensor."""

    def change(document: Any) -> None:
        argument = {"arg": {"name": "y"}, **spec}
        document["graph_module"]["signature"]["output_specs"].insert(0, {kind: argument})
        graph_of(document)["outputs"].insert(0, tensor("y"))

    return change


def with_empty(field: str) -> Change:
    return lambda document: graph_of(document)[field].clear()


def deep_tree(depth: int) -> str:
    """Tuples in tuples, as text: json.dumps itself goes no deeper than a thousand."""
    leaf, around = json.dumps(spec_of(None)), json.dumps(spec_of("builtins.tuple", context="null"))
    begin, end = around.split("[]")
    return f"[1, {(begin + '[') * depth}{leaf}{(']' + end) * depth}]"


def with_metadata(document: Any) -> None:
    """torch parses it where it reads a program itself, and shows it in its errors."""
    for each in graph_of(document)["nodes"]:
        each["metadata"] = {"nn_module_stack": "a", "stack_trace": 'File "/home/a/secret.py"'}


HARMLESS: dict[str, Change] = {
    "nothing": lambda document: None,
    "an operator without results": with_outputs(),
    "a name twice": before(OPERATOR, "x", self=X),
    "code in a string": before(
        EINSUM,
        equation={"as_string": '"); import os; os.abort()\n#\\'},
        tensors={"as_tensors": [{"name": "x"}]},
    ),
    "NUL in a string": before(
        EINSUM, equation={"as_string": "i\0"}, tensors={"as_tensors": [{"name": "x"}]}
    ),
    "a large number": before(
        "torch.ops.aten.add.Scalar", self=X, other={"as_int": -(2**63)}
    ),
    "infinity": before("torch.ops.aten.add.Scalar", self=X, other={"as_float": "-Infinity"}),
    "no calls": lambda document: document["graph_module"].update(module_call_graph=[]),
    "no tree": call_signature(in_spec="", out_spec=""),
    "names for nothing": call_signature(forward_arg_names=["a", "b", "c"]),
    "a size that is code": sized("__import__('os').abort()"),
    "a size without end": sized("(" * 5000),
    "a size by zero": sized("FloorDiv(Symbol('s0'), Integer(0))"),
    "metadata that is none": lambda document: [
        each(document)
        for each in (
            before("torch.ops.aten.add.Scalar", self=X, other={"as_int": 2**63}), with_metadata
        )
    ],
    "guards that are code": lambda document: document.update(guards_code=["exit(3)"]),
}  # fmt: skip
REFUSED: dict[str, tuple[Change, str]] = {
    "no such operator": (before("torch.ops.aten.no.default", self=X), "does not have its operator"),
    "no such library": (before("torch.ops.mine.no.default", self=X), "start the server with --imp"),
    "no overload": (before("torch.ops.aten.relu", self=X), "can't be loaded here"),
    "no such graph operator": (before("torch.ops.higher_order.no", self=X), "can't be loaded"),
    "a value from later": (before(OPERATOR, self=tensor("y")), "can't be loaded here"),
    "a cycle": (before(OPERATOR, "z", self=tensor("z")), "can't be loaded here"),
    "results too many": (with_outputs(tensor("z"), tensor("z2")), "can't be loaded here"),
    "a result that is a number": (with_outputs({"as_int": 3}), "can't be loaded here"),
    "metadata of a node that is refused": (
        lambda document: [each(document) for each in (with_metadata, before(OPERATOR, it=X))],
        "can't be loaded here",
    ),
    "no such argument": (before(OPERATOR, it=X), "can't be loaded here"),
    "no arguments": (before(OPERATOR), "can't be loaded here"),
    "a size that is code, in Python": (
        lambda document: [each(document) for each in (sized("exit(3)"), before(OPERATOR, it=X))],
        "its size 'exit(3)' is no plain arithmetic",
    ),
    "metadata of no tensor": (with_empty("tensor_values"), "the program's document is damaged"),
    "a huge size": (sized(f"Integer({10**30})"), "the program's document is damaged"),
    "a huge range": (ranged(2**63, 2**64 - 1), "the program's document is damaged"),
    "trees that are none": (call_signature(in_spec="[]"), "tree of its arguments"),
    "a tree of another version": (call_signature(in_spec="[2, null]"), "tree of its arguments"),
    "a key that is no text": (
        call_signature(out_spec=json.dumps([1, spec_of("builtins.dict", context='["\\ud800"]')])),
        "tree of its arguments",
    ),
    "a graph as an input": (
        takes(as_graph={"name": "g", "graph": graph_of(document_of_program())}),
        "of a kind that no request can hold",
    ),
    "a number as an input": (takes(as_sym_int={"as_int": 3}), "document is damaged: its graph"),
    "a string as an input": (takes(as_string="a"), "can't be loaded here"),
    "a number as an input, in Python": (
        lambda document: [
            each(document)
            for each in (
                takes(as_int=3),
                before("torch.ops.aten.add.Scalar", self=tensor("p_w"), other={"as_int": 1}),
                lambda document: graph_of(document)["nodes"].pop(),
                lambda document: graph_of(document).update(outputs=[tensor("z")]),
            )
        ],
        "can't be loaded here",
    ),
    "odd names": (call_signature(forward_arg_names=['x"\n<script>']), "has no name of Python"),
    "gradients": (gives("loss_output"), "it is a graph for training"),
    "a write to no buffer": (gives("buffer_mutation", buffer_name="b"), "it writes `b`"),
}  # fmt: skip


def write(path: Path, change: Change) -> Path:
    document = document_of_program()
    change(document)
    path.write_bytes(packed({**entries_of_program(), PROGRAM: json.dumps(document).encode()}))
    return path


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_what_does_no_harm_is_served(tmp_path: Path, change: Change):
    method = load(write(tmp_path / "m.pt2", change), CPU).main_method()
    assert method.run(method.decode(BODY)).tolist() == [11.0, 22.0]


@pytest.mark.parametrize(("change", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_can_not_run_is_refused_in_one_line(tmp_path: Path, change: Change, problem: str):
    with pytest.raises(InvalidServable) as caught:
        load(write(tmp_path / "m.pt2", change), CPU)
    assert "Node(" not in caught.value.detail
    assert problem in caught.value.detail
    assert caught.value.detail.isprintable()
    assert len(caught.value.detail) < 600
    assert str(tmp_path) not in caught.value.detail


@pytest.mark.parametrize("key", ["in_spec", "out_spec"])
@pytest.mark.parametrize("depth", [20, 300, 900, 5000])
def test_deep_trees_are_served_or_refused(tmp_path: Path, key: str, depth: int):
    path = write(tmp_path / "m.pt2", call_signature(**{key: deep_tree(depth)}))
    with suppress(ServingError):
        method = load(path, CPU).main_method()
        method.run(method.decode(BODY))


@pytest.mark.parametrize("count", [5_000])
def test_many_nodes_are_served(tmp_path: Path, count: int):
    def change(document: Any) -> None:
        nodes = [node(OPERATOR, f"z{index}", self=X) for index in range(count)]
        graph_of(document)["nodes"][:0] = nodes

    method = load(write(tmp_path / "m.pt2", change), CPU).main_method()
    assert method.run(method.decode(BODY)).tolist() == [11.0, 22.0]
