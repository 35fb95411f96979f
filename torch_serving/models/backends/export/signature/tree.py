"""Trees of values, as torch writes them into a program: tuples, lists, dictionaries, their leaves.

A leaf that became a constant takes no part in a run: requests may leave it out, and results get it
back.
"""

import json
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from torch_serving.codecs.constants import Constant, written
from torch_serving.codecs.json._decoder import TypeSpec
from torch_serving.errors import InvalidServable

LISTS = ("builtins.list", "torch.fx.immutable_collections.immutable_list")
DICTIONARIES = (
    "builtins.dict",
    "collections.OrderedDict",
    "torch.fx.immutable_collections.immutable_dict",
)
DEFAULT_DICTIONARY = "collections.defaultdict"
NAMED_TUPLE = "collections.namedtuple"
CONSTANT_KINDS = {bool: "bool", int: "int", float: "float", str: "str", type(None): "none"}
STRING = TypeSpec("str", "str")
ANY = TypeSpec("any", "Any")
TENSOR = TypeSpec("tensor", "Tensor")

Fields = Mapping[str, Sequence[str]] | None  # of named tuples, by type; None: not told


class Tree(NamedTuple):
    """One value and the values in it. `keys` are the indices, keys or fields of `children`."""

    kind: str  # leaf, tuple, list, dict, record
    type_name: str = ""
    keys: tuple[Any, ...] = ()
    children: tuple["Tree", ...] = ()
    spec: TypeSpec | None = None  # of a leaf

    @property
    def is_constant(self) -> bool:
        """Whether all its leaves are constants."""
        if self.kind == "leaf":
            return self.spec is not None and self.spec.kind == "constant"
        return all(child.is_constant for child in self.children)

    def leaves(self, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], "Tree"]]:
        """Its leaves in order, with the keys that lead to each."""
        if self.kind == "leaf":
            yield path, self
        for key, child in zip(self.keys, self.children, strict=True):
            yield from child.leaves((*path, key))


LEAF = Tree("leaf")


def read_tree(text: str, fields: Fields) -> Tree:
    """Read a tree of a program. Raises InvalidServable."""
    try:
        _, node = json.loads(text)
        tree = tree_of(node, fields)
        check_text(tree)
        return tree
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InvalidServable("the tree of its arguments or results can't be read") from None


def check_text(tree: Tree) -> None:
    """Raise ValueError for keys and names that no JSON can hold: halves of surrogate pairs."""
    "".join(map(str, (tree.type_name, *tree.keys))).encode()
    for child in tree.children:
        check_text(child)


def tree_of(node: Mapping[str, Any], fields: Fields) -> Tree:
    name = node["type"]
    if name is None:
        return LEAF
    children = tuple([tree_of(child, fields) for child in node["children_spec"]])
    context = node["context"]
    if name in LISTS:
        return Tree("list", name, tuple(range(len(children))), children)
    if name in (*DICTIONARIES, DEFAULT_DICTIONARY):
        return Tree("dict", name, keys_of(name, context, len(children)), children)
    if name == NAMED_TUPLE:
        if fields is None:
            return Tree("tuple", context, tuple(range(len(children))), children)
        return Tree("record", context, names_of(fields[context], children), children)
    return other_tree(name, context, children)


def keys_of(name: str, context: str, count: int) -> tuple[Any, ...]:
    keys = json.loads(context)
    if name == DEFAULT_DICTIONARY:
        keys = keys["dict_context"]
    if len(keys) != count or len({str(key) for key in keys}) != count:
        raise ValueError("the keys of a dictionary")
    return tuple(keys)


def names_of(names: Any, children: tuple[Tree, ...]) -> tuple[str, ...]:
    if len(names) != len(children) or not all(isinstance(name, str) for name in names):
        raise ValueError("the fields of a named tuple")
    return tuple(names)


def other_tree(name: str, context: str, children: tuple[Tree, ...]) -> Tree:
    """A registered class: with names, where its context is a list of them, as a dataclass's is."""
    try:
        names = json.loads(context)
        absent: list[str] = []
        if len(names) == 2 and all(isinstance(each, list) for each in names):
            names, absent = names
        parts = (*children, *[constant_leaf(None)] * len(absent))
        return Tree("record", name, names_of([*names, *absent], parts), parts)
    except (ValueError, TypeError, KeyError):
        return Tree("tuple", name, tuple(range(len(children))), children)


def constant_leaf(value: Constant) -> Tree:
    return LEAF._replace(spec=constant_spec(value))


