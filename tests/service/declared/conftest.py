"""Models whose tensors are declared, ready to run."""

from pathlib import Path

import pytest
import torch

from tests.support.servables import scripted
from torch_serving.config import Config
from torch_serving.service.runtime import Runtime

MODELS = {
    "ids.pt": (
        ("ids: Tensor, mask: Optional[Tensor] = None", "Tensor", "return ids"),
        '[input.ids]\ndata_type = "int64"\nshape = [-1, "n"]\n'
        '[input.mask]\ndata_type = "bool"\nshape = [-1, "n"]',
    ),
    "row.pt": (
        ("x: Tensor", "Tensor", "return x"),
        '[input.x]\ndata_type = "float32"\nshape = [{min = 1, max = 3}, 4]',
    ),
    "scalar.pt": (("x: Tensor", "Tensor", "return x"), "[input.x]\nshape = []"),
    "complex.pt": (("x: Tensor", "Tensor", "return x"), '[input.x]\ndata_type = "complex64"'),
    "dict.pt": (
        ("d: Dict[str, Tensor]", "Dict[str, Tensor]", "return d"),
        '[input.d.user]\ndata_type = "int64"\n[input."d.*"]\nshape = [2]',
    ),
    "list.pt": (
        ("l: List[Tensor]", "List[Tensor]", "return l"),
        '[input."l.*"]\ndata_type = "int8"\nshape = ["n"]',
    ),
    "pair.pt": (
        ("t: Tuple[Tensor, int]", "Tensor", "return t[0]"),
        '[input."t.0"]\ndata_type = "int16"',
    ),
}


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    folder = tmp_path_factory.mktemp("declared")
    for name, (source, toml) in MODELS.items():
        scripted(*source).save(folder / name)
        (folder / name).with_suffix(".toml").write_text(toml)
    for dtype in (torch.float16, torch.bfloat16, torch.float64, torch.float32):
        module = torch.jit.script(torch.nn.Linear(2, 1).to(dtype))
        module.save(folder / f"{str(dtype).removeprefix('torch.')}.pt")
    mixed = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Linear(1, 1).half())
    torch.jit.trace(mixed[0], torch.zeros(1, 2)).save(folder / "only.pt")
    save_mixed(folder / "mixed.pt")
    return Runtime.build(Config(model_root=folder, device="cpu"))


def save_mixed(path: Path) -> None:
    class Mixed(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = torch.nn.Parameter(torch.zeros(1))
            self.b = torch.nn.Parameter(torch.zeros(1).half())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    torch.jit.script(Mixed()).save(path)
