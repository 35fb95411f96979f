"""An image classifier: pictures of any size -> how likely each label is."""

# %% the model
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

LABELS = ["cat", "dog", "bird"]


class Classifier(nn.Module):
    """Stands for yours: float32 of [batch, 3, 64, 64] -> scores of [batch, labels]."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        self.scores = nn.Linear(16, len(LABELS))

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.scores(self.features(image))
        return scores


class Prepared(nn.Module):
    """Resizes and scales pictures in the model, so that clients send them as they are."""

    side: Final[int] = 64

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:  # uint8 of [batch, 3, height, width]
        resized = functional.interpolate(
            image / 255, size=[self.side, self.side], mode="bilinear", antialias=True
        )
        probabilities: Tensor = self.classifier((resized - self.mean) / self.std).softmax(1)
        return probabilities


classifier = Classifier()
# classifier.load_state_dict(torch.load("weights.pth", weights_only=True))  # those that you trained
model = Prepared(classifier).eval()  # `eval`: dropout and batch normalisation as for serving


# %% .pt: TorchScript, which may give text
class Labelled(nn.Module):
    def __init__(self, prepared: Prepared, labels: list[str]) -> None:
        super().__init__()
        self.prepared = prepared
        self.labels = labels

    def forward(self, image: Tensor) -> list[dict[str, float]]:
        if image.dim() == 3:  # one picture, sent without "batch": true
            image = image.unsqueeze(0)
        answers: list[dict[str, float]] = []
        for row in self.prepared(image):
            answers.append({label: float(p) for label, p in zip(self.labels, row)})
        return answers


torch.jit.script(Labelled(model, LABELS)).save("image.pt")

# %% .pt2: an exported program, which tells the server its types and shapes
from torch.export import Dim, export, save

example = torch.zeros(2, 3, 48, 80, dtype=torch.uint8)
sizes = {0: Dim("batch", min=1, max=32), 2: Dim("height", min=16), 3: Dim("width", min=16)}
save(export(model, (example,), dynamic_shapes={"image": sizes}), "image.pt2")
