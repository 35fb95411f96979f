from collections.abc import Callable, Iterable
from typing import Any

from numpy.typing import NDArray

class Plan:
    form: str
    type: str
    parts: tuple[Plan, ...]
    def __init__(self, form: str, type: str, *parts: Plan) -> None: ...

class Argument:
    name: str
    plan: Plan
    required: bool
    def __init__(self, name: str, plan: Plan, required: bool = True) -> None: ...

class Decoder:
    def __init__(
        self, arguments: Iterable[Argument], from_array: Callable[[NDArray[Any]], Any]
    ) -> None: ...
    def decode(self, body: bytes | bytearray | memoryview) -> list[Any]: ...
