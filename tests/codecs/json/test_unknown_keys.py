"""Keys of envelopes that mean nothing: refused, with the key that was probably meant."""

import pytest

from torch_serving.codecs.json._decoder import Argument, Decoder, TypeSpec
from torch_serving.errors import InvalidInput, InvalidJson

TENSOR = TypeSpec("tensor", "Tensor")
INT = TypeSpec("int", "int")
STR = TypeSpec("str", "str")
PLACE = TypeSpec("tuple", "Place", TENSOR, INT, names=("at", "rank"))
COLOR = TypeSpec("enum", "Color", names=("RED",))
TENSORS = TypeSpec("list", "List[Tensor]", TENSOR)
BY_NAME = TypeSpec("dict", "Dict[str, Tensor]", STR, TENSOR)
BY_ID = TypeSpec("dict", "Dict[int, int]", INT, INT)
MAYBE = TypeSpec("optional", "Optional[Tensor]", TENSOR)
EITHER = TypeSpec("union", "Union[Tensor, str]", TENSOR, STR)
ANY = TypeSpec("any", "Any")

ONE = '{"type":"tensor","value":[1]}'


def refusal(body, spec, error=InvalidInput):
    with pytest.raises(error) as caught:
        Decoder([Argument("a", spec)], lambda array: array).decode(body.encode())
    return caught.value.detail


@pytest.mark.parametrize("data_type", ["float32", "int64"])
@pytest.mark.parametrize("around", ["%s", "[%s]", '{"a":%s}'])
@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("dtype", "data_type"),
        ("datatype", "data_type"),
        ("dataType", "data_type"),
        ("DATA_TYPE", "data_type"),
        ("data-type", "data_type"),
        ("data_typ", "data_type"),
        ("dims", "shape"),
        ("size", "shape"),
        ("Shape", "shape"),
        ("shpae", "shape"),
        ("data", "value"),
        ("values", "value"),
        ("Value", "value"),
    ],
)
def test_what_a_key_was_meant_as(key, meant, around, data_type):
    members = {
        "data_type": f'"value":[1],"{key}":"{data_type}"',
        "shape": f'"data_type":"{data_type}","value":[1],"{key}":[1]',
        "value": f'"data_type":"{data_type}","{key}":[1]',
    }[meant]
    detail = refusal(around % f'{{"type":"tensor",{members}}}', TENSOR)
    where = {"%s": "", "[%s]": "/0", '{"a":%s}': "/a"}[around]
    expected = f"{where}/{key}: unknown key; did you mean `{meant}`? (argument `a`: Tensor)"
    assert detail == expected


@pytest.mark.parametrize(
    ("spec", "envelope", "where", "problem"),
    [
        (
            TENSOR,
            '{"type":"tensor","value":[1],"x":1}',
            "/x",
            '"tensor" are type, value, data_type',
        ),
        (
            TENSOR,
            '{"type":"tensor","value":[1],"mode":"L"}',
            "/mode",
            '"tensor" are type, value, d',
        ),
        (TENSOR, '{"type":"tensor","value":[1],"":1}', "/", 'those of "tensor" are type, value'),
        (TENSOR, '{"type":"tensor","name":"x","value":[1]}', "/name", 'those of "tensor" are'),
        (TENSOR, '{"type":"image","value":"","size":[2,2]}', "/size", "neither resized nor"),
        (TENSOR, '{"type":"image","value":"","shape":[2,2]}', "/shape", "neither resized nor"),
        (TENSOR, '{"type":"image","value":"","mean":[0.5]}', "/mean", "neither resized nor norm"),
        (TENSOR, '{"type":"image","value":"","format":"HWC"}', "/format", "did you mean `layout`?"),
        (TENSOR, '{"type":"image","data":""}', "/data", "did you mean `value`?"),
        (TENSOR, '{"type":"image","value":"","dtype":"uint8"}', "/dtype", "mean `data_type`?"),
        (INT, '{"type":"scalar","value":3,"dtype":"int8"}', "/dtype", "did you mean `data_type`?"),
        (INT, '{"type":"scalar","value":3,"shape":[]}', "/shape", '"scalar" are type, value, dat'),
        (
            STR,
            '{"type":"string","value":"a","data_type":"str"}',
            "/data_type",
            '"string" are type,',
        ),
        (STR, '{"type":"string","text":"a"}', "/text", "did you mean `value`?"),
        (COLOR, '{"type":"enum","value":"RED","x":1}', "/x", 'those of "enum" are type, value'),
        (PLACE, '{"type":"named_tuple","value":[],"fields":1}', "/fields", "are type, value, name"),
        (TENSORS, '{"type":"tensor_list","value":[],"shape":[]}', "/shape", '"tensor_list" are'),
        (BY_NAME, '{"type":"tensor_dict","value":{},"keys":"str"}', "/keys", "mean `key_type`?"),
        (BY_NAME, '{"type":"generic_dict","value":{},"x":1}', "/x", '"generic_dict" are type, va'),
        (BY_ID, '{"type":"generic_dict","value":[],"keyType":"int"}', "/keyType", "`key_type`?"),
        (MAYBE, '{"type":"none","x":1}', "/x", 'those of "none" are type, value'),
        (MAYBE, '{"type":"none","value":[1]}', "/value", "expected null, or no value"),
        (MAYBE, '{"type":"tensor","value":[1],"dims":[1]}', "/dims", "did you mean `shape`?"),
        (EITHER, '{"type":"tensor","value":[1],"dims":[1]}', "/dims", "did you mean `shape`?"),
        (ANY, '{"type":"tensor","value":[1],"dims":[1]}', "/dims", "did you mean `shape`?"),
        (ANY, '{"type":"generic_dict","values":{}}', "/values", "did you mean `value`?"),
    ],
)
def test_keys_that_a_type_does_not_have(spec, envelope, where, problem):
    detail = refusal(envelope, spec)
    assert detail.startswith(f"{where}: ")
    assert problem in detail


@pytest.mark.parametrize(
    ("spec", "body", "expected"),
    [
        (MAYBE, '{"type":"none"}', None),
        (MAYBE, '{"value":null,"type":"none"}', None),
        (
            PLACE,
            '{"type":"named_tuple","name":"Place","value":{"at":%s,"rank":{"type":"scalar","value":2}}}',
            2,
        ),
        (BY_NAME, '{"type":"generic_dict","key_type":"str","value":{"b":%s}}', 1),
        (TENSORS, '[{"type":"tensor","value":[1],"shape":[1],"data_type":"int8"}]', 1),
    ],
)
def test_what_results_have_may_be_sent(spec, body, expected):
    decoder = Decoder([Argument("a", spec)], lambda array: 1)
    [value] = decoder.decode((body.replace("%s", ONE)).encode())
    assert (list(value.values()) if isinstance(value, dict) else value or [None])[-1] == expected


def test_a_key_that_stands_twice_or_is_no_json_matters_more():
    refusal('{"type":"tensor","value":[1],"x":1,"x":2}', TENSOR, InvalidJson)
    refusal('{"type":"tensor","x":[1.],"value":[1]}', TENSOR, InvalidJson)


def test_long_keys_are_refused_shortly():
    for key in ("k" * 100_000, "\\u0000" * 1000, "ſ" * 1000):
        assert len(refusal(f'{{"type":"tensor","value":[1],"{key}":1}}', TENSOR)) < 500
