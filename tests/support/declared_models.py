"""Models with declarations beside them."""

from pathlib import Path
from typing import Any

from tests.support.servables import scripted
from torch_serving.model_config import ModelConfig
from torch_serving.models.loader import load
from torch_serving.models.placement import CPU
from torch_serving.models.servable import Servable
from torch_serving.models.settings import read_model_config

EMBEDDING = "torch.nn.functional.embedding(ids, torch.ones(9, 2))"
# name -> arguments, result, body, and TOML
MODELS = {
    "ids.pt": (
        "ids: Tensor, mask: Tensor, o: Optional[Tensor] = None",
        "Tensor",
        f"return {EMBEDDING} * mask.unsqueeze(-1)",
        '[input.ids]\ndata_type = "int64"\nshape = [-1, "n"]\n'
        '[input.mask]\ndata_type = "bool"\nshape = [-1, "n"]\n'
        '[input.o]\ndata_type = "int8"',
    ),
    "rows.pt": (
        "x: Tensor",
        "Tensor",
        "return x @ torch.ones(4, 2)",
        '[input.x]\ndata_type = "float32"\nshape = [{min = 1, max = 3}, 4]',
    ),
    "image.pt": (
        "x: Tensor",
        "Tensor",
        "return torch.nn.functional.conv2d(x, torch.ones(1, 3, 20, 20))",
        '[input.x]\ndata_type = "float32"\nshape = [-1, 3, "h", "w"]',
    ),
    "scalar.pt": ("x: Tensor", "Tensor", "return x", '[input.x]\ndata_type = "int8"\nshape = []'),
    "shape.pt": ("x: Tensor", "Tensor", "return x", "[input.x]\nshape = [2]"),
    "type.pt": ("x: Tensor", "Tensor", "return x", '[input.x]\ndata_type = "float64"'),
    "complex.pt": (
        "x: Tensor",
        "Tensor",
        "return x",
        '[input.x]\ndata_type = "complex64"\nshape = [2, -1]',
    ),
    "dict.pt": (
        "d: Dict[str, Tensor]",
        "Tensor",
        "return d['user'] + d['item']",
        '[input.d.user]\ndata_type = "int64"\nshape = ["n"]\n'
        '[input.d.item]\ndata_type = "int64"\nshape = ["n"]',
    ),
    "list.pt": (
        "l: List[Tensor]",
        "Tensor",
        "return torch.stack(l)",
        '[input."l.*"]\ndata_type = "int8"\nshape = [2, "n"]',
    ),
    "pair.pt": (
        "t: Tuple[Tensor, int]",
        "Tensor",
        "return t[0]",
        '[input."t.0"]\ndata_type = "int16"\nshape = [1]',
    ),
}


def save(folder: Path) -> None:
    for name, (arguments, result, body, toml) in MODELS.items():
        scripted(arguments, result, body).save(folder / name)
        (folder / name).with_suffix(".toml").write_text(toml)


def loaded(path: Path) -> Servable:
    return load(path, CPU, read_model_config(path, ModelConfig()))


def tensor_like(value: Any, **members: Any) -> dict[str, Any]:
    return {"type": "tensor", "value": value, **members}
