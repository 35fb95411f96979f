"""Operators on numbers and places: products, transforms, sorting, indices, sums, sizes."""

import torch
from torch import Tensor, nn

from tests.support.zoo.model import BATCH, ZooModel, normal, positional, whole


class Einsum(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.einsum("bij,bjk->bik", x, y) + torch.einsum("bii->b", x)[:, None, None]


class Spectrum(nn.Module):
    """A filter of frequencies: complex numbers inside, real ones outside."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filter", torch.randn(5, dtype=torch.complex64))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        spectrum = torch.fft.rfft(x) * self.get_buffer("filter") * (1 + 2j)
        return torch.fft.irfft(spectrum, n=8), spectrum.abs()


class Sorting(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        values, places = torch.topk(x, 3)
        ordered, _ = torch.sort(x, descending=True, stable=True)
        return values, places, ordered + torch.argsort(x).float()


class Indices(nn.Module):
    """Gathers, scatters, puts and masks."""

    def forward(self, x: Tensor, places: Tensor) -> Tensor:
        y = torch.gather(x, 1, places)
        y = torch.zeros_like(x).scatter_add(1, places, y)
        y[:, 0] = 1.0
        y = y.index_put((torch.tensor([0]),), torch.tensor(2.0), accumulate=True)
        return torch.where(y > 1, y, x).masked_fill(x > 1, -1.0)


class Sums(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        running = torch.cumsum(x, 1) + torch.cummax(x, 1).values
        return running - x.logsumexp(1, keepdim=True) + x.var(1, keepdim=True, correction=0)


class Mask(nn.Module):
    """A mask of truths and a tensor without dimensions."""

    def forward(self, x: Tensor, mask: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        return x.masked_fill(~mask, 0.0) * scale, mask.any(1)


class Sizes(nn.Module):
    """New tensors whose sizes follow from those of the argument."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        count = x.shape[0]
        steps = torch.arange(count, device=x.device, dtype=torch.float32) / (count + 1)
        table = torch.full((count, 2 * count + 1), count // 2, dtype=torch.int64)
        return x.reshape(-1) * x.new_ones(count * 4), table + steps[:, None].long()


class Halves(nn.Module):
    """The dimension is even: two halves are added."""

    def forward(self, x: Tensor) -> Tensor:
        half = x.shape[0] // 2
        return x[:half] + x[half:]


class Twice(nn.Module):
    """The second argument is twice as long as the first."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.cat((x, x)) * y


class Shifted(nn.Module):
    """The second argument is longer by one."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y[1:] - y[:-1]


class OneSymbol(nn.Module):
    """Two arguments that must be of one length; the dimension is found by the export."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x @ y


class DataTypes(nn.Module):
    """Numbers of many types in and out."""

    def forward(self, x: Tensor, n: Tensor, b: Tensor) -> tuple[Tensor, ...]:
        y = x.to(torch.int32) + n
        return y, y.double(), torch.bitwise_and(b, 7), (x > 0) ^ (n > 3), x.bfloat16()


class MixedRows(nn.Module):
    """Rows that are moved by the mean of all of them: its requests can't run as one."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0)


class Complex(nn.Module):
    """Complex numbers in and out."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * x.conj(), torch.view_as_real(x)


class Strides(nn.Module):
    """Views that are no rows: of the argument, and of what was computed."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y = x * 2
        return x.t(), y[:, ::2], y.flip(1).as_strided((2, 2), (1, 2))


class Derivative(nn.Module):
    """A number that is a result, too, and no batch at all."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.sum(), torch.linalg.norm(x).reshape(())


class SizesAsNumbers(nn.Module):
    """Sizes become floats, roots, minima and choices."""

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, int]:
        rows, columns = x.shape[0], y.shape[0]
        scaled = x * (1 / rows) + torch._sym_sqrt(rows) - torch.sym_float(columns)
        least = torch.sym_min(rows, columns) + torch.sym_max(rows, 3) - rows % 2
        return scaled.repeat(1, 2), least


class Lists(nn.Module):
    """Operators that take and give lists of tensors, with holes."""

    def forward(self, x: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        first, second, third = x.chunk(3, 1)
        left, right = torch.split(x, [1, 5], 1)
        grid = torch.meshgrid(places, places, indexing="ij")
        chosen = x[:, places] + x[:, :, None][:, places, 0]
        return torch.cat((first, second + third, left, right), 1), chosen.sum() + torch.stack(grid)


length = torch.export.Dim("length", min=1, max=16)
B = {0: BATCH}

NUMBERS = (
    ZooModel("einsum", Einsum, positional(normal(-1, 3, 3), normal(-1, 3, 2)), (B, B), (2, 1, 4)),
    ZooModel("spectrum", Spectrum, positional(normal(-1, 8)), (B,), (2, 1, 5), tolerance=1e-5),
    ZooModel("sorting", Sorting, positional(normal(-1, 6)), (B,), (2, 1, 4)),
    ZooModel(
        "indices",
        Indices,
        positional(normal(-1, 5), whole(5, -1, 3)),
        (B, B),
        (2, 1, 4),
        mixes_rows=True,
    ),
    ZooModel("sums", Sums, positional(normal(-1, 6)), (B,), (2, 1, 4)),
    ZooModel(
        "mask",
        Mask,
        positional(
            normal(-1, 4), lambda size: torch.rand(size, 4) > 0.5, lambda _: torch.tensor(3.0)
        ),
        (B, B, {}),
        (2, 1, 4),
    ),
    ZooModel("sizes", Sizes, positional(normal(-1, 4)), (B,), (3, 1, 7)),
    ZooModel(
        "halves",
        Halves,
        positional(lambda size: torch.randn(2 * size, 3)),
        ({0: 2 * length},),
        (3, 2, 5),
    ),
    ZooModel(
        "twice",
        Twice,
        positional(normal(-1), lambda size: torch.randn(2 * size)),
        ({0: length}, {0: 2 * length}),
        (3, 1, 16),
    ),
    ZooModel(
        "shifted",
        Shifted,
        positional(normal(-1), lambda size: torch.randn(size + 1)),
        ({0: length}, {0: length + 1}),
        (3, 2, 16),
    ),
    ZooModel(
        "one_symbol",
        OneSymbol,
        positional(normal(2, -1), normal(-1, 3)),
        ({1: torch.export.Dim.AUTO}, {0: torch.export.Dim.AUTO}),
        (4, 2, 9),
    ),
    ZooModel(
        "data_types",
        DataTypes,
        positional(
            normal(-1, 2),
            lambda size: whole(9, -1, 2)(size).to(torch.int32),
            lambda size: whole(256, -1)(size).to(torch.uint8),
        ),
        (B, B, B),
        (2, 1, 4),
    ),
    ZooModel("mixed_rows", MixedRows, positional(normal(-1, 3)), (B,), (3, 1, 5), mixes_rows=True),
    ZooModel(
        "complex",
        Complex,
        positional(lambda size: torch.randn(size, 2, dtype=torch.complex64)),
        (B,),
        (2, 1, 4),
    ),
    ZooModel(
        "sizes_as_numbers",
        SizesAsNumbers,
        positional(normal(-1, 2), lambda size: torch.randn(size + 2)),
        ({0: BATCH}, {0: length}),
        (3, 2, 7),
    ),
    ZooModel("lists", Lists, positional(normal(-1, 6), whole(6, 2)), (B, {}), (2, 1, 4)),
    ZooModel("strides", Strides, positional(normal(3, 4))),
    ZooModel("derivative", Derivative, positional(normal(-1, 2)), (B,), (3, 1, 5)),
)
