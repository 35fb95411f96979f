"""A model of a table: rows of numbers and a category -> a prediction for each."""

# %% the model
import torch
from torch import Tensor, nn

COLUMNS = ["age", "height", "weight"]
CATEGORIES = ["north", "south", "east", "west"]


class Regressor(nn.Module):
    """Stands for yours. It scales the numbers by itself, so that clients send them as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([40.0, 170.0, 70.0]))
        self.register_buffer("std", torch.tensor([15.0, 10.0, 12.0]))
        self.category = nn.Embedding(len(CATEGORIES), 4)
        self.layers = nn.Sequential(nn.Linear(len(COLUMNS) + 4, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, numbers: Tensor, category: Tensor) -> Tensor:
        """Take float32 of [batch, columns] and int64 of [batch]."""
        scaled = (numbers - self.mean) / self.std
        category = self.category(category.long())  # JSON's numbers are float32 to a .pt file
        predicted: Tensor = self.layers(torch.cat([scaled, category], 1)).squeeze(1)
        return predicted


model = Regressor()
# model.load_state_dict(torch.load("weights.pth", weights_only=True))  # those that you trained
model.eval()

# %% .pt: TorchScript
torch.jit.script(model).save("tabular.pt")

# %% .pt2: an exported program, which tells the server its types and shapes
from torch.export import Dim, export, save

example = torch.tensor([[31.0, 182.0, 77.0], [54.0, 165.0, 61.0]]), torch.tensor([0, 3])
batch = {0: Dim("batch", min=1, max=1024)}
save(export(model, example, dynamic_shapes={"numbers": batch, "category": batch}), "tabular.pt2")
