"""The models that the tests serve, and the files that are none."""

import os
from pathlib import Path

import torch

# file name -> the signature of `forward`, and its body
SOURCES = {
    "echo.pt": ("x: Tensor", "Tensor", "return x"),
    "two.pt": ("x: Tensor, y: Tensor", "Tensor", "return x - y"),
    "default.pt": ("x: Tensor, n: int = 2", "Tensor", "return x * n"),
    "int.pt": ("n: int", "int", "return n"),
    "float.pt": ("f: float", "float", "return f"),
    "bool.pt": ("b: bool", "bool", "return b"),
    "str.pt": ("s: str", "str", "return s"),
    "list.pt": ("d: List[Tensor]", "List[Tensor]", "return d"),
    "ints.pt": ("d: List[int]", "List[int]", "return d"),
    "lists.pt": ("d: List[List[int]]", "List[List[int]]", "return d"),
    "tuple.pt": ("t: Tuple[Tensor, int]", "Tuple[Tensor, int]", "return t"),
    "pair.pt": ("t: Tuple[int, str]", "Tuple[str, int]", "return t[1], t[0]"),
    "dict.pt": ("d: Dict[str, int]", "Dict[str, int]", "return d"),
    "tensors.pt": ("d: Dict[str, Tensor]", "Dict[str, Tensor]", "return d"),
    "nothing.pt": ("x: Tensor", "None", "return None"),
    "mixed.pt": (
        "d: List[Tensor], o: Tensor, td: Dict[str, Tensor], n: int, s: str",
        "Tuple[Dict[str, Tuple[List[Tensor], str, int]], str]",
        "return {s: ([d[0] + o, td['t']], s + '!', n + 1)}, s",
    ),
    "slow.pt": (
        "x: Tensor, n: int",
        "Tensor",
        "y = x\n    for _ in range(n):\n        y = torch.sin(y)\n    return x",
    ),
    "wide.pt": (  # row by row, and slow enough for others to wait
        "x: Tensor",
        "Tensor",
        "y = x\n    for _ in range(500):\n        y = torch.sin(y)\n    return x + 1",
    ),
    "crashing.pt": (  # reads far outside of its memory
        "x: Tensor",
        "Tensor",
        "return torch.ops.aten._reshape_alias(x, [1 << 34], [1]).sum()",
    ),
    "optional.pt": (
        "x: Tensor, y: Optional[Tensor] = None",
        "Tensor",
        "return x if y is None else x + y",
    ),
    "anything.pt": ("x: Tensor, a: Any", "Tensor", "return x"),
    "scalars.pt": (
        "n: int, f: float, b: bool, s: str",
        "Tuple[int, float, bool, str]",
        "return n, f, b, s",
    ),
    "lists_of_all.pt": (
        "n: List[int], f: List[float], b: List[bool], s: List[str]",
        "Tuple[List[int], List[float], List[bool], List[str]]",
        "return n, f, b, s",
    ),
    "writing.pt": ("x: Tensor", "Tensor", "return x.add_(1)"),  # into its own input
    "complex.pt": ("x: Tensor", "Tensor", "return torch.complex(x, x)"),
    "generator.pt": ("x: Tensor, g: Generator", "Tensor", "return x"),
    "transposed.pt": ("x: Tensor", "Tensor", "return x.t()"),
    "expanded.pt": ("x: Tensor", "Tensor", "return x.expand(2, 3)"),
    "strided.pt": ("x: Tensor", "Tensor", "return x[::2]"),
    "sum.pt": ("x: Tensor", "Tensor", "return x.sum()"),
    "columns.pt": ("x: Tensor", "Tensor", "return x.sum(0)"),
    "empty.pt": ("x: Tensor", "Tensor", "return x[:0]"),
    "gradient.pt": ("x: Tensor", "Tensor", "return x * torch.tensor([1.0], requires_grad=True)"),
    "sparse.pt": ("x: Tensor", "Tensor", "return x.to_sparse()"),
    "sparse_later.pt": (
        "x: Tensor",
        "Tuple[Tensor, Dict[str, List[Tensor]]]",
        "return x, {'k': [x, x.to_sparse()]}",
    ),
    "quantized.pt": (
        "x: Tensor",
        "Tensor",
        "return torch.quantize_per_tensor(x, 0.5, 0, torch.qint8)",
    ),
    "modes.pt": (
        "x: Tensor",
        "Tuple[bool, bool]",
        "y = x * torch.tensor([1.0], requires_grad=True)\n    return torch.is_grad_enabled(), "
        "y.requires_grad",
    ),
}


