"""What is known of a tensor before a request holds it: its data type and its shape.

A model's TOML file declares it, or the model file itself tells it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

USUAL_TYPE = "float32"  # of numbers, where nothing says otherwise
MAX_SIZE = 1 << 59  # of a dimension
MAX_GUESSED = 10_000  # elements of a tensor in a request that only shows how one looks


class Dimension(NamedTuple):
    """The sizes that a dimension may have; dimensions of one symbol agree within a request."""

    least: int = 0
    most: int | None = None  # None: there is no bound
    symbol: str = ""

    @property
    def is_fixed(self) -> bool:
        return self.least == self.most

    def holds(self, size: int) -> bool:
        return self.least <= size and (self.most is None or size <= self.most)

    @property
    def sizes(self) -> str:
        """The sizes, for people."""
        if self.most is None:
            return "-1" if self.least == 0 else f"{self.least}…"
        return str(self.least) if self.is_fixed else f"{self.least}…{self.most}"

    def __str__(self) -> str:
        return self.symbol or self.sizes

    def narrowed(self, other: "Dimension") -> "Dimension":
        """Return the sizes of both, by the own symbol if there is one. Raises ValueError."""
        least, most = max(self.least, other.least), self.most
        if other.most is not None:
            most = other.most if most is None else min(most, other.most)
        if most is not None and least > most:
            raise ValueError(f"a dimension is {self.sizes} in the model, not {other.sizes}")
        return Dimension(least, most, self.symbol or other.symbol)


class TensorConstraint(NamedTuple):
    """What a tensor must be; "" and None leave it open.

    `weights_type` is the data type of the model's weights, which plain numbers take where none is
    declared.
    """

    data_type: str = ""  # as requests call it
    shape: tuple[Dimension, ...] | None = None
    weights_type: str = ""

    @property
    def plain_type(self) -> str:
        """The data type of numbers without an envelope."""
        return self.data_type or self.weights_type or USUAL_TYPE

    @property
    def is_declared(self) -> bool:
        return bool(self.data_type) or self.shape is not None

    def with_declared(self, other: "TensorConstraint") -> "TensorConstraint":
        """Return a constraint that also says what another one does, which may narrow shapes only.

        Raises ValueError for shapes that have nothing in common.
        """
        shape = other.shape
        if self.shape is not None and shape is not None:
            if len(shape) != len(self.shape):
                raise ValueError(
                    f"it has {dimensions(len(self.shape))} in the model, not {len(shape)}"
                )
            pairs = zip(self.shape, shape, strict=True)
            shape = tuple([own.narrowed(declared) for own, declared in pairs])
        return self._replace(
            data_type=other.data_type or self.data_type,
            shape=self.shape if shape is None else shape,
        )

    def shape_text(self) -> str:
        return f"[{', '.join(map(str, self.shape or ()))}]"

    def shape_problem(self, shape: Sequence[int]) -> str:
        """What is wrong with a shape; empty if nothing is. Symbols are not compared."""
        if self.shape is None or self.holds_shape(shape):
            return ""
        expected = f"expected shape {self.shape_text()}, got {list(shape)}"
        if len(shape) != len(self.shape):
            return f"{expected}: {dimensions(len(shape))}, not {len(self.shape)}"
        index, size, dimension = next(
            (index, size, dimension)
            for index, (size, dimension) in enumerate(zip(shape, self.shape, strict=True))
            if not dimension.holds(size)
        )
        return f"{expected}: dimension {index} is {size}, not {dimension.sizes}"

    def holds_shape(self, shape: Sequence[int]) -> bool:
        expected = self.shape or ()
        if len(shape) != len(expected):
            return False
        for size, (least, most, _) in zip(shape, expected, strict=True):
            if size < least or (most is not None and size > most):
                return False
        return True

    def type_problem(self, data_type: str) -> str:
        """What is wrong with a data type; empty if nothing is."""
        if self.data_type in ("", data_type):
            return ""
        return f"expected {self.data_type}, got {data_type}"

    def to_dict(self) -> dict[str, Any]:
        """The constraint as data of JSON."""
        shape = None if self.shape is None else [list(each) for each in self.shape]
        return {"data_type": self.data_type, "shape": shape, "weights_type": self.weights_type}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "TensorConstraint":
        shape = data["shape"]
        if shape is not None:
            shape = tuple([Dimension(*each) for each in shape])
        return cls(data["data_type"], shape, data["weights_type"])

    def described(self) -> dict[str, Any]:
        """What is declared, in the words of a TOML file."""
        found: dict[str, Any] = {"data_type": self.data_type} if self.data_type else {}
        if self.shape is not None:
            found["shape"] = [described_dimension(each) for each in self.shape]
        return found


def dimensions(count: int) -> str:
    return f"{count} dimension{'' if count == 1 else 's'}"


def described_dimension(dimension: Dimension) -> Any:
    """A dimension in the words of a TOML file."""
    least, most, symbol = dimension
    if dimension.is_fixed and not symbol:
        return least
    if most is None and not least:
        return symbol or -1
    bounds = {"name": symbol or None, "min": least or None, "max": most}
    return {name: value for name, value in bounds.items() if value is not None}


def example_shapes(shapes: Sequence[tuple[Dimension, ...]], side: int) -> list[list[int]]:
    """A shape for each tensor: 1 for open first dimensions, `side` for others, within bounds.

    Dimensions of one symbol are equal.
    """
    found: dict[str, tuple[int, int, bool]] = {}  # by symbol: bounds, and whether one comes first
    for shape in shapes:
        for index, (least, most, symbol) in enumerate(shape):
            low, high, first = found.get(symbol, (0, MAX_SIZE, False))
            most = MAX_SIZE if most is None else most
            found[symbol] = max(low, least), min(high, most), first or index == 0

    def size(index: int, dimension: Dimension) -> int:
        least, most, symbol = dimension
        low, high, first = least, MAX_SIZE if most is None else most, index == 0
        if symbol:
            low, high, first = found[symbol]
        return min(max(low, 1 if first else side), high)

    return [[size(*each) for each in enumerate(shape)] for shape in shapes]
