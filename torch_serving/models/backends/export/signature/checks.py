"""What a program asks of its inputs together: sizes that follow from others, guards, ranges."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from torch_serving.errors import IncompatibleShape, InvalidInput, ServingError
from torch_serving.models.backends.export.signature.arithmetic import (
    Expression,
    Place,
    path_text,
    place_text,
)
from torch_serving.models.backends.export.signature.ranges import linear
from torch_serving.tensor_constraint import Dimension

MAX_REMEMBERED = 256  # combinations of sizes that were found to be right
Sizes = dict[Any, int]  # by symbol and by place


class Derived(NamedTuple):
    """A size, or an integer, that is arithmetic on symbols."""

    place: Place
    expression: Expression


class InputChecks:
    """The checks of one program.

    `flatten` makes the inputs of the graph of the arguments; `places` has what is looked at, and
    which of these inputs it is.
    """

    def __init__(
        self,
        flatten: Callable[[Sequence[Any]], Sequence[Any]],
        places: Mapping[Place, int],
        derived: Sequence[Derived],
        integers: Mapping[Place, Dimension],
        guards: Sequence[Expression],
    ) -> None:
        self._flatten = flatten
        self._places = list(places.items())
        self._derived = derived
        self._integers = integers
        self._guards = guards
        self._known: set[tuple[int, ...]] = set()

    def __call__(self, arguments: Sequence[Any]) -> None:
        """Raise IncompatibleShape or InvalidInput for arguments that the program would refuse."""
        flat = self._flatten(arguments)
        found = tuple([size_at(place, flat[index]) for place, index in self._places])
        if found in self._known:
            return
        sizes: Sizes = {place: size for (place, _), size in zip(self._places, found, strict=True)}
        for place, dimension in self._integers.items():
            check_integer(place, sizes[place], dimension)
        for derived in self._derived:
            check_derived(derived, sizes, self._derived)
        for guard in self._guards:
            check_guard(guard, sizes)
        if len(self._known) < MAX_REMEMBERED:
            self._known.add(found)


def size_at(place: Place, value: Any) -> int:
    return int(value if place.dimension is None else value.shape[place.dimension])


def check_integer(place: Place, value: int, dimension: Dimension) -> None:
    if not dimension.holds(value):
        raise InvalidInput(f"argument `{place.path[0]}`: expected {dimension.sizes}, got {value}")


def check_derived(derived: Derived, sizes: Sizes, others: Sequence[Derived]) -> None:
    """Check one size, and learn from it what a symbol is, if that is open."""
    place, expression = derived
    size = sizes[place]
    unknown = [symbol for symbol in expression.symbols() if symbol not in sizes]
    if unknown:
        learn(derived, unknown, sizes)
        return
    expected = expression.value(sizes)
    if size == expected:
        return
    symbols = ", ".join(
        f"{symbol} is {sizes[symbol]}{origin(symbol, others)}"
        for symbol in sorted(expression.symbols())
    )
    is_symbol = expression.name == "symbol"
    because = f"{symbols}" if is_symbol else f"it is {expression}, and {symbols}"
    raise problem_at(place, f"{words(place)} is {size}, not {expected}: {because}")


def origin(symbol: str, others: Sequence[Derived]) -> str:
    """Where a symbol comes from."""
    for place, expression in others:
        if symbol in expression.symbols():
            exact = expression.name == "symbol"
            return f", {words(place)}" if exact else f" by {words(place)}"
    return ""


def learn(derived: Derived, unknown: Sequence[str], sizes: Sizes) -> None:
    """Solve for a symbol; a size that it can't have is an error."""
    place, expression = derived
    terms = linear(expression)
    if terms is None or len(unknown) != 1 or set(terms) - {"", *unknown}:
        return
    (symbol,) = unknown
    solution, rest = divmod(sizes[place] - terms.get("", 0), terms[symbol])
    if rest:
        raise problem_at(place, f"{words(place)} is {sizes[place]}, not of the form {expression}")
    sizes[symbol] = int(solution)


def check_guard(guard: Expression, sizes: Sizes) -> None:
    try:
        if guard.value(sizes):
            return
    except (ArithmeticError, TypeError):
        return  # as torch would say when it runs
    places = guard.places()
    actual = ", ".join(f"{place_text(place)} is {sizes[place]}" for place in places)
    raise problem_at(places[0], f"the model needs {guard}; {actual}")


def words(place: Place) -> str:
    """What an error calls a place."""
    name = f"`{path_text(place)}`"
    return name if place.dimension is None else f"dimension {place.dimension} of {name}"


def problem_at(place: Place, problem: str) -> ServingError:
    """An error at a place: of a shape, or of an integer."""
    kind = InvalidInput if place.dimension is None else IncompatibleShape
    return kind(f"argument `{place.path[0]}`: {problem}")
