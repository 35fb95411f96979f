from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

class Encoder:
    def __init__(
        self,
        tensor_type: type,
        to_array: Callable[[Any], NDArray[Any]],
        prefix: bytes = b"",
        suffix: bytes = b"",
    ) -> None: ...
    def encode(self, value: object) -> bytes: ...
