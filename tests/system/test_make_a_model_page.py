"""Each message of torch on the page about making models is one that torch really gives."""

import json

import pytest

from tests.support.pages import messages_on, run_files, says

CLASSES = """
import torch
from torch import Tensor, nn

class Number(nn.Module):
    def forward(self, x: Tensor, n=2):
        return x * n

class Range(nn.Module):
    def forward(self, x: Tensor, n):
        for _ in range(n):
            x = x + 1
        return x

class Attribute(nn.Module):
    def __init__(self):
        super().__init__()
        self.sizes = {}
    def forward(self, x: Tensor):
        return x + 1 if self.sizes else x

class Imports(nn.Module):
    def forward(self, x: Tensor):
        import numpy
        return x

class Tries(nn.Module):
    def forward(self, x: Tensor):
        try:
            return x
        except ValueError:
            return x

class Comprehension(nn.Module):
    def forward(self, x: Tensor):
        return [row for row in x.split(1) if row.sum() > 0]

class Keywords(nn.Module):
    def forward(self, x: Tensor, **rest):
        return x

class Indexed(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4)])
    def forward(self, x: Tensor, i: int):
        return self.layers[i](x)

class Branch(nn.Module):
    def forward(self, x: Tensor):
        return x if x.sum() > 0 else -x

class Dictionary(nn.Module):
    def forward(self, x: Tensor):
        return {"x": x}

class Mixed(nn.Module):
    def forward(self, x: Tensor):
        return {"x": x, "n": 1}

class Fixed(nn.Module):
    def forward(self, x: Tensor):
        return x.view(2, 4) + 1

made_elsewhere = {}
exec(
    "from torch import nn\\nclass Here(nn.Module):\\n    def forward(self, x):\\n        return x",
    made_elsewhere,
)
rows = torch.ones(2, 4)
free = torch.export.Dim("batch", min=1, max=64)
"""
ASK = """
def ask(folder: str, statements: list[str]) -> None:
    import json, warnings

    said = {}
    for statement in statements:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                eval(statement)
                said[statement] = ""
            except Exception as error:
                said[statement] = str(error)
            said[statement] += "".join(str(each.message) for each in told)
    with open(f"{folder}/said.json", "w") as file:
        json.dump(said, file)

ask"""
STATEMENTS = {
    "Can't get source for …": 'torch.jit.script(made_elsewhere["Here"]())',
    'Expected a default value of type Tensor (inferred) on parameter "n"': (
        "torch.jit.script(Number())"
    ),
    "all inputs of range must be ints, found Tensor (inferred)": "torch.jit.script(Range())",
    "Module '…' has no attribute '…' (This attribute exists on the Python module, but we failed "
    "to convert Python type": "torch.jit.script(Attribute())",
    "import statements aren't supported": "torch.jit.script(Imports())",
    "try blocks aren't supported": "torch.jit.script(Tries())",
    "Comprehension ifs are not supported yet": "torch.jit.script(Comprehension())",
    "Compiled functions can't take variable number of arguments": "torch.jit.script(Keywords())",
    "Expected integer literal for index": "torch.jit.script(Indexed())",
    "Converting a tensor to a Python boolean might cause the trace to be incorrect": (
        "torch.jit.trace(Branch(), rows)"
    ),
    "Encountering a dict at the output of the tracer might cause the trace to be incorrect": (
        "torch.jit.trace(Dictionary(), rows)"
    ),
    "Tracer cannot infer type of …": "torch.jit.trace(Mixed(), rows)",
    "Could not guard on data-dependent expression": "torch.export.export(Branch(), (rows,))",
    "Constraints violated (batch)!": (
        'torch.export.export(Fixed(), (rows,), dynamic_shapes={"x": {0: free}})'
    ),
    "its top-level keys must be the arg names": (
        'torch.export.export(Fixed(), (rows,), dynamic_shapes={"input": {0: free}})'
    ),
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What torch says to each statement, in a process of its own."""
    folder = tmp_path_factory.mktemp("statements")
    run_files([f"{CLASSES}{ASK}({str(folder)!r}, {list(STATEMENTS.values())!r})"], folder)
    return json.loads((folder / "said.json").read_text())


def test_every_message_of_the_page_is_tried():
    listed = messages_on("docs/recipes/make-a-model.md", "## When it can't be saved")
    assert listed == list(STATEMENTS)


@pytest.mark.parametrize("message", STATEMENTS)
def test_message(message: str, said: dict[str, str]):
    assert says(said[STATEMENTS[message]], message), said[STATEMENTS[message]]
