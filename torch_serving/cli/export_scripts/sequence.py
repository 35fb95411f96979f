"""A model of sequences: what was so far -> what comes next, and a state to go on from."""

# %% the model
import torch
from torch import Tensor, nn

FEATURES, HIDDEN = 2, 16


class Forecaster(nn.Module):
    """Stands for yours. A client sends the state that it got before, or zeros at first."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(FEATURES, HIDDEN)
        self.next = nn.Linear(HIDDEN, FEATURES)

    def forward(self, step: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Take float32 of [batch, features] and [batch, hidden]."""
        state = self.cell(step, state)
        return self.next(state), state


model = Forecaster()
# model.load_state_dict(torch.load("weights.pth", weights_only=True))  # those that you trained
model.eval()


# %% .pt: TorchScript, which may loop over all steps of a request
class Sequences(nn.Module):
    def __init__(self, forecaster: Forecaster) -> None:
        super().__init__()
        self.forecaster = forecaster

    def forward(self, steps: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Take float32 of [batch, time, features] and [batch, hidden]."""
        forecast = steps[:, -1]
        for step in steps.unbind(1):
            forecast, state = self.forecaster(step, state)
        return forecast, state


torch.jit.script(Sequences(model)).save("sequence.pt")

# %% .pt2: an exported program of one step, which tells the server its types and shapes
from torch.export import Dim, export, save

batch = {0: Dim("batch", min=1, max=64)}
example = torch.zeros(2, FEATURES), torch.zeros(2, HIDDEN)
save(export(model, example, dynamic_shapes={"step": batch, "state": batch}), "sequence.pt2")
