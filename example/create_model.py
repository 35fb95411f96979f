"""Write the example model: a little of everything that a request can hold, and a real load."""

import sys
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

HIDDEN = 10_000


class Example(nn.Module):
    """Sums up what comes in, and sends it through a wide hidden layer."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(3, HIDDEN)
        self.output = nn.Sequential(nn.Linear(HIDDEN, 500), nn.ReLU(), nn.Linear(500, 2))

    def forward(
        self, d: list[Tensor], o: Tensor, td: dict[str, Tensor], n: int, s: str
    ) -> tuple[dict[str, tuple[list[Tensor], str, int]], str]:
        total = o.sum() + torch.stack([tensor.sum() for tensor in d]).sum()
        scores = [self.output(torch.relu(self.hidden(tensor + total))) for tensor in td.values()]
        return {"scores": (scores, s, n + 1)}, s + "!"


def main() -> None:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("model-example.pt"))
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(Example().eval()).save(path)
    print(f"wrote {path} ({path.stat().st_size} bytes)")


if __name__ == "__main__":
    main()
