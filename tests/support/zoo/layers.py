"""Layers as most models have them: dense, recurrent, attention, embeddings, norms, odd weights."""

import torch
from torch import Tensor, nn

from tests.support.zoo.model import BATCH, ZooModel, normal, positional, whole


class Encoder(nn.Module):
    """Token ids to classes, by attention with an additive mask."""

    def __init__(self, width: int = 16, heads: int = 2, layers: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, width)
        layer = nn.TransformerEncoderLayer(width, heads, 2 * width, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.out = nn.Linear(width, 3)

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(self.layers(self.embedding(ids)).mean(1))


class Attention(nn.Module):
    """Scaled dot products over heads, masked causally."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(8, 24)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, _ = x.shape
        heads = self.project(x).view(batch, length, 3, 2, 4).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(*heads.unbind(0), is_causal=True)
        return mixed.transpose(1, 2).reshape(batch, length, 8)


class EmbeddingBag(nn.Module):
    """Bags of ids, told by where each begins."""

    def __init__(self) -> None:
        super().__init__()
        self.bags = nn.EmbeddingBag(30, 4, mode="mean")

    def forward(self, ids: Tensor, offsets: Tensor) -> Tensor:
        return self.bags(ids, offsets)


class Recurrent(nn.Module):
    """An LSTM and a GRU; the last states are results, too."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(6, 5, num_layers=2, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(10, 4, batch_first=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y, (_, cells) = self.lstm(x)
        y, hidden = self.gru(y)
        return y, hidden, cells


class Norms(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.group = nn.GroupNorm(2, 6)
        self.instance = nn.InstanceNorm1d(6, affine=True)
        self.layer = nn.LayerNorm(5)
        self.root = nn.RMSNorm(5)

    def forward(self, x: Tensor) -> Tensor:
        return self.root(self.layer(self.instance(self.group(x))))


class Activations(nn.Module):
    """Every argument of these operators is a number or a word in the file."""

    def forward(self, x: Tensor) -> Tensor:
        y = nn.functional.gelu(x, approximate="tanh") + nn.functional.leaky_relu(x, 0.1)
        y = nn.functional.softplus(y, beta=2, threshold=10) * nn.functional.hardtanh(x, -2.0, 2.0)
        return nn.functional.log_softmax(torch.clamp(y, min=-3, max=float("inf")), -1)


class SharedWeights(nn.Module):
    """One matrix embeds and projects, and a view of it is a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(12, 6)
        self.out = nn.Linear(6, 12, bias=False)
        self.out.weight = self.embedding.weight
        self.register_buffer("first", self.embedding.weight.detach()[:1])

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(self.embedding(ids) + self.get_buffer("first"))


class StridedWeight(nn.Module):
    """A transposed weight, every second row of a matrix, a row for all, and a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, 7).t())
        self.register_buffer("second", torch.randn(10, 4)[::2])
        self.register_buffer("same", torch.randn(1, 4).expand(3, 4))

    def forward(self, x: Tensor) -> Tensor:
        y = x @ self.weight @ self.get_buffer("second") + self.get_buffer("same")[0]
        return y * torch.tensor([1.0, 2.0, 3.0, 4.0])


class EightBits(nn.Module):
    """Weights of 8 bits with a scale for each row."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.randint(-127, 128, (4, 8)).to(torch.int8))
        self.register_buffer("scale", torch.rand(4) / 100)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.get_buffer("weight").float() * self.get_buffer("scale")[:, None]
        return nn.functional.linear(x, weight)


class EightBitProduct(nn.Module):
    """Rows are quantised as they come; the product is one of integers."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.randint(-127, 128, (32, 16)).to(torch.int8))

    def forward(self, x: Tensor) -> Tensor:
        scale = x.abs().amax(1, keepdim=True) / 127
        rows = torch.round(x / scale).clamp(-127, 127).to(torch.int8)
        return torch._int_mm(rows, self.get_buffer("weight")).float() * scale


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 4))


def narrow(data_type: torch.dtype) -> nn.Module:
    return nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2)).to(data_type)


B0 = ({0: BATCH},)

LAYERS = (
    ZooModel("mlp", mlp, positional(normal(-1, 16)), B0, (2, 1, 5, 64)),
    ZooModel("encoder", Encoder, positional(whole(50, -1, 7)), B0, (2, 1, 6)),
    ZooModel(
        "attention",
        Attention,
        positional(lambda size: torch.randn(size, size + 3, 8)),
        ({0: BATCH, 1: torch.export.Dim("length", min=2, max=32)},),
        (2, 1, 9),
    ),
    ZooModel(
        "embedding_bag",
        EmbeddingBag,
        positional(whole(30, 9), lambda size: torch.arange(size)),
        ({}, {0: torch.export.Dim("bags", min=1, max=9)}),
        (4, 1, 9),
    ),
    ZooModel("recurrent", Recurrent, positional(normal(-1, 4, 6)), B0, (2, 1, 5)),
    ZooModel("norms", Norms, positional(normal(-1, 6, 5)), B0, (2, 1, 7)),
    ZooModel("activations", Activations, positional(normal(-1, 5)), B0, (3, 1, 8)),
    ZooModel("shared_weights", SharedWeights, positional(whole(12, -1)), B0, (4, 1, 12)),
    ZooModel("strided_weight", StridedWeight, positional(normal(-1, 7)), B0, (3, 1, 6)),
    ZooModel("eight_bits", EightBits, positional(normal(-1, 8)), B0, (2, 1, 17)),
    ZooModel("eight_bit_product", EightBitProduct, positional(normal(24, 32)), sizes=(24,)),
    ZooModel(
        "float16",
        lambda: narrow(torch.float16),
        positional(lambda size: torch.randn(size, 8).half()),
        B0,
        (2, 1, 9),
        tolerance=1e-2,
    ),
    ZooModel(
        "bfloat16",
        lambda: narrow(torch.bfloat16),
        positional(lambda size: torch.randn(size, 8).bfloat16()),
        B0,
        (2, 1, 9),
        tolerance=2e-2,
    ),
    ZooModel(
        "float64",
        lambda: narrow(torch.float64),
        positional(lambda size: torch.randn(size, 8).double()),
        B0,
        (2, 1, 9),
    ),
)
