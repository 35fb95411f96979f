"""Every setting of one model, said once: the keys of the TOML file beside it."""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from torch_serving.setting import setting
from torch_serving.tensor_constraint import TensorConstraint

MAX_MAX_BATCH = 65536
MAX_IDENTIFIER_BYTES = 4096  # of UTF-8: no system opens a longer path

key = partial(setting, "model", "")


class WarmUp(NamedTuple):
    """A request that is run when its model is loaded; `source` is its file, and line."""

    source: str
    body: bytes


class DeclaredTensor(NamedTuple):
    """A tensor of a request that is declared; `source` is the file, and line.

    `method` is empty for the main one. `path` leads to the tensor, as in `features.user_id`.
    """

    source: str
    method: str
    path: str
    constraint: TensorConstraint


def is_module_name(text: str) -> bool:
    """Whether a text can be the full name of a Python module."""
    return all(part.isidentifier() for part in text.split("."))


@dataclass(frozen=True)
class ModelConfig:
    """How one model is served; the keys of its TOML file."""

    device: str | None = key(
        None,
        "text",
        "where the model runs unless a request says otherwise",
        default_text="`--device`",
    )
    batch: bool | None = key(
        None,
        "switch",
        "the first dimension is a batch: requests that wait run as one",
        default_text="as `--batch` says, or as an exported program tells",
    )
    max_batch: int = key(
        32, "batch_size", "the most rows of one batch", default_text="`--max-batch`"
    )
    stateful: bool | None = key(
        None,
        "switch",
        "the model keeps something from one run to the next: its requests run one at a time",
        more="Each worker keeps its own. `false`: they need not wait for each other.",
        default_text="seen in the model",
    )
    grad: bool | None = key(
        None,
        "switch",
        "the model differentiates: it runs with gradients",
        default_text="seen in the model",
    )
    freeze: bool = key(
        False, "switch", "`torch.jit.freeze`", more="Needs a warm-up request to check it."
    )
    optimize: bool = key(
        False, "switch", "`torch.jit.optimize_for_inference`, after freezing", more="Needs one too."
    )
    tf32: bool = key(
        False,
        "switch",
        "on a graphics card: round `float32` to TF32 before it is multiplied",
        default_text="as `--tf32` says",
    )
    imports: tuple[str, ...] = setting(
        "model",
        "import",
        (),
        "modules",
        'Python modules with operators that the model uses, as in `["torchvision"]`',
        more="They are imported before it is loaded. Nothing below the model root is.",
    )
    warmup: tuple[WarmUp, ...] = key(
        (),
        "requests",
        "requests that are run when the model is loaded",
        more="Each is a body: a string with its JSON, or TOML's own tables and arrays.",
    )
    graphs: bool = key(
        True,
        "switch",
        "on a graphics card: capture the method as CUDA graphs, and replay them",
        more="Only where a graph can hold it, and gives the same results.",
    )
    input: tuple[DeclaredTensor, ...] = key(
        (),
        "tables",
        "data types and shapes of the arguments of `forward`",
        more="See [arguments](#types-and-shapes-of-arguments).",
    )
    method: tuple[DeclaredTensor, ...] = key(
        (), "tables", "the same for other methods, as in `[method.encode.input.ids]`"
    )

    batch_by_flag: bool = False  # whether `--batch` names the model

    def declared(self, method: str, is_main: bool) -> list[DeclaredTensor]:
        """What is declared of the tensors of a method."""
        own = [each for each in self.method if each.method == method]
        return [*self.input, *own] if is_main else own
