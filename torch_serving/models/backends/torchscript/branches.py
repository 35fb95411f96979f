"""Whether what a TorchScript method does depends on the numbers in its tensors.

In a batch they are those of several requests: one's would choose what becomes of another's.
"""

from collections.abc import Sequence
from typing import Any

# Operators that make a value that is no tensor of the numbers in tensors.
VALUES = (
    "aten::item", "aten::Int", "aten::Float", "aten::Complex", "aten::Bool", "aten::is_nonzero",
    "aten::equal", "aten::allclose", "aten::IntImplicit", "aten::FloatImplicit",
    "aten::ComplexImplicit", "aten::ScalarImplicit", "prim::tolist",
)  # fmt: skip


def branches_on_values(graph: Any, nodes: Sequence[Any]) -> bool:
    """Whether a value decides between two ways to a result. An error is no result."""
    if not any(node.kind() in VALUES for node in nodes):
        return False
    known: set[str] = set()
    return finds_branch(graph, known) or (
        graph.findNode("prim::Loop", True) is not None and finds_branch(graph, known)
    )


def finds_branch(block: Any, known: set[str]) -> bool:
    """Whether there is a branch, as far as is `known` which names depend on values."""
    for node in block.nodes():
        inputs = {value.debugName() for value in node.inputs()}
        depends = node.kind() in VALUES or not known.isdisjoint(inputs)
        blocks = list(node.blocks())
        if node.kind() == "prim::If" and depends and not any(map(raises, blocks)):
            return True
        if node.kind() == "prim::Loop":
            known |= carried(node, blocks[0], known)
        if any(finds_branch(inner, known) for inner in blocks):
            return True
        results = {value.debugName() for inner in blocks for value in inner.outputs()}
        if depends or not known.isdisjoint(results):
            known |= {value.debugName() for value in node.outputs()}
    return False


def carried(loop: Any, body: Any, known: set[str]) -> set[str]:
    """The names that depend on values at the beginning of a loop's turns."""
    befores, afters = list(loop.inputs())[2:], list(body.outputs())[1:]
    turns = zip(list(body.inputs())[1:], befores, afters, strict=True)
    return {
        value.debugName()
        for value, before, after in turns
        if before.debugName() in known or after.debugName() in known
    }


def raises(block: Any) -> bool:
    return any(node.kind() == "prim::RaiseException" for node in block.nodes())
