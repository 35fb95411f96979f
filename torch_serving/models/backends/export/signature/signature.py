"""What a program tells of its arguments and results: names, types, shapes, ranges, trees."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from torch_serving.codecs.json._decoder import Argument
from torch_serving.codecs.signature import Signature
from torch_serving.errors import InvalidServable
from torch_serving.models.backends.export.signature.batches import rows_of
from torch_serving.models.backends.export.signature.conditions import Conditions, Input
from torch_serving.models.backends.export.signature.document import Json, Values
from torch_serving.models.backends.export.signature.tree import (
    LEAF,
    Tree,
    bound,
    constant_of,
    flattener,
    read_tree,
    restorer,
    type_of,
)
from torch_serving.models.backends.interfaces import SampleInputs

MAX_NAME = 255  # characters


class ProgramSignature(NamedTuple):
    """A program's signature, and how a run is made of requests.

    `flatten` makes the inputs of the graph of the arguments, in the order of the signature;
    `restore` makes the result of what the graph returns. None: they are the same already.
    `max_batch` is how many rows may run as one; None: no more than a request has, and `unbatched`
    says why. `sample_inputs` are those of the export, where they are known and small.
    """

    signature: Signature
    flatten: Callable[[Sequence[Any]], list[Any]] | None
    restore: Callable[[Any], Any] | None
    max_batch: int | None
    unbatched: str = ""
    sample_inputs: SampleInputs | None = None


def program_signature(document: Json) -> ProgramSignature:
    """Read the signature of a program. Raises InvalidServable."""
    try:
        return signature_in(document)
    except (
        KeyError, TypeError, ValueError, AttributeError, StopIteration, RecursionError,
        OverflowError,
    ):  # fmt: skip
        raise InvalidServable("the program's document is damaged: its signature") from None


def signature_in(document: Json) -> ProgramSignature:
    values = Values(document)
    call = call_of(document)
    arguments = arguments_of(values, call, document)
    inputs = inputs_of(values, arguments)
    outputs = list(values.outputs())
    result = bound(tree_in(call, "out_spec", document, len(outputs)), iter(outputs))
    conditions = Conditions(values, inputs, document.get("guards_code", ()))
    flatten = flattener(list(arguments.values()))
    signature = Signature(
        tuple([argument_of(name, tree) for name, tree in arguments.items()]),
        type_of(result),
        conditions.checks(flatten),
    )
    rows = rows_of(conditions, inputs, result)
    return ProgramSignature(signature, flatten, restorer(result), *rows)


def inputs_of(values: Values, arguments: Mapping[str, Tree]) -> list[Input]:
    """The inputs that a run takes, in the order of the graph."""
    paths = [
        path
        for name, tree in arguments.items()
        for path, leaf in tree.leaves((name,))
        if not leaf.is_constant
    ]
    live = [(name, spec) for name, spec in values.inputs() if spec.kind != "constant"]
    return [Input(path, *each) for path, each in zip(paths, live, strict=True)]


def call_of(document: Json) -> Json:
    """How the whole program is called; empty where it does not say."""
    for entry in document["graph_module"].get("module_call_graph", ()):
        if entry["fqn"] == "":
            return entry.get("signature") or {}
    return {}


def tree_in(call: Json, key: str, document: Json, leaves: int) -> Tree:
    """A tree of the call; a tuple of the leaves where it is not told."""
    if not call.get(key):
        flat = Tree("tuple", "builtins.tuple", tuple(range(leaves)), (LEAF,) * leaves)
        return LEAF if leaves == 1 else flat
    defined = document["graph_module"].get("treespec_namedtuple_fields", {})
    return read_tree(call[key], {name: each["field_names"] for name, each in defined.items()})


def arguments_of(values: Values, call: Json, document: Json) -> dict[str, Tree]:
    """The arguments by name: those by position, and those by keyword."""
    inputs = list(values.inputs())
    placeholders = [name for name, _ in inputs]
    if not call.get("in_spec"):
        trees = [LEAF._replace(spec=spec) for _, spec in inputs]
        return dict(zip(placeholders, trees, strict=True))
    tree = tree_in(call, "in_spec", document, len(inputs))
    positional, keywords = bound(tree, iter([spec for _, spec in inputs])).children
    names = positional_names(call, positional, placeholders)
    pairs = [
        *zip(names, positional.children, strict=True),
        *zip(map(str, keywords.keys), keywords.children, strict=True),
    ]
    if len(dict(pairs)) < len(pairs):
        raise InvalidServable("two arguments of the program have one name")
    for name, _ in pairs:
        if not name.isidentifier() or len(name) > MAX_NAME:
            raise InvalidServable(f"an argument has no name of Python: {name[:MAX_NAME]!r}")
    return dict(pairs)


def positional_names(call: Json, positional: Tree, placeholders: Sequence[str]) -> list[str]:
    """The names of the arguments; those of placeholders where the program does not tell them."""
    count = len(positional.children)
    told = call.get("forward_arg_names") or ()
    if len(told) >= count:
        return list(told[:count])
    names = []
    at = 0
    for index, child in enumerate(positional.children):
        is_leaf = child.kind == "leaf"
        names.append(placeholders[at] if is_leaf else f"arg_{index}")
        at += sum(1 for _ in child.leaves())
    return names


def argument_of(name: str, tree: Tree) -> Argument:
    default = constant_of(tree) if tree.is_constant else None
    return Argument(name, type_of(tree), not tree.is_constant, default)
