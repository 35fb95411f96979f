"""Two small models whose answers people can read, and requests that they take."""

import json
import warnings
from pathlib import Path
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

# Fisher's irises: the mean of each species, and the covariance within them.
SPECIES = ["setosa", "versicolor", "virginica"]
MEANS = [[5.006, 3.428, 1.462, 0.246], [5.936, 2.770, 4.260, 1.326], [6.588, 2.974, 5.552, 2.026]]
COVARIANCE = [
    [0.2650, 0.0927, 0.1675, 0.0384],
    [0.0927, 0.1154, 0.0552, 0.0327],
    [0.1675, 0.0552, 0.1852, 0.0427],
    [0.0384, 0.0327, 0.0427, 0.0419],
]
IRIS_REQUEST = {"flowers": [[5.1, 3.5, 1.4, 0.2], [6.0, 2.7, 5.1, 1.6]]}
COLOURS = {
    "red": [200, 40, 40],
    "green": [60, 150, 60],
    "blue": [50, 80, 190],
    "yellow": [230, 210, 60],
    "black": [25, 25, 25],
    "grey": [128, 128, 128],
    "white": [235, 235, 235],
}
STRIPES = [[[230, 230, 25, 25]] * 2, [[210, 210, 25, 25]] * 2, [[60, 60, 25, 25]] * 2]
PICTURE_REQUEST = {
    "image": {"type": "tensor", "data_type": "uint8", "shape": [3, 2, 4], "value": STRIPES}
}


class Iris(nn.Module):
    """Tells the species of irises by length and width of sepals and petals, in centimetres."""

    def __init__(self) -> None:
        super().__init__()
        means = torch.tensor(MEANS)
        weights = torch.linalg.solve(torch.tensor(COVARIANCE), means.t()).t()
        self.species = SPECIES
        self.scores = nn.Linear(4, len(SPECIES))
        self.scores.weight = nn.Parameter(weights)
        self.scores.bias = nn.Parameter(-(weights * means).sum(1) / 2)

    def forward(self, flowers: Tensor) -> list[dict[str, float]]:
        answers: list[dict[str, float]] = []
        for row in self.scores(flowers).softmax(1):
            answers.append({name: float(p) for name, p in zip(self.species, row)})
        return answers


class Seen(NamedTuple):
    """What is in a picture: its main colour, the share of each, and where it changes."""

    main: str
    shares: dict[str, float]
    edges: Tensor


class Picture(nn.Module):
    """Takes any picture, as [3, height, width] or a batch of one."""

    side: Final[int] = 96  # of what is looked at
    colours: Tensor
    slope: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.names = list(COLOURS)
        self.register_buffer("colours", torch.tensor(list(COLOURS.values())).float())
        self.register_buffer("slope", torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]))

    def forward(self, image: Tensor) -> Seen:
        pixels = self.shrunk(image.reshape(-1, image.size(-2), image.size(-1))[:3].float())
        nearest = torch.cdist(pixels.flatten(1).t(), self.colours).argmin(1)
        shares = torch.bincount(nearest, minlength=len(self.names)) / nearest.numel()
        named = {name: float(share) for name, share in zip(self.names, shares)}
        return Seen(self.names[int(shares.argmax())], named, self.edges(pixels))

    def shrunk(self, image: Tensor) -> Tensor:
        scale = self.side / max(image.size(1), image.size(2))
        if scale >= 1:
            return image
        size = [max(1, int(image.size(1) * scale)), max(1, int(image.size(2) * scale))]
        return functional.interpolate(image[None], size=size, mode="bilinear", antialias=True)[0]

    def edges(self, image: Tensor) -> Tensor:
        grey = functional.pad(image.mean(0)[None, None] / 255, [1, 1, 1, 1], mode="replicate")
        across = functional.conv2d(grey, self.slope[None, None])
        down = functional.conv2d(grey, self.slope.t()[None, None])
        return (across.square() + down.square()).sqrt()[0, 0]


def save_example_models(folder: Path) -> None:
    """Write the models, and beside each a request that warms it up; files that are there stay."""
    for name, module, request in (
        ("iris", Iris(), IRIS_REQUEST),
        ("picture", Picture(), PICTURE_REQUEST),
    ):
        model, warm_up = folder / f"{name}.pt", folder / f"{name}.warmup.json"
        if not model.exists():
            save(module.eval(), model)
        if not warm_up.exists():
            warm_up.write_text(f"{json.dumps(request)}\n")


def save(module: nn.Module, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # all of TorchScript is deprecated
        torch.jit.script(module).save(path)  # type: ignore[no-untyped-call]
