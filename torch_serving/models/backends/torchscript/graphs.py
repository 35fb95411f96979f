"""The graph of a TorchScript method as it runs here: without branches that are never taken.

Modules of torch ask for `training` and write their buffers only then; a graph that knows it is
False shows what really happens.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch

FORKS = ("prim::fork", "prim::awaitable")  # their graphs are run by another thread, or later
SETTINGS = (bool, int, float, str, type(None))


def settled_graphs(module: Any, methods: Mapping[str, Any]) -> dict[str, Any]:
    """The graphs of methods, all calls inlined, and attributes that never change as constants.

    `module` is torch's own object.
    """
    graphs = {name: method.inlined_graph for name, method in methods.items()}
    assigned: set[str] = set()
    for graph in graphs.values():
        inline_forks(graph)
        assigned |= assigned_names(graph)
    for graph in graphs.values():
        settle_all(graph, {next(graph.inputs()).debugName(): module}, assigned)
    return graphs


def inline_forks(graph: Any) -> None:
    """Inline the calls in what other threads run: torch leaves them."""
    for node in forks_in(graph):
        inner = node.g("Subgraph").copy()  # the method runs the other one
        torch._C._jit_pass_inline(inner)
        inline_forks(inner)
        node.g_("Subgraph", inner)


def forks_in(graph: Any) -> list[Any]:
    return [node for kind in FORKS for node in graph.findAllNodes(kind, True)]


def assigned_names(graph: Any) -> set[str]:
    """The names of all attributes that a method assigns, of whatever object."""
    names = {node.s("name") for node in graph.findAllNodes("prim::SetAttr", True)}
    return names.union(*(assigned_names(node.g("Subgraph")) for node in forks_in(graph)))


def settle_all(graph: Any, objects: dict[str, Any], assigned: set[str]) -> None:
    for node in graph.findAllNodes("prim::GetAttr", True):
        settle(graph, node, objects, assigned)
    for node in forks_in(graph):
        inner = node.g("Subgraph")
        known = (objects.get(value.debugName()) for value in node.inputs())
        names = (value.debugName() for value in inner.inputs())
        settle_all(inner, dict(zip(names, known, strict=True)), assigned)
    passes: Any = torch._C  # its stub lacks this pass
    passes._jit_pass_constant_propagation_immutable_types(graph)


def settle(graph: Any, node: Any, objects: dict[str, Any], assigned: set[str]) -> None:
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


def nodes_in(block: Any) -> Iterator[Any]:
    """All operators in a graph or in a block of one, also those that other threads run."""
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from nodes_in(inner)
        if node.kind() in FORKS:
            yield from nodes_in(node.g("Subgraph"))