def constant_spec(value: Constant) -> TypeSpec:
    kind = CONSTANT_KINDS[type(value)]
    part = TypeSpec(kind, "None" if kind == "none" else kind)
    spelling = "None" if value is None else f"Literal[{written(value)}]"
    return TypeSpec("constant", spelling, part, value=value)


def bound(tree: Tree, specs: Iterator[TypeSpec]) -> Tree:
    """A tree whose leaves have the types that `specs` gives them in order."""
    if tree.kind == "leaf":
        return tree if tree.spec is not None else tree._replace(spec=next(specs))
    return tree._replace(children=tuple([bound(child, specs) for child in tree.children]))


def type_of(tree: Tree) -> TypeSpec:
    """The type of a value."""
    if tree.spec is not None:
        return tree.spec
    parts = [type_of(child) for child in tree.children]
    if tree.kind == "dict":
        members = dict(zip(map(str, tree.keys), parts, strict=True))
        spelling = ", ".join(f"{key}: {part.type}" for key, part in members.items())
        same = all(part.kind == "tensor" for part in parts)
        value = TENSOR if same else ANY
        return TypeSpec("dict", f"{{{spelling}}}", STRING, value, members=members, closed=True)
    if tree.kind == "record":
        return TypeSpec("tuple", short_name(tree), *parts, names=tree.keys)
    inner = ", ".join(part.type for part in parts)
    return TypeSpec("tuple", f"[{inner}]" if tree.kind == "list" else f"Tuple[{inner}]", *parts)


def short_name(tree: Tree) -> str:
    return tree.type_name.rpartition(".")[2]


def constant_of(tree: Tree) -> Any:
    """The value of a tree of constants, as a request gives it."""
    if tree.spec is not None:
        return tree.spec.value
    values = [constant_of(child) for child in tree.children]
    if tree.kind == "dict":
        return dict(zip(map(str, tree.keys), values, strict=True))
    return tuple(values)


def flattener(trees: Sequence[Tree]) -> Callable[[Sequence[Any]], list[Any]] | None:
    """What makes the inputs of a graph of arguments; None: they are the same."""
    if all(tree.kind == "leaf" and not tree.is_constant for tree in trees):
        return None

    def flatten(arguments: Sequence[Any]) -> list[Any]:
        flat: list[Any] = []
        for tree, value in zip(trees, arguments, strict=False):  # the last ones may be left out
            flatten_into(flat, tree, value)
        return flat

    return flatten


def flatten_into(flat: list[Any], tree: Tree, value: Any) -> None:
    if tree.spec is not None:
        if tree.spec.kind != "constant":
            flat.append(value)
    elif tree.kind == "dict":
        for key, child in zip(tree.keys, tree.children, strict=True):
            flatten_into(flat, child, value[str(key)])
    else:
        for child, part in zip(tree.children, value, strict=True):
            flatten_into(flat, child, part)


def restorer(tree: Tree) -> Callable[[Any], Any] | None:
    """What makes the result of the outputs of a graph; None: it is that already.

    One output comes as it is, several as a tuple.
    """
    live = [leaf for _, leaf in tree.leaves() if not leaf.is_constant]
    is_flat = all(child.kind == "leaf" and not child.is_constant for child in tree.children)
    if tree.kind == "leaf" and live:
        return None
    if tree.kind == "tuple" and is_flat and len(live) != 1:
        return None
    build = builder(tree)
    if len(live) == 1:
        return lambda output: build(iter((output,)))
    return lambda outputs: build(iter(outputs))


def builder(tree: Tree) -> Callable[[Iterator[Any]], Any]:
    """What takes the outputs that a value holds, and makes it."""
    if tree.spec is not None:
        value = tree.spec.value
        return (lambda _: value) if tree.is_constant else next
    parts = [builder(child) for child in tree.children]
    if tree.kind == "dict":
        pairs = list(zip(tree.keys, parts, strict=True))
        return lambda outputs: {key: part(outputs) for key, part in pairs}
    if tree.kind == "list":
        return lambda outputs: [part(outputs) for part in parts]
    if tree.kind == "tuple":
        return lambda outputs: tuple([part(outputs) for part in parts])
    make = record_type(tree)
    return lambda outputs: make(*[part(outputs) for part in parts])


def record_type(tree: Tree) -> Callable[..., Any]:
    """A named tuple with the fields of a class that this process may not know."""
    try:
        return namedtuple(short_name(tree), tree.keys)
    except ValueError:  # a field is no identifier
        return lambda *values: dict(zip(tree.keys, values, strict=True))
