"""What the JSON graph of a program tells of a run, where no TorchScript is there to be asked."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch

from torch_serving.models.backends.export.graph.operators import ITEMS, OPERATOR
from torch_serving.models.backends.export.graph.values import Json, member_of

CHOOSING = ("torch.ops.higher_order.cond", "torch.ops.higher_order.while_loop", *ITEMS)


class Alias(NamedTuple):
    """How a result of an operator and an argument are related."""

    is_alias: bool
    is_write: bool


ANY_ALIAS = Alias(True, False)  # of what has no schema


class GraphFacts(NamedTuple):
    """Each is so unless the graph shows that it is not."""

    written: str  # a tensor of the file that a run writes, as the file names it
    draws: bool
    branches_on_values: bool


def facts_of(document: Json, names: Mapping[str, str]) -> GraphFacts:
    """Look through a graph; `names` are those of its inputs that are tensors of the file."""
    graph = document["graph_module"]["graph"]
    nodes = list(nodes_in(graph))
    operators = [operator_of(node["target"]) for node in nodes]
    return GraphFacts(
        written_output(document) or written_input(graph, names),
        any(
            each is not None and torch.Tag.nondeterministic_seeded in each.tags
            for each in operators
        ),
        any(node["target"] in CHOOSING for node in nodes),
    )


def nodes_in(graph: Json) -> Iterator[Json]:
    """All nodes of a graph, also of those inside."""
    for node in graph["nodes"]:
        yield node
        for each in node["inputs"]:
            if "as_graph" in each["arg"]:
                yield from nodes_in(each["arg"]["as_graph"]["graph"])


def operator_of(target: str) -> Any:
    """The operator that a target names; None for others and for one that is not here."""
    found = OPERATOR.fullmatch(target)
    if found is None:
        return None
    packet = getattr(getattr(torch.ops, found[1]), found[2], None)
    return getattr(packet, found[3], None)


def written_output(document: Json) -> str:
    """A buffer or parameter that a graph returns anew."""
    for kind, value in map(member_of, document["graph_module"]["signature"]["output_specs"]):
        if kind in ("buffer_mutation", "parameter_mutation"):
            return str(value.get("buffer_name") or value.get("parameter_name"))
    return ""


def written_input(graph: Json, names: Mapping[str, str]) -> str:
    """A tensor of the file that an operator writes, itself or by a view of it."""
    reached = dict(names)  # the values of a graph that are such a tensor, or may be views of it
    for node in graph["nodes"]:
        aliases = aliases_of(operator_of(node["target"]))
        for each in node["inputs"]:
            sources = [reached[name] for name in tensors_in(each["arg"]) if name in reached]
            alias = aliases.get(each["name"], ANY_ALIAS)
            if sources and alias.is_write:
                return sources[0]
            if sources and alias.is_alias:
                outputs = (name for output in node["outputs"] for name in tensors_in(output))
                reached |= dict.fromkeys(outputs, sources[0])
        inner = written_inside(node, reached)
        if inner:
            return inner
    return ""


def written_inside(node: Json, reached: Mapping[str, str]) -> str:
    """What a graph writes that is an argument: its inputs are the last of the others."""
    taken = [name for each in node["inputs"] for name in tensors_in(each["arg"])]
    for each in node["inputs"]:
        if "as_graph" in each["arg"]:
            graph = each["arg"]["as_graph"]["graph"]
            inputs = [name for value in graph["inputs"] for name in tensors_in(value)]
            names = zip(reversed(inputs), reversed(taken), strict=False)
            inner = {name: reached[outer] for name, outer in names if outer in reached}
            if inner and (found := written_input(graph, inner)):
                return found
    return ""


def aliases_of(operator: Any) -> dict[str, Alias]:
    """What an operator's schema says of its arguments."""
    if operator is None:
        return {}
    return {
        each.name: Alias(
            each.alias_info is not None, bool(each.alias_info and each.alias_info.is_write)
        )
        for each in operator._schema.arguments
    }


def tensors_in(argument: Json) -> Iterator[str]:
    """The names of the tensors in an argument or result."""
    kind, value = member_of(argument)
    if kind == "as_tensor":
        yield value["name"]
    elif kind in ("as_tensors", "as_optional_tensors", "as_optional_tensor"):
        for each in value if isinstance(value, list) else [value]:
            inner = each.get("as_tensor", each)
            if "name" in inner:
                yield inner["name"]
