"""Models that compute while they are loaded, as one may that unpacks its weights."""

from pathlib import Path

import torch

FOR_EVER = 1 << 60


class Adding(torch.nn.Module):
    """Counts, without an operator of torch."""

    turns: int

    def __init__(self, turns: int) -> None:
        super().__init__()
        self.turns = turns
        self.training = False

    @torch.jit.export
    def __getstate__(self) -> tuple[int, bool]:
        return (self.turns, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[int, bool]) -> None:
        total = 0
        for turn in range(state[0]):
            total += turn % 7
        self.turns = state[0] if total >= 0 else total
        self.training = state[1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


class Multiplying(Adding):
    """Multiplies matrices."""

    @torch.jit.export
    def __setstate__(self, state: tuple[int, bool]) -> None:
        product = torch.ones(50, 50)
        for _ in range(state[0]):
            product = torch.mm(product, product) * 1e-3
        self.turns = state[0]
        self.training = state[1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def save_slow(path: Path, turns: int = FOR_EVER, kind: type[torch.nn.Module] = Adding) -> None:
    """Save a model whose loading takes so many turns."""
    torch.jit.script(kind(turns)).save(path)
