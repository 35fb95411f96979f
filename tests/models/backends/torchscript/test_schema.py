import io
from enum import Enum
from typing import Any, NamedTuple

import pytest
import torch

from torch_serving.codecs.json._decoder import Decoder
from torch_serving.errors import InvalidServable
from torch_serving.models.backends.torchscript.schema import signature_of


class Point(NamedTuple):
    x: torch.Tensor
    y: torch.Tensor


class Color(Enum):
    RED = 1


@torch.jit.script
class Box:
    def __init__(self, size: int) -> None:
        self.size = size


class Plain(torch.nn.Module):
    def forward(self, x: torch.Tensor, n: int, p: float, flag: bool, name: str) -> torch.Tensor:
        return x


class Defaults(torch.nn.Module):
    def forward(self, x, n: int = 3, name: str = "a", scale: float = 0.5) -> torch.Tensor:
        return x * n * scale

    @torch.jit.export
    def describe(self, names: list[str], long: bool = False) -> str:
        return names[0]


class Nothing(torch.nn.Module):
    def forward(self) -> int:
        return 1


def taking(argument_type):
    """A scripted module whose second argument has this type."""
    globals()["ArgumentType"] = argument_type  # where TorchScript looks for it

    class Module(torch.nn.Module):
        def forward(self, first: torch.Tensor, second: ArgumentType) -> int:  # noqa: F821
            return 1

    return torch.jit.script(Module())


def arguments_of(schema):
    return list(signature_of(schema).arguments)


def described(arguments):
    return [(argument.name, argument.spec.type, argument.required) for argument in arguments]


def kinds_of(spec):
    """The kinds of a spec and its parts, nested."""
    return (spec.kind, *map(kinds_of, spec.parts)) if spec.parts else spec.kind


def test_plain_arguments():
    arguments = arguments_of(torch.jit.script(Plain()).forward.schema)
    assert described(arguments) == [
        ("x", "Tensor", True),
        ("n", "int", True),
        ("p", "float", True),
        ("flag", "bool", True),
        ("name", "str", True),
    ]
    assert [argument.spec.kind for argument in arguments] == [
        "tensor", "int", "float", "bool", "str",
    ]  # fmt: skip


def test_arguments_with_defaults_are_not_required():
    module = torch.jit.script(Defaults())
    assert described(arguments_of(module.forward.schema)) == [
        ("x", "Tensor", True),
        ("n", "int", False),
        ("name", "str", False),
        ("scale", "float", False),
    ]
    assert described(arguments_of(module.describe.schema)) == [
        ("names", "List[str]", True),
        ("long", "bool", False),
    ]


def test_methods_without_arguments():
    assert arguments_of(torch.jit.script(Nothing()).forward.schema) == []


@pytest.mark.parametrize(
    ("argument_type", "spelling", "kinds"),
    [
        (list[torch.Tensor], "List[Tensor]", ("list", "tensor")),
        (list[list[int]], "List[List[int]]", ("list", ("list", "int"))),
        (tuple[int, torch.Tensor], "Tuple[int, Tensor]", ("tuple", "int", "tensor")),
        (tuple[str], "Tuple[str]", ("tuple", "str")),
        (tuple[()], "Tuple[()]", "tuple"),
        (dict[str, torch.Tensor], "Dict[str, Tensor]", ("dict", "str", "tensor")),
        (
            dict[str, tuple[list[float], bool]],
            "Dict[str, Tuple[List[float], bool]]",
            ("dict", "str", ("tuple", ("list", "float"), "bool")),
        ),
        (
            list[tuple[dict[str, dict[str, str]], int]],
            "List[Tuple[Dict[str, Dict[str, str]], int]]",
            ("list", ("tuple", ("dict", "str", ("dict", "str", "str")), "int")),
        ),
        (torch.dtype, "int", "int"),
        (int | None, "Optional[int]", ("optional", "int")),
        (str | int, "Union[int, str]", ("union", "int", "str")),
        # of a union, the narrowest part is tried first
        (
            list[float] | list[int],
            "Union[List[float], List[int]]",
            ("union", ("list", "int"), ("list", "float")),
        ),
        (
            float | int | str | None,
            "Union[float, int, NoneType, str]",
            ("union", "none", "int", "float", "str"),
        ),
        (torch.Tensor | None, "Optional[Tensor]", ("optional", "tensor")),
        (int | float | bool, "Union[float, int, bool]", ("union", "bool", "int", "float")),
        (type(None), "NoneType", "none"),
        (dict[float, str], "Dict[float, str]", ("dict", "float", "str")),
        (dict[bool, str], "Dict[bool, str]", ("dict", "bool", "str")),
        (
            dict[str, dict[complex, Any]],
            "Dict[str, Dict[complex, Any]]",
            ("dict", "str", ("dict", "complex", "any")),
        ),
        (Any, "Any", "any"),
        (complex, "complex", "complex"),
        (torch.device, "Device", "device"),
        (Point, "Point", ("tuple", "tensor", "tensor")),
        (dict[int, torch.Tensor], "Dict[int, Tensor]", ("dict", "int", "tensor")),
        (dict[torch.Tensor, int], "Dict[Tensor, int]", ("dict", "tensor", "int")),
    ],
)
def test_types(argument_type, spelling, kinds):
    _, second = arguments_of(taking(argument_type).forward.schema)
    assert second.spec.type == spelling
    assert kinds_of(second.spec) == kinds


