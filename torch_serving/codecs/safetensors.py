"""Bodies of safetensors: a tensor for each argument, and one for each part of the result."""

from collections.abc import Sequence
from typing import Any

import torch

from torch_serving.codecs.interfaces import Body, Codec
from torch_serving.codecs.json._decoder import Argument
from torch_serving.codecs.tensor_tree.specs import Leaf, StringTensor
from torch_serving.errors import InvalidInput, UnsupportedResult

MAX_REASON = 300  # characters of what the library says


def library() -> Any:
    """The library of the extra `safetensors`, if it is installed."""
    try:
        import safetensors.torch
    except ImportError:
        return None
    return safetensors.torch


def read(body: Body, arguments: Sequence[Argument]) -> dict[str, Leaf]:
    """Read the tensors of a body; the library checks sizes before it allocates.

    Raises InvalidInput for a body that is not safetensors.
    """
    try:
        tensors: dict[str, torch.Tensor] = library().load(bytes(body))
    except KeyError as error:
        raise InvalidInput(f"torch has no data type {error}") from None
    except Exception as error:  # of the library's Rust, and of torch for shapes that it refuses
        reason = str(error).partition("\n")[0][:MAX_REASON]
        raise InvalidInput(f"the body is not safetensors: {reason}") from None
    for name, tensor in tensors.items():
        if tensor.dtype == torch.bool and tensor.numel() and tensor.view(torch.uint8).max() > 1:
            raise InvalidInput(f"input `{name[:100]}`: a bool is neither 0 nor 1")
    return dict(tensors)


def write(tensors: dict[str, Leaf]) -> bytes:
    """Write tensors. Raises UnsupportedResult for those that the format lacks."""
    dense: dict[str, torch.Tensor] = {}
    seen: set[int] = set()  # the library refuses tensors that share memory
    for name, leaf in tensors.items():
        if isinstance(leaf, StringTensor):
            raise UnsupportedResult(f"result `{name}`: safetensors holds no strings")
        if leaf.is_quantized or leaf.layout != torch.strided:
            raise UnsupportedResult(f"result `{name}`: safetensors holds dense tensors only")
        tensor = leaf.detach().cpu().contiguous()
        address = tensor.untyped_storage().data_ptr()
        dense[name] = tensor.clone() if address in seen else tensor
        seen.add(address)
    try:
        result: bytes = library().save(dense)
    except KeyError as error:
        raise UnsupportedResult(f"safetensors has no data type {error}") from None
    return result


SAFETENSORS = Codec("application/vnd.safetensors", read, write)
