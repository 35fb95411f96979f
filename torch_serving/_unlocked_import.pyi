from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

def unlocked(load: Callable[..., T], *arguments: Any) -> T: ...
