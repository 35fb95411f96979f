"""What the benchmarks send and expect, made once and apart from any timing."""

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


def mlp() -> torch.jit.ScriptModule:
    """16 -> 64 -> 4: so small that a server's own work shows."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 4))
    return torch.jit.script(layers.eval())


def conv() -> torch.jit.ScriptModule:
    """One convolution over an image: about as little as a model can do with that body."""
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 10),
    )
    return torch.jit.script(layers.eval())
