"""The models of these benchmarks as modules, and their files: TorchScript, program and package."""

import io
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.server.binary import NPY, Message
from benchmarks.support.payloads import RNG, SMALL_BODY

PACKAGES = Path(".benchmarks/packages")  # compiling takes a while: they are kept
FUSED = "TorchScript, fused layers"
KINDS = {
    "TorchScript": "trace.pt",
    FUSED: "fused.pt",
    "program": "program.pt2",
    "package": "package.pt2",
}


class Encoder(nn.Module):
    """Two layers of a transformer over token ids."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(1000, 64)
        layer = nn.TransformerEncoderLayer(64, 4, 256, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(64, 10)

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(self.layers(self.embedding(ids)).mean(1))


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 4))


def conv() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU()),
        *(nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)),
    )


@dataclass(frozen=True)
class Model:
    """A model of one argument, whose first dimension is a batch."""

    name: str
    build: Callable[[], nn.Module]
    example: Tensor
    body: bytes
    headers: dict[str, str]
    has_fused_layers: bool = False

    @property
    def kinds(self) -> list[str]:
        return [kind for kind in KINDS if kind != FUSED or self.has_fused_layers]

    def module(self) -> nn.Module:
        torch.manual_seed(0)
        return self.build().eval()

    def message(self, kind: str) -> Message:
        """A request to this model as one kind of file."""
        target = f"/serve?servable_identifier={self.name}-{KINDS[kind]}"
        return Message(target, self.body, self.headers)

    def save(self, folder: Path, kind: str) -> Path:
        path = folder / f"{self.name}-{KINDS[kind]}"
        if kind.startswith("TorchScript"):
            self.trace(kind == FUSED).save(path)
        elif kind == "program":
            torch.export.save(self.program(), path)
        else:
            shutil.copyfile(self.package(), path)
        return path

    def trace(self, fused: bool) -> torch.jit.ScriptModule:
        """As TorchScript; only eager modules know one operator for a whole layer of an encoder."""
        torch.backends.mha.set_fastpath_enabled(fused)
        try:
            with torch.no_grad():
                return torch.jit.trace(self.module(), self.example, check_trace=False)
        finally:
            torch.backends.mha.set_fastpath_enabled(True)

    def program(self) -> Any:
        batch = torch.export.Dim("batch", min=1, max=64)
        example = self.example.expand(2, *self.example.shape[1:]).clone()
        return torch.export.export(self.module(), (example,), dynamic_shapes=({0: batch},))

    def package(self) -> Path:
        return compiled(self.name, self.program)


def compiled(name: str, program: Callable[[], Any]) -> Path:
    """The file of a program and its package, which is compiled if there is none."""
    path = PACKAGES / f"{name}-{torch.__version__}.pt2"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, f"{name}.pt2")
            torch.export.save(program(), source)
            command = [sys.executable, "-m", "torch_serving", "compile", source, "-o", path]
            subprocess.run(command, check=True)
    return path


def json_body(array: np.ndarray) -> bytes:
    head = {"type": "tensor", "shape": list(array.shape), "data_type": str(array.dtype)}
    return json.dumps([{**head, "value": array.ravel().tolist()}]).encode()


def npy_body(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


IDS = RNG.integers(0, 1000, (1, 32))
PIXELS = RNG.standard_normal((1, 3, 64, 64)).astype(np.float32)
MODELS = (
    Model("mlp", mlp, torch.randn(1, 16), SMALL_BODY, {}),
    Model("encoder", Encoder, torch.from_numpy(IDS), json_body(IDS), {}, has_fused_layers=True),
    Model("conv", conv, torch.from_numpy(PIXELS), npy_body(PIXELS), {"Content-Type": NPY}),
)