@pytest.mark.parametrize(
    ("argument_type", "spelling"),
    [
        (torch.Generator, "Generator"),
        (torch.jit.Future[int], "Future[int]"),
        (
            Color,
            f"__torch__.{__name__}.Color",
        ),  # its members are in the archive, which is not given
        (Box, f"__torch__.{__name__}.Box"),
    ],
)
@pytest.mark.parametrize("around", ["itself", "list", "tuple", "dict"])
def test_types_that_no_request_can_hold(argument_type, spelling, around):
    within = {
        "itself": argument_type,
        "list": list[argument_type],
        "tuple": tuple[int, argument_type],
        "dict": dict[str, argument_type],
    }
    with pytest.raises(InvalidServable) as caught:
        arguments_of(taking(within[around]).forward.schema)
    expected = f"values of type {spelling} can't be made or read without the model's source"
    assert caught.value.detail == f"argument `second`: {expected}"


def test_results_that_no_response_can_hold():
    class BoxGiver(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> Box:
            return Box(1)

    class ColorsGiver(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> list[Color]:
            return [Color.RED]

    for module, name in ((BoxGiver(), "Box"), (ColorsGiver(), "Color")):
        with pytest.raises(InvalidServable) as caught:
            signature_of(torch.jit.script(module).forward.schema)
        expected = f"result: values of type __torch__.{__name__}.{name} can't be made or read"
        assert caught.value.detail.startswith(expected)


def test_the_result_has_a_type_spec():
    module = torch.jit.script(Defaults())
    assert kinds_of(signature_of(module.forward.schema).result) == "tensor"
    assert str(signature_of(module.describe.schema)) == (
        "(names: List[str], long: bool = False) -> str"
    )


def test_defaults_are_kept():
    arguments = arguments_of(torch.jit.script(Defaults()).forward.schema)
    assert [argument.default for argument in arguments] == [None, 3, "a", 0.5]


def test_members_of_enumerations_are_named():
    enums = {f"__torch__.{__name__}.Color": {"RED": 1, "GREEN": 2}}
    _, second = signature_of(taking(Color).forward.schema, enums).arguments
    assert (second.spec.kind, second.spec.names) == ("enum", ("RED", "GREEN"))


def test_fields_of_named_tuples_are_named():
    _, second = arguments_of(taking(Point).forward.schema)
    assert second.spec.names == ("x", "y")


def test_an_argument_that_no_request_can_hold_keeps_its_default():
    class Module(torch.nn.Module):
        def forward(
            self, x: torch.Tensor, g: torch.Generator | None = None, n: int = 1
        ) -> torch.Tensor:
            return x

    assert described(arguments_of(torch.jit.script(Module()).forward.schema)) == [
        ("x", "Tensor", True)
    ]


def test_traced_modules():
    traced = torch.jit.trace(torch.nn.Linear(2, 1), torch.zeros(1, 2))
    assert described(arguments_of(traced.forward.schema)) == [("input", "Tensor", True)]


def test_saved_modules_keep_their_schema():
    archive = io.BytesIO()
    torch.jit.save(torch.jit.script(Defaults()), archive)
    archive.seek(0)
    module = torch.jit.load(archive)
    assert described(arguments_of(module.forward.schema)) == [
        ("x", "Tensor", True),
        ("n", "int", False),
        ("name", "str", False),
        ("scale", "float", False),
    ]


def test_a_decoder_made_of_a_schema_calls_the_method():
    module = torch.jit.script(Defaults())
    decoder = Decoder(arguments_of(module.forward.schema), torch.from_numpy)
    body = b'[{"type":"tensor","value":[1,2]},{"type":"scalar","value":4}]'
    assert module(*decoder.decode(body)).tolist() == [2.0, 4.0]
    assert module(*decoder.decode(b'[{"type":"tensor","value":[2]}]')).tolist() == [3.0]
