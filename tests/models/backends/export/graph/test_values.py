"""Values of a program's JSON as TorchScript: each means the same there."""

import math
from typing import Any

import pytest
import torch

from torch_serving.models.backends.export.graph.script import script
from torch_serving.models.backends.export.graph.values import Context, Untranslatable, expression

CPU = torch.device("cpu")
NAMES = {"x": "x", "n": "n"}


def schema_type(operator: Any, argument: str) -> Any:
    return next(each.real_type for each in operator._schema.arguments if each.name == argument)


def value_of(argument: Any, type_: Any = None) -> Any:
    """What the text of an argument is when TorchScript runs it."""
    text = expression(argument, Context(NAMES, CPU, type_))
    source = f"def forward(self, x: Tensor, n: int):\n  return {text}\n"
    return script(source, {})(torch.ones(2), 7)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ({"as_none": True}, None),
        ({"as_int": -3}, -3),
        ({"as_int": -(1 << 63)}, -(1 << 63)),
        ({"as_int": (1 << 63) - 1}, (1 << 63) - 1),
        ({"as_float": 1e-05}, 1e-05),
        ({"as_float": 1e300}, 1e300),
        ({"as_float": -0.0}, -0.0),
        ({"as_float": 3}, 3.0),
        ({"as_float": "Infinity"}, math.inf),
        ({"as_float": "-Infinity"}, -math.inf),
        ({"as_bool": True}, True),
        ({"as_bool": False}, False),
        ({"as_complex": {"real": 1, "imag": -2.5}}, 1 - 2.5j),
        ({"as_string": "bij,bjk->bik"}, "bij,bjk->bik"),
        ({"as_string": ""}, ""),
        ({"as_string": '"""\'\\n\n\r\t\x00\x7f7 {0} %s #'}, '"""\'\\n\n\r\t\x00\x7f7 {0} %s #'),
        ({"as_string": "ä€😀"}, "ä€😀"),
        ({"as_sym_int": {"as_name": "n"}}, 7),
        ({"as_sym_int": {"as_int": 5}}, 5),
        ({"as_sym_float": {"as_float": 2.5}}, 2.5),
        ({"as_sym_bool": {"as_bool": True}}, True),
        ({"as_ints": [1, 2]}, [1, 2]),
        ({"as_ints": []}, []),
        ({"as_floats": [0.5, "NaN"]}, [0.5, math.nan]),
        ({"as_floats": []}, []),
        ({"as_bools": [True, False]}, [True, False]),
        ({"as_strings": ["a", "b"]}, ["a", "b"]),
        ({"as_sym_ints": [{"as_name": "n"}, {"as_int": 2}]}, [7, 2]),
        ({"as_int_lists": [[1, 2], []]}, [[1, 2], []]),
        ({"as_int_lists": []}, []),
        ({"as_float_lists": [[0.5]]}, [[0.5]]),
        ({"as_scalar_type": 13}, 15),
        ({"as_device": {"type": "cuda", "index": 1}}, CPU),
        ({"as_device": {"type": "meta", "index": None}}, torch.device("meta")),
    ],
)
def test_values(argument: Any, value: Any):
    found = value_of(argument)
    assert type(found) is type(value)
    assert repr(found) == repr(value)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ({"as_tensor": {"name": "x"}}, torch.ones(2)),
        ({"as_optional_tensor": {"as_tensor": {"name": "x"}}}, torch.ones(2)),
        ({"as_optional_tensor": {"as_none": True}}, None),
        ({"as_tensors": [{"name": "x"}, {"name": "x"}]}, [torch.ones(2)] * 2),
        ({"as_tensors": []}, []),
        (
            {"as_optional_tensors": [{"as_none": True}, {"as_tensor": {"name": "x"}}]},
            [None, torch.ones(2)],
        ),
        ({"as_optional_tensors": [{"as_none": True}]}, [None]),
        ({"as_nested_tensors": [[{"name": "x"}], []]}, [[torch.ones(2)], []]),
    ],
)
def test_tensors(argument: Any, value: Any):
    torch.testing.assert_close(value_of(argument), value)


@pytest.mark.parametrize(
    ("operator", "name", "argument", "value"),
    [
        (torch.ops.aten.dropout.default, "p", {"as_int": 0}, 0.0),
        (torch.ops.aten.dropout.default, "p", {"as_sym_int": {"as_name": "n"}}, 7.0),
        (torch.ops.aten.dropout.default, "train", {"as_bool": True}, True),
        (torch.ops.aten.upsample_nearest2d.vec, "scale_factors", {"as_ints": [2, 3]}, [2.0, 3.0]),
        (torch.ops.aten.upsample_nearest2d.vec, "scale_factors", {"as_ints": []}, []),
        (torch.ops.aten.full.default, "fill_value", {"as_bool": True}, True),
        (torch.ops.aten.full.default, "fill_value", {"as_int": 1}, 1),
    ],
)
def test_values_have_the_type_that_the_operator_wants(
    operator: Any, name: str, argument: Any, value: Any
):
    found = value_of(argument, schema_type(operator, name))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ({"as_custom_obj": {"name": "o", "class_fqn": "C"}}, "custom_obj"),
        ({"as_operator": "torch.ops.aten.add.Tensor"}, "operator"),
        ({"as_string_to_argument": {}}, "string_to_argument"),
        ({"as_tensor": {"name": "y"}}, "`y` is used before it is there"),
        ({"as_scalar_type": 99}, "data type 99 is not known here"),
        ({"as_memory_format": 0}, "memory format 0"),
        ({"as_layout": 0}, "layout 0"),
    ],
)
def test_what_has_no_text(argument: Any, words: str):
    with pytest.raises(Untranslatable, match=words):
        expression(argument, Context(NAMES, CPU))
