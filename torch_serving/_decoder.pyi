from collections.abc import Callable, Iterable
from typing import Any

from numpy.typing import NDArray

class Plan:
    form: str
    type: str
    parts: tuple[Plan, ...]
    names: tuple[str, ...]
    def __init__(self, form: str, type: str, *parts: Plan, names: tuple[str, ...] = ()) -> None: ...

class Argument:
    name: str
    plan: Plan
    required: bool
    default: Any
    def __init__(
        self, name: str, plan: Plan, required: bool = True, default: Any = None
    ) -> None: ...

Array = NDArray[Any]

class Makers:
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
        self, arguments: Iterable[Argument], make: Makers | Callable[[Array], Any]
    ) -> None: ...
    def decode(self, body: bytes | bytearray | memoryview) -> list[Any]: ...
