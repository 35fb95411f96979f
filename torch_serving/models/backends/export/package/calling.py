"""How a package is called: as the program in its file says, or else as its library does."""

import functools
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from torch_serving.codecs.json._decoder import Argument
from torch_serving.codecs.signature import Signature
from torch_serving.errors import InvalidServable
from torch_serving.models.backends.export.graph.facts import facts_of
from torch_serving.models.backends.export.graph.source import stored_tensors
from torch_serving.models.backends.export.package._aoti import Package
from torch_serving.models.backends.export.package.layouts import Layout, layouts_of
from torch_serving.models.backends.export.package.proxied import ProxiedPackage
from torch_serving.models.backends.export.signature.document import Values
from torch_serving.models.backends.export.signature.signature import (
    ProgramSignature,
    program_signature,
)
from torch_serving.models.backends.export.signature.tree import (
    ANY,
    LEAF,
    TENSOR,
    Tree,
    bound,
    flattener,
    read_tree,
    restorer,
    type_of,
)
from torch_serving.models.backends.interfaces import SampleInputs

AnyPackage = Package | ProxiedPackage
Restore = Callable[[Any], Any]

NUMBERS = ("int", "float", "bool")
OTHER_MODEL = "its package and its program are of different models: compile the program again"
WITHOUT_MEANING = re.compile(r"arg\d+_\d+")  # names that torch gives inputs


class Calling(NamedTuple):
    """How a package is called.

    `layouts` has how each input must lie in memory, and `live` which outputs are no constants.
    """

    called: ProgramSignature
    names: Sequence[str]  # of the inputs
    layouts: Sequence[Layout]
    live: Sequence[int]
    state: str = ""


def program_calling(
    document: Mapping[str, Any], package: AnyPackage, samples: SampleInputs | None = None
) -> Calling:
    """As the program in the same file says. Raises InvalidServable."""
    called = program_signature(document)._replace(sample_inputs=samples)
    values = Values(document)
    inputs = [name for name, spec in values.inputs() if spec.kind != "constant"]
    outputs = [spec.kind for spec in values.outputs()]
    if len(inputs) != len(package.input_names) or len(outputs) != package.outputs:
        raise InvalidServable(OTHER_MODEL)
    live = [index for index, kind in enumerate(outputs) if kind != "constant"]
    are_numbers = [outputs[index] in NUMBERS for index in live]
    if any(are_numbers):
        called = called._replace(restore=of_numbers(called.restore, are_numbers))
    return Calling(called, inputs, layouts_of(document, inputs), live, written_state(document))


def of_numbers(restore: Restore | None, are_numbers: Sequence[bool]) -> Restore:
    """A library returns tensors where the program returns numbers of Python."""

    def restored(outputs: Any) -> Any:
        if len(are_numbers) == 1:
            result = outputs.item()
        else:
            pairs = zip(outputs, are_numbers, strict=True)
            result = tuple([each.item() if is_number else each for each, is_number in pairs])
        return result if restore is None else restore(result)

    return restored


def written_state(document: Mapping[str, Any]) -> str:
    """What a run writes that later runs see, in words; empty if there is nothing."""
    names = {name: each.name for name, each in stored_tensors(document).items()}
    written = facts_of(document, names).written
    return f"`{written}`" if written else ""


def own_calling(package: AnyPackage) -> Calling:
    """As the library says: it knows trees, but not what is in them. Raises InvalidServable."""
    count = len(package.input_names)
    arguments = own_arguments(package)
    flatten = flattener([tree for _, tree in arguments])
    if any(each.spec.kind == "any" for each, _ in arguments):
        flatten = functools.partial(tensors_in, flatten or list)
    leaves = [
        (".".join(map(str, path)), leaf)
        for argument, tree in arguments
        for path, leaf in tree.leaves((argument.name,))
    ]
    outputs = tree_or_leaves(package.output_spec, package.outputs)
    if not package.output_spec and package.outputs == 1:
        outputs = LEAF
    result = bound(outputs, itertools.repeat(TENSOR))
    called = ProgramSignature(
        Signature(tuple([argument for argument, _ in arguments]), type_of(result)),
        flatten,
        restorer(result),
        max_batch=None,
    )
    names = [name for name, leaf in leaves if leaf.spec is TENSOR]
    return Calling(called, names, [None] * count, list(range(package.outputs)))


def own_arguments(package: AnyPackage) -> list[tuple[Argument, Tree]]:
    """The arguments, and the trees that they are.

    A library does not tell which values were burnt in: torch drops them from the leaves of a call.
    """
    names = package.input_names
    empty = Tree("tuple")
    positional, keywords = tree_or_leaves(package.input_spec, 0).children or (empty, empty)
    if not package.input_spec:
        positional = tree_or_leaves("", len(names))
    in_order = len(list(positional.leaves()))
    by_name = len(list(keywords.leaves()))
    are_told = in_order in (len(names), len(names) - by_name)
    found, at = [], 0
    for index, child in enumerate(positional.children):
        name = names[at] if are_told and child.kind == "leaf" else ""
        found.append(own_argument(own_name(name, index), child, are_told))
        at += len(list(child.leaves()))
    are_told = in_order + by_name == len(names)
    pairs = zip(map(str, keywords.keys), keywords.children, strict=True)
    return found + [own_argument(name, child, are_told) for name, child in pairs]


def own_argument(name: str, tree: Tree, is_told: bool) -> tuple[Argument, Tree]:
    """An argument of tensors; of anything, where some of its leaves may be burnt in."""
    typed = bound(tree, itertools.repeat(TENSOR if is_told else ANY))
    return Argument(name, type_of(typed), is_told), typed


def tensors_in(
    flatten: Callable[[Sequence[Any]], list[Any]], arguments: Sequence[Any]
) -> list[Any]:
    """The inputs among the leaves of a call."""
    return [each for each in flatten(arguments) if isinstance(each, (torch.Tensor, np.ndarray))]


def own_name(name: str, index: int) -> str:
    return f"arg_{index}" if not name or WITHOUT_MEANING.fullmatch(name) else name


def tree_or_leaves(text: str, count: int) -> Tree:
    """The tree that a library tells; without one, as many leaves as there are."""
    if text:
        return read_tree(text, None)
    return Tree("tuple", "", tuple(range(count)), (LEAF,) * count)
