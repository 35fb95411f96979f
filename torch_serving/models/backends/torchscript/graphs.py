"""The graph of a TorchScript method as it runs here: without branches that are never taken.

Modules of torch ask for `training` and write their buffers only then; a graph that knows it is
False shows what really happens.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import torch

SETTINGS = (bool, int, float, str, type(None))


def settled_graph(module: Any, method: Any, assigned: Iterable[str]) -> Any:
    """A method's graph, all calls inlined, and the attributes that never change as constants.

    `module` is torch's own object, `assigned` are the names of attributes that some method assigns.
    """
    graph = inlined_graph(method)
    settle_all(graph, {next(graph.inputs()).debugName(): module}, assigned)
    return graph


def inlined_graph(method: Any) -> Any:
    graph = method.inlined_graph
    inline_forks(graph)
    return graph


def inline_forks(block: Any) -> None:
    """Inline the calls in what other threads run: torch leaves them."""
    for node in nodes_in(block):
        if node.hasAttribute("Subgraph"):
            inner = node.g("Subgraph").copy()  # the method runs the other one
            torch._C._jit_pass_inline(inner)
            inline_forks(inner)
            node.g_("Subgraph", inner)


def settle_all(graph: Any, objects: dict[str, Any], assigned: Iterable[str]) -> None:
    for node in list(nodes_in(graph)):
        if node.kind() == "prim::GetAttr":
            settle(graph, node, objects, assigned)
        elif node.hasAttribute("Subgraph"):
            inner = node.g("Subgraph")
            known = (objects.get(value.debugName()) for value in node.inputs())
            names = (value.debugName() for value in inner.inputs())
            settle_all(inner, dict(zip(names, known, strict=True)), assigned)
    passes: Any = torch._C  # its stub lacks this pass
    passes._jit_pass_constant_propagation_immutable_types(graph)


def settle(graph: Any, node: Any, objects: dict[str, Any], assigned: Iterable[str]) -> None:
    """Replace an attribute by its value if that is known; `objects` are values that have some."""
    owner, name = objects.get(node.input().debugName()), node.s("name")
    if owner is None or name in assigned or not owner.hasattr(name):
        return
    value = owner.getattr(name)
    if isinstance(value, SETTINGS):
        graph.setInsertPoint(node)
        node.output().replaceAllUsesWith(graph.insertConstant(value))
    elif hasattr(value, "hasattr"):
        objects[node.output().debugName()] = value


def assigned_names(methods: Iterable[Any]) -> set[str]:
    """The names of all attributes that methods assign, of whatever object."""
    nodes = (node for method in methods for node in all_nodes_in(inlined_graph(method)))
    return {node.s("name") for node in nodes if node.kind() == "prim::SetAttr"}


def nodes_in(block: Any) -> Iterator[Any]:
    """All operators in a graph, or in a block of one."""
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from nodes_in(inner)


def all_nodes_in(graph: Any) -> Iterator[Any]:
    """All operators in a graph, also those that other threads run."""
    for node in nodes_in(graph):
        yield node
        if node.hasAttribute("Subgraph"):
            yield from all_nodes_in(node.g("Subgraph"))
