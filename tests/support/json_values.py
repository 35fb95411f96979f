"""A value of the typed models as JSON: with envelopes, or plain."""

from enum import Enum
from typing import Any

import numpy as np
import torch

from tests.support.typed_models import Envelope, Pairs


def enveloped(value: Any) -> Any:
    """A value as the contract writes it in results; it may stand like this in requests too."""
    if isinstance(value, Envelope):
        return enveloped(value.value)
    if value is None:
        return {"type": "none"}
    if isinstance(value, np.ndarray):
        flat = value.flatten().tolist()
        head = {"type": "tensor", "shape": list(value.shape)}
        return head | {"value": flat, "data_type": value.dtype.name}
    if isinstance(value, Enum):
        return {"type": "enum", "value": value.name}
    if isinstance(value, torch.device | str):
        return {"type": "string", "value": str(value)}
    for type_, name in ((bool, "bool"), (int, "int64"), (float, "float64")):
        if isinstance(value, type_):
            return {"type": "scalar", "data_type": name, "value": value}
    if isinstance(value, complex):
        return {"type": "scalar", "data_type": "complex128", "value": [value.real, value.imag]}
    if isinstance(value, Pairs):
        members = [[key_of(key), enveloped(member)] for key, member in value.members]
        return {"type": "generic_dict", "key_type": value.key_type, "value": members}
    if isinstance(value, dict):
        members = {key: enveloped(member) for key, member in value.items()}
        return {"type": "generic_dict", "value": members}
    if hasattr(value, "_fields"):
        fields = {name: enveloped(getattr(value, name)) for name in value._fields}
        return {"type": "named_tuple", "name": type(value).__name__, "value": fields}
    return [enveloped(element) for element in value]


def key_of(key: Any) -> Any:
    if isinstance(key, np.ndarray):
        return enveloped(key)
    return [key.real, key.imag] if isinstance(key, complex) else key


def plain(value: Any) -> Any:
    """A value as it may stand among named arguments, without envelopes."""
    if isinstance(value, Envelope):
        return enveloped(value)
    if isinstance(value, np.ndarray) and value.size:
        return value.tolist()
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, complex):
        return [value.real, value.imag]
    if isinstance(value, Pairs):
        return [[plain(key), plain(member)] for key, member in value.members]
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if hasattr(value, "_fields"):
        return {name: plain(getattr(value, name)) for name in value._fields}
    if isinstance(value, list | tuple):
        return [plain(element) for element in value]
    return enveloped(value) if isinstance(value, np.ndarray) else value
