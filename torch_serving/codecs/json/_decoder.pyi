from collections.abc import Callable, Iterable
from typing import Any

from numpy.typing import NDArray

from torch_serving.errors import InvalidInput
from torch_serving.tensor_constraint import TensorConstraint

MAX_RANK: int  # dimensions of a tensor
DATA_TYPE_NAMES: tuple[str, ...]

class TypeSpec:
    kind: str
    type: str
    parts: tuple[TypeSpec, ...]
    names: tuple[str, ...]
    members: dict[str, TypeSpec] | None
    constraint: TensorConstraint | None
    closed: bool
    value: Any
    def __init__(
        self,
        kind: str,
        type: str,
        *parts: TypeSpec,
        names: tuple[str, ...] = (),
        constraint: TensorConstraint | None = None,
        members: dict[str, TypeSpec] | None = None,
        closed: bool = False,
        value: Any = None,
    ) -> None: ...

class Argument:
    name: str
    spec: TypeSpec
    required: bool
    default: Any
    def __init__(
        self, name: str, spec: TypeSpec, required: bool = True, default: Any = None
    ) -> None: ...

Array = NDArray[Any]

class ValueFactory:
    def __init__(
        self,
        tensor: Callable[[Array], Any],
        bfloat16: Callable[[Array], Any] | None = None,
        device: Callable[[str], Any] | None = None,
        enum: Callable[[str, str], Any] | None = None,
        image: Callable[[str, str, str, bool, str], Array] | None = None,
    ) -> None: ...

class Decoder:
    def __init__(
        self,
        arguments: Iterable[Argument],
        factory: ValueFactory | Callable[[Array], Any],
        window_bytes: int = 0,
    ) -> None: ...
    def decode(self, body: bytes | bytearray | memoryview) -> list[Any]: ...

class Value:
    kind: str
    count: int
    def error(self, problem: str) -> InvalidInput: ...
    def members(self) -> dict[str, Value]: ...
    def elements(self) -> list[Value]: ...
    def string(self) -> str: ...
    def boolean(self) -> bool: ...
    def integer(self) -> int: ...
    def shape(self) -> tuple[int, ...]: ...
    def numbers(self, data_type: str) -> Array: ...
    def validate(self) -> None: ...

def read_json(body: bytes | bytearray | memoryview, window_bytes: int = 0) -> Value: ...
