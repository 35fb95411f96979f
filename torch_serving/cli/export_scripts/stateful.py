"""A model that remembers between requests: each number -> how unusual it is by now."""

# %% the model
import torch
from torch import Tensor, nn


class Monitor(nn.Module):
    """Stands for yours: buffers that `forward` writes are kept by the server, in each process.

    The server sees that, and runs the requests one at a time. Clients share the state: where each
    client needs its own, let the model take and give it (`torch-serving export sequence`).
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("spread", torch.zeros(()))

    def forward(self, value: Tensor) -> Tensor:  # float32 of []
        self.count.add_(1)
        away = value - self.mean
        self.mean.add_(away / self.count)
        self.spread.add_(away * (value - self.mean))
        return away / (self.spread / self.count + 1e-6).sqrt()


model = Monitor().eval()
# model.load_state_dict(torch.load("weights.pth", weights_only=True))  # a state from before

# %% .pt: TorchScript
torch.jit.script(model).save("stateful.pt")

# %% .pt2: an exported program, which tells the server its types and shapes
from torch.export import export, save

save(export(model, (torch.tensor(1.0),)), "stateful.pt2")
