"""What a TorchScript method keeps from one run to the next: what it writes that belongs to `self`.

A value reaches state if it is an attribute, a view of one, or holds one. A model writes state if it
assigns an attribute, or if an operator writes into a value that is state itself. Schemas of
operators tell what they write, and whether their results are views.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from torch_serving.models.backends.torchscript.graphs import FORKS

IMMUTABLE = {
    "IntType", "FloatType", "BoolType", "StringType", "NoneType", "NumberType", "ComplexType",
    "DeviceObjType", "EnumType",
}  # fmt: skip
CONTAINERS = ("ListType", "DictType", "TupleType")
UNPACKS = ("prim::TupleUnpack", "prim::ListUnpack", "prim::TupleIndex", "aten::wait")
CONSTRUCTS = ("prim::ListConstruct", "prim::TupleConstruct", "prim::DictConstruct")
# They change no numbers, and change the same each time.
HARMLESS = ("aten::detach_", "aten::requires_grad_")
# Their schemas do not say that they write running statistics, unless this argument is false.
STATISTICS = {
    "aten::batch_norm": "training",
    "aten::native_batch_norm": "training",
    "aten::cudnn_batch_norm": "training",
    "aten::_batch_norm_impl_index": "training",
    "aten::instance_norm": "use_input_stats",
}
# Gradients of parameters are added up in them.
ACCUMULATES = "aten::backward"


class Reach(NamedTuple):
    """How a value is related to state."""

    name: str  # the attribute
    is_state: bool  # else it only holds a value that is


class Writes(NamedTuple):
    """What the schema of an operator says."""

    arguments: tuple[str, ...]
    written: tuple[int, ...]  # arguments that it writes
    sources: tuple[int, ...]  # arguments that results may be views of
    results: tuple[str, ...]  # "fresh", "view", or "holder": a new container of views


def written_state(graph: Any, nodes: Sequence[Any]) -> str:
    """What a graph writes that outlives its run, in words; empty if there is nothing."""
    if any(node.kind() == ACCUMULATES for node in nodes):
        return "gradients"
    if not any(may_write(node) for node in nodes):
        return ""
    owner = next(graph.inputs())
    return Walk({owner.debugName(): Reach("", True)}).written_by(graph)


def may_write(node: Any) -> bool:
    kind = node.kind()
    if kind in ("prim::SetAttr", "prim::CallMethod") or kind in STATISTICS:
        return True
    return kind not in HARMLESS and bool(writes_of(node.schema()).written)


class Walk:
    """Passes over a graph: a second one only tells more where there are loops."""

    def __init__(self, reached: dict[str, Reach]) -> None:
        self._reached = reached
        self._written = ""

    def written_by(self, graph: Any) -> str:
        self._walk(graph)
        before: dict[str, Reach] = {}
        has_loops = graph.findNode("prim::Loop", True) is not None
        while has_loops and before != self._reached and not self._written:
            before = dict(self._reached)
            self._walk(graph)
        return self._written

    def reach(self, value: Any) -> Reach | None:
        return self._reached.get(value.debugName())

    def _walk(self, block: Any) -> None:
        for node in block.nodes():
            self._visit(node)

    def _visit(self, node: Any) -> None:
        kind = node.kind()
        inputs = list(node.inputs())
        if kind == "prim::Constant":
            if node.output().type().kind() == "TensorType":
                self._mark(node.output(), Reach("a constant", True))
        elif kind == "prim::GetAttr":
            self._get_attribute(node, inputs[0])
        elif kind == "prim::SetAttr":
            self._set_attribute(node, *inputs)
        elif kind in ("prim::If", "prim::Loop"):
            self._visit_blocks(node, inputs)
        elif kind in FORKS:
            self._visit_subgraph(node, inputs)
        elif kind == "prim::CallMethod" and self._is_state(inputs[0]):
            self._write(inputs[0], node)
        elif kind in CONSTRUCTS:
            self._mark_all(node.outputs(), holder(self._first(inputs)))
        elif kind in UNPACKS:
            self._mark_all(node.outputs(), held(self._first(inputs)))
        elif kind.startswith("prim::"):
            self._mark_all(node.outputs(), self._first(inputs))
        else:
            self._call(node, inputs)

    def _get_attribute(self, node: Any, owner: Any) -> None:
        reach = self.reach(owner)
        if reach is not None:
            name = f"{reach.name}.{node.s('name')}".lstrip(".")
            self._mark(node.output(), Reach(name, True))

    def _set_attribute(self, node: Any, owner: Any, value: Any) -> None:
        reach = self.reach(owner)
        if reach is not None and reach.is_state:
            name = f"{reach.name}.{node.s('name')}".lstrip(".")
            self._written = f"`{name}`"
        else:
            self._mark_all([owner], holder(self.reach(value)))

    def _visit_blocks(self, node: Any, inputs: list[Any]) -> None:
        blocks = list(node.blocks())
        outputs = list(node.outputs())
        for block in blocks:
            results = list(block.outputs())
            if node.kind() == "prim::Loop":
                carried = list(block.inputs())[1:]
                results = results[1:]
                for target, *sources in zip(carried, inputs[2:], results, strict=True):
                    self._mark_all([target], self._first(sources))
                for target, source in zip(outputs, inputs[2:], strict=True):
                    self._mark_all([target], self.reach(source))
            self._walk(block)
            for target, source in zip(outputs, results, strict=True):
                self._mark_all([target], self.reach(source))

    def _visit_subgraph(self, node: Any, inputs: list[Any]) -> None:
        graph = node.g("Subgraph")
        pairs = zip(graph.inputs(), map(self.reach, inputs), strict=False)
        inner = Walk({value.debugName(): reach for value, reach in pairs if reach is not None})
        self._written = inner.written_by(graph) or self._written
        for target, source in zip(node.outputs(), graph.outputs(), strict=False):
            self._mark_all([target], inner.reach(source))

    def _call(self, node: Any, inputs: list[Any]) -> None:
        writes = writes_of(node.schema())
        sources = self._first([inputs[index] for index in writes.sources if index < len(inputs)])
        for index in () if node.kind() in HARMLESS else writes.written:
            written = inputs[index]
            if self._is_state(written):
                self._write(written, node)
            elif written.type().kind() in CONTAINERS:
                self._mark_all([written], holder(self._first(inputs)))
        if node.kind() in STATISTICS:
            self._update_statistics(node, dict(zip(writes.arguments, inputs, strict=False)))
        for output, result in zip(node.outputs(), writes.results, strict=False):
            if result != "fresh":
                is_view = result == "view"
                self._mark_all([output], held(sources) if is_view else holder(sources))

    def _update_statistics(self, node: Any, inputs: dict[str, Any]) -> None:
        statistics, is_on = inputs["running_mean"], inputs[STATISTICS[node.kind()]]
        if self._is_state(statistics) and is_on.toIValue() is not False:
            self._write(statistics, node)

    def _is_state(self, value: Any) -> bool:
        reach = self.reach(value)
        return reach is not None and reach.is_state

    def _first(self, values: list[Any]) -> Reach | None:
        """The closest relation to state that a value has."""
        reaches = [reach for reach in map(self.reach, values) if reach is not None]
        return max(reaches, key=lambda reach: reach.is_state, default=None)

    def _write(self, value: Any, node: Any) -> None:
        reach = self.reach(value)
        name = reach.name if reach else ""
        self._written = name if name == "a constant" else f"`{name}`"

    def _mark_all(self, values: Any, reach: Reach | None) -> None:
        if reach is not None:
            for value in values:
                self._mark(value, reach)

    def _mark(self, value: Any, reach: Reach) -> None:
        known = self.reach(value)
        if value.type().kind() not in IMMUTABLE and (known is None or reach.is_state):
            self._reached[value.debugName()] = known if known and known.is_state else reach


def holder(reach: Reach | None) -> Reach | None:
    """The relation of a container to state, if what is put into it has this one."""
    return reach and Reach(reach.name, False)


def held(reach: Reach | None) -> Reach | None:
    """The relation to state of what is taken out of a value, or is a view of it."""
    return reach and Reach(reach.name, True)


@functools.lru_cache(maxsize=4096)
def writes_of(schema: str) -> Writes:
    """Read a schema as graphs spell it."""
    try:
        parsed: Any = torch._C.parse_schema(schema)
    except RuntimeError:  # "(no schema)", which only operators of torch's own have
        return Writes((), (), (), ())
    aliases = {i: each.alias_info for i, each in enumerate(parsed.arguments) if each.alias_info}
    return Writes(
        tuple(argument.name for argument in parsed.arguments),
        tuple(index for index, alias in aliases.items() if alias.is_write),
        tuple(aliases or range(len(parsed.arguments))),  # containers do not name what they hold
        tuple(map(result_of, parsed.returns)),
    )


def result_of(result: Any) -> str:
    kind = result.type.kind()
    if kind in CONTAINERS:
        return "holder"
    return "fresh" if result.alias_info is None else "view"
