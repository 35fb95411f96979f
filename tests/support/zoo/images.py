"""Models of images: convolutions of all kinds, resampling, bytes as input."""

import torch
from torch import Tensor, nn

from tests.support.zoo.model import BATCH, ZooModel, normal, positional, whole


class ConvNet(nn.Module):
    """A convolution, batch norm and pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.pool = nn.MaxPool2d(2)
        self.out = nn.Linear(4, 3)

    def forward(self, image: Tensor) -> Tensor:
        features = self.pool(torch.relu(self.norm(self.conv(image))))
        return self.out(nn.functional.adaptive_avg_pool2d(features, 1).flatten(1))


class Residual(nn.Module):
    """Depthwise and pointwise convolutions, added to what they were given."""

    def __init__(self) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False)
        self.pointwise = nn.Conv2d(4, 4, 1)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        return x + nn.functional.silu(self.norm(self.pointwise(self.depthwise(x))))


class Upsampling(nn.Module):
    """Transposed convolutions of one and two dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(2, 3, 4, stride=2, padding=1)
        self.along = nn.ConvTranspose1d(3, 1, 2, dilation=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.along(self.up(x).flatten(2))


class Pixels(nn.Module):
    """Bytes of an image, normalised by constants."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.5, 0.4, 0.3]).view(1, 3, 1, 1))
        self.conv = nn.Conv2d(3, 2, 3)

    def forward(self, image: Tensor) -> Tensor:
        scaled = (image.to(torch.float32) / 255 - self.get_buffer("mean")) * 4
        return self.conv(scaled).mean((2, 3))


class Resampling(nn.Module):
    """Interpolates up and down, pads, and samples at places."""

    def forward(self, image: Tensor, places: Tensor) -> Tensor:
        up = nn.functional.interpolate(image, scale_factor=2.0, mode="bilinear")
        down = nn.functional.interpolate(up, size=(5, 6), mode="nearest")
        padded = nn.functional.pad(down, (1, 2, 0, 1), mode="reflect")
        return nn.functional.grid_sample(padded, places, align_corners=False)


class TrainedNorm(nn.Module):
    """Batch norm in training mode, which learns of each request."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x)


class ChannelsLast(nn.Module):
    """Weights and images with the channels last, and a result that is so, too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)

    def forward(self, image: Tensor) -> Tensor:
        return self.conv(image.contiguous(memory_format=torch.channels_last)) * 2


B0 = ({0: BATCH},)

IMAGES = (
    ZooModel("conv", ConvNet, positional(normal(-1, 3, 16, 16)), B0, (2, 1, 3), tolerance=1e-5),
    ZooModel(
        "conv_of_any_size",
        ConvNet,
        positional(lambda size: torch.randn(2, 3, 8 * size, 8 * size + 4)),
        ({2: torch.export.Dim("height", min=8), 3: torch.export.Dim("width", min=8)},),
        (2, 1, 4),
        tolerance=1e-5,
    ),
    ZooModel(
        "core_operators",
        ConvNet,
        positional(normal(-1, 3, 16, 16)),
        B0,
        (2, 1, 3),
        decomposes=True,
        tolerance=1e-5,
    ),
    ZooModel("residual", Residual, positional(normal(-1, 4, 6, 5)), B0, (2, 1), tolerance=1e-5),
    ZooModel("upsampling", Upsampling, positional(normal(-1, 2, 4, 3)), B0, (2, 1), tolerance=1e-5),
    ZooModel(
        "pixels",
        Pixels,
        positional(lambda size: whole(256, -1, 3, 8, 8)(size).to(torch.uint8)),
        B0,
        (2, 1, 5),
        tolerance=1e-5,
    ),
    ZooModel(
        "resampling",
        Resampling,
        positional(normal(-1, 2, 4, 4), lambda size: torch.rand(size, 3, 3, 2) * 2 - 1),
        ({0: BATCH}, {0: BATCH}),
        (2, 1, 3),
        tolerance=1e-5,
    ),
    ZooModel(
        "trained_norm",
        TrainedNorm,
        positional(normal(-1, 3)),
        ({0: torch.export.Dim("batch", min=2, max=64)},),
        (4, 2),
        trains=True,
        counts=True,
    ),
    ZooModel(
        "core_trained_norm",
        TrainedNorm,
        positional(normal(4, 3)),
        sizes=(4,),
        trains=True,
        counts=True,
        decomposes=True,
    ),
    ZooModel(
        "channels_last", ChannelsLast, positional(normal(-1, 3, 6, 4)), B0, (2, 1), tolerance=1e-5
    ),
)
