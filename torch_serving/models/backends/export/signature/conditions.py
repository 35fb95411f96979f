"""What a program's document says of its inputs beside each one's own type and shape."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from torch_serving.codecs.json._decoder import TypeSpec
from torch_serving.models.backends.export.signature.arithmetic import Expression, Place
from torch_serving.models.backends.export.signature.checks import Derived, InputChecks
from torch_serving.models.backends.export.signature.document import Values, expression_in
from torch_serving.models.backends.export.signature.ranges import always_holds, bounds
from torch_serving.tensor_constraint import Dimension

logger = logging.getLogger(__name__)

ANYTHING = Expression("symbol", leaf="?")  # a size of which nothing is known


class Input(NamedTuple):
    """An input of the graph: the keys that lead to it from the arguments, its name and type."""

    path: tuple[Any, ...]
    name: str
    spec: TypeSpec


class Conditions:
    """Sizes in symbols, and the guards that sizes within the ranges may miss."""

    def __init__(self, values: Values, inputs: Sequence[Input], guards: Iterable[str]) -> None:
        self.ranges = values.ranges
        self._expressions = values.expressions
        self.indices: dict[Place, int] = {}
        self.sizes: dict[Place, Expression] = {}
        for index, each in enumerate(inputs):
            for place, size in sizes_in(values, each):
                self.indices[place] = index
                self.sizes[place] = size
        self.guards = list(self._guards(guards))

    def _guards(self, texts: Iterable[str]) -> Iterator[Expression]:
        for text in sorted(texts, key=lambda each: (len(each), each)):  # torch orders them anyhow
            guard = expression_in(text)
            if guard is None:
                continue
            guard = replaced(guard, {each: self._place(each) for each in guard.places()})
            if not set(guard.places()) <= self.sizes.keys() or guard.symbols():
                logger.debug("not checked: %s: it speaks of more than sizes", text[:200])
            elif not always_holds(self.in_symbols(guard), self.ranges):
                yield guard

    def _place(self, place: Place) -> Place:
        """A place as arguments are called: `rest[0]` is `rest_0`, and `kwargs['x']` is `x`."""
        if place in self.sizes or len(place.path) < 2:
            return place
        first, second, *others = place.path
        for name in (f"{first}_{second}", second):
            found = place._replace(path=(name, *others))
            if found in self.sizes:
                return found
        return place

    def in_symbols(self, expression: Expression) -> Expression:
        return replaced(expression, self.sizes)

    def symbols_of(self, dimension: Dimension) -> set[str]:
        known = self._expressions.get(dimension.symbol)
        return known.symbols() if known else set()

    def checks(
        self, flatten: Callable[[Sequence[Any]], Sequence[Any]] | None
    ) -> InputChecks | None:
        """What checks the arguments of a request; None if there is nothing to check."""
        integers = {
            place: bounded
            for place, size in self.sizes.items()
            if place.dimension is None and (bounded := bounds(size, self.ranges)) != Dimension()
        }
        derived = self._derived()
        wanted = [*integers, *(each.place for each in derived)]
        wanted += [place for guard in self.guards for place in guard.places()]
        places = {place: self.indices[place] for place in wanted}
        if not places:
            return None
        return InputChecks(flatten or list, places, derived, integers, self.guards)

    def _derived(self) -> list[Derived]:
        """The sizes that follow from others, after those that these follow from.

        Tensors whose dimensions have one symbol are compared elsewhere.
        """
        found = [Derived(*each) for each in self.sizes.items() if each[1] != ANYTHING]
        plain: dict[str, Derived] = {}
        for each in found:
            if each.expression.name == "symbol":
                plain.setdefault(each.expression.leaf, each)
        others = [
            each
            for each in found
            if each.expression.symbols()
            and (each.expression.name != "symbol" or each.place.dimension is None)
            and each not in plain.values()
        ]
        needed = {symbol for each in others for symbol in each.expression.symbols()}
        return [*(plain[symbol] for symbol in sorted(needed & plain.keys())), *others]


def sizes_in(values: Values, each: Input) -> Iterator[tuple[Place, Expression]]:
    """The sizes of a tensor, or an integer, in symbols."""
    if each.spec.kind == "int":
        yield Place(each.path), values.integer(each.name) or ANYTHING
    if each.spec.constraint is not None:
        for index, dimension in enumerate(each.spec.constraint.shape or ()):
            yield Place(each.path, index), values.size(dimension) or ANYTHING


def replaced(expression: Expression, places: Mapping[Place, Any]) -> Expression:
    """An expression with others in the place of places."""
    if expression.name == "place":
        found = places.get(expression.leaf, expression)
        return found if isinstance(found, Expression) else expression._replace(leaf=found)
    operands = tuple([replaced(each, places) for each in expression.operands])
    return expression._replace(operands=operands)
