"""Call the models of a server as functions: `Client(url)["resnet.pt"](x)`. Needs no torch."""

from torch_serving.client.async_client import AsyncClient, AsyncModel
from torch_serving.client.client import Client, Model
from torch_serving.client.errors import (
    ClientError,
    DeadlineExceeded,
    InvalidRequest,
    InvalidResponse,
    ModelFailed,
    RequestTooLarge,
    ServerError,
    ServingError,
    Unauthorized,
    Unavailable,
    UnknownModel,
    Unreachable,
)
from torch_serving.client.image import Image

__all__ = [
    "AsyncClient",
    "AsyncModel",
    "Client",
    "ClientError",
    "DeadlineExceeded",
    "Image",
    "InvalidRequest",
    "InvalidResponse",
    "Model",
    "ModelFailed",
    "RequestTooLarge",
    "ServerError",
    "ServingError",
    "Unauthorized",
    "Unavailable",
    "UnknownModel",
    "Unreachable",
]
