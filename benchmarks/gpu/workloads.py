"""The models of these benchmarks, with an input for any number of rows and a request for one."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import safetensors.torch
import torch
from torch import nn

from benchmarks.server.binary import SAFETENSORS, Message
from benchmarks.support.payloads import mlp, transformer

TARGET = "/serve?servable_identifier={name}.pt"
BLOCKS = ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2))  # repeats, width, stride


@dataclass(frozen=True)
class Workload:
    """A model, made for a device; `inputs` makes rows for it, `message` a request of some."""

    name: str
    model: Callable[[torch.device], torch.jit.ScriptModule]
    inputs: Callable[[int], torch.Tensor]
    message: Callable[[str, torch.Tensor], Message]


class Bottleneck(nn.Module):
    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *normalized(channels, width, 1),
            nn.ReLU(),
            *normalized(width, width, 3, stride),
            nn.ReLU(),
            *normalized(width, 4 * width, 1),
        )
        keeps_shape = channels == 4 * width and stride == 1
        self.shortcut = (
            nn.Identity()
            if keeps_shape
            else nn.Sequential(*normalized(channels, 4 * width, 1, stride))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


class ResNet50(nn.Module):
    """Pixels from 0 to 255 in, 1,000 numbers out; half precision and channels last inside."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        layers: list[nn.Module] = [*normalized(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        channels = 64
        for repeats, width, stride in BLOCKS:
            for number in range(repeats):
                layers.append(Bottleneck(channels, width, 1 if number else stride))
                channels = 4 * width
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000)]
        self.layers = nn.Sequential(*layers).to(dtype, memory_format=torch.channels_last)
        self.dtype = dtype

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        x = (pixels.float() / 127.5 - 1.0).to(self.dtype)
        return self.layers(x.contiguous(memory_format=torch.channels_last)).float()


def normalized(channels: int, width: int, size: int, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(channels, width, size, stride, size // 2, bias=False)
    return [convolution, nn.BatchNorm2d(width)]


def resnet50(device: torch.device) -> torch.jit.ScriptModule:
    torch.manual_seed(0)
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    return torch.jit.script(ResNet50(dtype).eval())


def binary(name: str, rows: torch.Tensor) -> Message:
    headers = {"Content-Type": SAFETENSORS, "Accept": SAFETENSORS}
    return Message(TARGET.format(name=name), safetensors.torch.save({"pixels": rows}), headers)


def as_json(name: str, rows: torch.Tensor) -> Message:
    data_type = str(rows.dtype).removeprefix("torch.")
    value = rows.flatten().tolist()
    tensor = {"type": "tensor", "shape": list(rows.shape), "data_type": data_type, "value": value}
    headers = {"Content-Type": "application/json", "Accept": SAFETENSORS}
    return Message(TARGET.format(name=name), json.dumps([tensor]).encode(), headers)


def random_integers(
    end: int, dtype: torch.dtype, shape: tuple[int, ...], rows: int
) -> torch.Tensor:
    return torch.randint(0, end, (rows, *shape), dtype=dtype)


WORKLOADS = (
    Workload(
        "resnet50",
        resnet50,
        partial(random_integers, 256, torch.uint8, (3, 224, 224)),
        binary,
    ),
    Workload(
        "transformer",
        lambda _: transformer(),
        partial(random_integers, 1000, torch.int64, (32,)),
        as_json,
    ),
    Workload("mlp", lambda _: mlp(), lambda rows: torch.randn(rows, 16), as_json),
)
