from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from torch_serving.codecs.json._decoder import TypeSpec

class Encoder:
    def __init__(
        self,
        tensor_type: type | tuple[type, ...],
        to_array: Callable[[Any], NDArray[Any]],
        prefix: bytes = b"",
        suffix: bytes = b"",
        to_envelope: Callable[[Any], dict[str, Any] | None] | None = None,
        spec: TypeSpec | None = None,
    ) -> None: ...
    def encode(self, value: object) -> bytes: ...
    def encode_plain(self, value: object) -> bytes: ...

def encode_numbers(array: NDArray[Any]) -> bytes: ...