class Mlp(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = torch.nn.Linear(16, 64)
        self.out = torch.nn.Linear(64, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(torch.relu(self.hidden(x)))


class Parameter(torch.nn.Module):
    """Gives away its own weight, which asks for a gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([1.5, -2.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weight


class Raising(torch.nn.Module):
    def forward(self, x: torch.Tensor, n: int) -> torch.Tensor:
        if n > 0:
            raise ValueError("it is too cold: " + str(n))
        return torch.mm(x, x)


@torch.jit.script
class Box:
    """No request can hold one, and no response."""

    def __init__(self, size: int) -> None:
        self.size = size


class BoxTaker(torch.nn.Module):
    def forward(self, x: torch.Tensor, box: Box) -> torch.Tensor:
        return x + box.size


class BoxesTaker(torch.nn.Module):
    def forward(self, boxes: dict[str, list[Box]]) -> int:
        return len(boxes)


class BoxGiver(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> Box:
        return Box(x.size(0))


class NoForward(torch.nn.Module):
    """Has exported methods only."""

    @torch.jit.export
    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1

    @torch.jit.export
    def decode(self, x: torch.Tensor) -> torch.Tensor:
        return x - 1


def scripted(arguments: str, result: str, body: str) -> torch.jit.ScriptModule:
    module = type("Model", (torch.jit.ScriptModule,), {})()  # methods belong to the class
    module.define(f"def forward(self, {arguments}) -> {result}:\n    {body}\n")
    return module


def mlp() -> torch.jit.ScriptModule:
    torch.manual_seed(7)
    return torch.jit.script(Mlp().eval())


def save_models(root: Path) -> None:
    (root / "deep" / "er").mkdir(parents=True)
    for name, source in SOURCES.items():
        scripted(*source).save(root / name)
    mlp().save(root / "mlp.pt")
    torch.jit.script(Parameter()).save(root / "parameter.pt")
    torch.jit.script(Raising()).save(root / "raising.pt")
    torch.jit.script(NoForward()).save(root / "no_forward.pt")
    type("NoMethods", (torch.jit.ScriptModule,), {})().save(root / "no_methods.pt")
    torch.jit.script(BoxTaker()).save(root / "box.pt")
    torch.jit.script(BoxesTaker()).save(root / "boxes.pt")
    torch.jit.script(BoxGiver()).save(root / "box_result.pt")
    scripted(*SOURCES["echo.pt"]).save(root / "deep" / "er" / "a b,é&+.pt")


def save_broken_files(root: Path, outside: Path) -> None:
    """Write what no request may open, or what can't be loaded."""
    (root / "void.pt").write_bytes(b"")
    (root / "random.pt").write_bytes(bytes(range(256)) * 40)
    whole = (root / "mlp.pt").read_bytes()
    (root / "cut.pt").write_bytes(whole[: len(whole) * 2 // 3])
    torch.save({"weight": torch.ones(3)}, root / "plain.pt")
    (root / "text.txt").write_text("a text")
    (root / "folder.pt").mkdir()
    os.mkfifo(root / "pipe.pt")
    scripted(*SOURCES["echo.pt"]).save(outside / "secret.pt")
    (root / "inside.pt").symlink_to("echo.pt")
    (root / "outside.pt").symlink_to(outside / "secret.pt")
    (root / "elsewhere").symlink_to(outside)
    (root / "null.pt").symlink_to("/dev/null")
    (root / "dangling.pt").symlink_to("nowhere.pt")


def save_adding(path: Path, amount: int) -> None:
    """Put a model that adds an amount into the place of a file, at once."""
    new = path.with_suffix(".new")
    scripted("x: Tensor", "Tensor", f"return x + {amount}").save(new)
    os.replace(new, path)
