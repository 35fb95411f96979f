"""Bodies, tensors and models of the benchmarks, made once and outside of any timing."""

import json

import numpy as np
import torch
from torch import nn

IMAGE_SHAPE = (1, 3, 224, 224)
RNG = np.random.default_rng(0)

IMAGE = RNG.random(IMAGE_SHAPE)  # float64: 17 digits as text
IMAGE_BODY = json.dumps(
    [{"type": "tensor", "shape": list(IMAGE_SHAPE), "value": IMAGE.ravel().tolist()}]
).encode()
RESULT = torch.from_numpy(RNG.standard_normal(IMAGE.size).astype(np.float32))

FEATURES = RNG.standard_normal((1, 16)).astype(np.float32)
SMALL_BODY = json.dumps(
    [{"type": "tensor", "shape": [1, 16], "value": FEATURES.ravel().tolist()}]
).encode()
SMALL_RESULT = torch.from_numpy(RNG.standard_normal((1, 4)).astype(np.float32))


def element(data_type: torch.dtype, texts: list[str]) -> tuple[bytes, torch.Tensor]:
    """A body with numbers of one data type, and the tensor that it must give."""
    name = str(data_type).removeprefix("torch.")
    body = f'{{"type":"tensor","data_type":"{name}","value":[{",".join(texts)}]}}'.encode()
    exact = torch.int64 if not data_type.is_floating_point else torch.float64
    numbers = torch.tensor([json.loads(text) for text in texts], dtype=exact)
    return body, numbers.to(data_type)


def integers(low: int, high: int) -> list[str]:
    return [str(number) for number in RNG.integers(low, high, IMAGE.size, dtype=np.int64)]


DIGITS_17 = [repr(number) for number in IMAGE.ravel().tolist()]
# name -> (body, tensor)
ELEMENTS = {
    "float32, 17 digits": element(torch.float32, DIGITS_17),
    "float64, 17 digits": element(torch.float64, DIGITS_17),
    "float16, 17 digits": element(torch.float16, DIGITS_17),
    "bfloat16, 17 digits": element(torch.bfloat16, DIGITS_17),
    "float32, shortest": element(
        torch.float32, [str(number) for number in IMAGE.ravel().astype(np.float32)]
    ),
    "float32, 4 digits": element(torch.float32, [f"{number:.4f}" for number in IMAGE.ravel()]),
    "uint8": element(torch.uint8, integers(0, 1 << 8)),
    "int32": element(torch.int32, integers(-1 << 31, 1 << 31)),
    "int64, 0 to 50,000": element(torch.int64, integers(0, 50_000)),
    "int64": element(torch.int64, integers(-1 << 63, (1 << 63) - 1)),
}


def floats() -> dict[str, torch.Tensor]:
    """float32 of several distributions, typical and untypical of results."""
    patterns = RNG.integers(0, 1 << 32, IMAGE.size, dtype=np.uint32)
    patterns &= ~np.uint32(1 << 23)  # neither infinite nor NaN
    numbers = {
        "normal": RESULT.numpy(),
        "uniform": RNG.random(IMAGE.size),
        "0 to 999": RNG.integers(0, 1000, IMAGE.size),
        "1e-8 to 1e-1": 10 ** RNG.uniform(-8, -1, IMAGE.size),
        "bit patterns": patterns.view(np.float32),
    }
    return {
        f"float32, {name}": torch.from_numpy(array.astype(np.float32))
        for name, array in numbers.items()
    }


# name -> tensor
RESULTS = {
    **floats(),
    "float16, normal": RESULT.to(torch.float16),
    "bfloat16, normal": RESULT.to(torch.bfloat16),
    "float64, normal": torch.from_numpy(RNG.standard_normal(IMAGE.size)),
    "bool": RESULT > 0,
    **{name: numbers for name, (_, numbers) in ELEMENTS.items() if "int" in name},
}


def mlp() -> torch.jit.ScriptModule:
    """16 -> 64 -> 4: so small that the server's overhead shows."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 4))
    return torch.jit.script(layers.eval())


class Encoder(nn.Module):
    """A text classifier: six layers of a transformer over 32 tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(1000, 256)
        layer = nn.TransformerEncoderLayer(256, 4, 512, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 6)
        self.out = nn.Linear(256, 10)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.out(self.layers(self.embedding(tokens)).mean(1))


def transformer() -> torch.jit.ScriptModule:
    torch.manual_seed(0)
    return torch.jit.script(Encoder().eval())


TOKENS_BODY = json.dumps(
    [
        {
            "type": "tensor",
            "shape": [1, 32],
            "data_type": "int64",
            "value": RNG.integers(0, 1000, 32).tolist(),
        }
    ]
).encode()


def conv() -> torch.jit.ScriptModule:
    """One convolution over an image: about the least work for that body."""
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 10),
    )
    return torch.jit.script(layers.eval())
