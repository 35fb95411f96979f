"""Export a small model: a program that tells its argument, and takes batches of 1 to 64 rows."""

import sys
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim

MAX_BATCH = 64


def main() -> None:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("mlp.pt2"))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)).eval()
    example = torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])
    batch = Dim("batch", min=1, max=MAX_BATCH)
    program = torch.export.export(model, (example,), dynamic_shapes={"input": {0: batch}})
    torch.export.save(program, path)
    print(f"wrote {path} ({path.stat().st_size} bytes)")


if __name__ == "__main__":
    main()
