"""A detector: a picture of any size -> boxes in its pixels, their scores and labels."""

# %% the model
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

LABELS = ["person", "car"]


class Detector(nn.Module):
    """Stands for yours: it has a box for each of the best places of a coarse map."""

    stride: Final[int] = 8
    best: Final[int] = 5

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 16, self.stride, stride=self.stride), nn.ReLU())
        self.scores = nn.Conv2d(16, len(LABELS), 1)
        self.sides = nn.Conv2d(16, 2, 1)  # width and height

    def forward(self, image: Tensor) -> dict[str, Tensor]:  # uint8 of [3, height, width]
        features = self.features(image.unsqueeze(0) / 255)
        scores = self.scores(features).sigmoid()[0]
        columns = scores.size(2)
        best, places = scores.flatten().topk(self.best)
        cells = places % (scores.size(1) * columns)
        centres = (
            torch.stack([cells % columns, cells // columns], 1) * self.stride + self.stride / 2
        )
        sides = functional.softplus(self.sides(features))[0].flatten(1)[:, cells].t() * self.stride
        boxes = torch.cat([centres - sides / 2, centres + sides / 2], 1)
        labels = places // (scores.size(1) * columns)
        return {"boxes": boxes, "scores": best, "labels": labels}


model = Detector()
# model.load_state_dict(torch.load("weights.pth", weights_only=True))  # those that you trained
model.eval()


# %% .pt: TorchScript, which takes pictures of several sizes in one request
class Detectors(nn.Module):
    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        return [self.detector(image) for image in images]


torch.jit.script(Detectors(model)).save("detection.pt")

# %% .pt2: an exported program, which tells the server its types and shapes
from torch.export import Dim, export, save

rows, columns = Dim("rows", min=4, max=256), Dim("columns", min=4, max=256)
sizes = {1: 8 * rows, 2: 8 * columns}
example = torch.zeros(3, 64, 96, dtype=torch.uint8)
save(export(model, (example,), dynamic_shapes={"image": sizes}), "detection.pt2")
