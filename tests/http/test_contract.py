"""The error table of the wire contract, row by row, on both servers."""

import re

import pytest

from tests.support.client import Client, scalar, string, tensor

GOOD = [tensor([1], [1])]
MIXED = [[GOOD[0]], GOOD[0], {"type": "tensor_dict", "value": {"t": GOOD[0]}}]
BOX = "__torch__.tests.support.servables.Box"


@pytest.mark.parametrize(
    ("query", "description", "detail"),
    [
        ("", "Missing required parameter `servable_identifier`", "servable_identifier"),
        ("?device=cpu", "Missing required parameter `servable_identifier`", "servable_identifier"),
        (
            "?servable_identifier=echo.pt&servable_identifier=echo.pt",
            "Required parameter `servable_identifier` must only be passed in once",
            "2 times",
        ),
        ("?servable_identifier=echo.pt&device=warp", "Invalid device", "`warp`.*cpu"),
        ("?servable_identifier=echo.pt&device=cuda:99", "Invalid device", "`cuda:99`.*cpu"),
        ("?servable_identifier=echo.pt&device=cpu:1", "Invalid device", "`cpu:1`"),
        ("?servable_identifier=echo.pt&device=meta", "Invalid device", "`meta`"),
        ("?servable_identifier=echo.pt&device=", "Invalid device", "``"),
        ("?servable_identifier=echo.pt&device=%00", "Invalid device", "cpu"),
        ("?servable_identifier=echo.pt&device=" + "x" * 900, "Invalid device", "xx…"),
        ("?servable_identifier=echo.pt&device=cpu&device=cpu", "Invalid parameter", "`device`"),
        (
            "?servable_identifier=echo.pt&invalidation_probability=1.5",
            "Invalid parameter",
            "`invalidation_probability`.*`1.5`",
        ),
        (
            "?servable_identifier=echo.pt&invalidation_probability=nan",
            "Invalid parameter",
            "`invalidation_probability`.*`nan`",
        ),
        (
            "?servable_identifier=echo.pt&invalidation_probability=",
            "Invalid parameter",
            "`invalidation_probability`",
        ),
        (
            "?servable_identifier=echo.pt&metod=forward",
            "Invalid parameter",
            "did you mean `method`",
        ),
        ("?servable_identifier=echo.pt&Device=cpu", "Invalid parameter", "did you mean `device`"),
        ("?servable_identifier=echo.pt&x=1", "Invalid parameter", "`x`; this resource takes"),
        ("?servable_identifier=echo.pt&=1", "Invalid parameter", "unknown query parameter ``"),
        ("?servable_identifier=echo.pt&" + "x" * 900, "Invalid parameter", "x{40}`;"),
        ("?model=echo.pt", "Missing required parameter `servable_identifier`", "expected /serve"),
    ],
)
def test_wrong_parameters(client: Client, query: str, description: str, detail: str):
    response = client.request("POST", f"/serve{query}", GOOD)
    assert (response.status, response.document["description"]) == (400, description)
    assert re.search(detail, response.document["detail"])
    client.check()


@pytest.mark.parametrize(
    ("body", "description", "detail"),
    [
        (b"", "Empty body", "no body"),
        (b"   \n", "Invalid JSON", "byte"),
        (b"{", "Invalid JSON", "byte 1:"),
        (b"[1,", "Invalid JSON", "byte 3:"),
        (b'[{"type":"tensor","value":[1,02]}]', "Invalid JSON", "byte 29:"),
        (b'[{"type":"tensor","value":[1]}] x', "Invalid JSON", "byte 32:"),
        (b'[{"type":"tensor","value":[1]}][]', "Invalid JSON", "byte 31:"),
        (b'[{"type":"tensor","value":[NaN]}]', "Invalid JSON", "byte 27:"),
        (b"['a']", "Invalid JSON", "byte 1:"),
        (b'["\xff"]', "Invalid JSON", "byte 2:"),
        ('[{"type":"tensor","value":[1]}]'.encode("utf-16"), "Invalid JSON", "byte "),
        (b'[{"type":"tensor","value":[1],"type":"tensor"}]', "Invalid JSON", "byte 30:"),
        (b'[{"type":"tensor","x":1,"value":[1],"x":2}]', "Invalid JSON", "byte 36:"),
        (b"[" * 70 + b"]" * 70, "Invalid JSON", "byte 64:"),
    ],
)
def test_wrong_text(client: Client, body: bytes, description: str, detail: str):
    response = client.post("echo.pt", body)
    assert (response.status, response.document["description"]) == (400, description)
    assert detail in response.document["detail"]
    client.check()


@pytest.mark.parametrize(
    "identifier",
    [
        "",
        "none.pt",
        "none/echo.pt",
        "..",
        ".",
        "../outside/secret.pt",
        "deep/../../outside/secret.pt",
        "/etc/passwd",
        "//etc/passwd",
        "echo.pt\0",
        "\0",
        "deep\\er\\a.pt",
        "..\\secret.pt",
        "%2e%2e/secret.pt",
        "outside.pt",
        "elsewhere/secret.pt",
        "null.pt",
        "dangling.pt",
        "folder.pt",
        "pipe.pt",
        "deep",
        "a" * 300,
        "a" * 4000,
        "a/" * 1000,
        "é\u202e\U0001f600",
    ],
)
def test_identifiers_of_nothing_have_one_response(client: Client, identifier: str):
    response = client.post(identifier, GOOD)
    assert (response.status, response.document["description"]) == (
        400,
        "Invalid servable identifier",
    )
    assert response.document["detail"].endswith("`: there is no such file below the model root")
    client.check()


@pytest.mark.parametrize(
    ("identifier", "detail"),
    [
        ("void.pt", "`void.pt`: not a TorchScript archive"),
        ("random.pt", "`random.pt`: not a TorchScript archive"),
        ("cut.pt", "`cut.pt`: not a TorchScript archive"),
        ("plain.pt", "`plain.pt`: not a TorchScript archive"),
        ("text.txt", "`text.txt`: not a TorchScript archive"),
        (
            "no_methods.pt",
            "`no_methods.pt`: the module has neither a method `forward` nor an exported one",
        ),
        ("box.pt", f"`box.pt`: argument `box`: values of type {BOX} can't be"),
        ("boxes.pt", f"`boxes.pt`: argument `boxes`: values of type {BOX} can't"),
        ("box_result.pt", f"`box_result.pt`: result: values of type {BOX} can't"),
        ("generator.pt", "`generator.pt`: argument `g`: values of type Generator can't be made"),
    ],
)
def test_files_that_are_no_servable(client: Client, identifier: str, detail: str):
    for _ in range(2):  # the response is stable
        response = client.post(identifier, GOOD)
        assert response.status == 400
        assert response.document["description"] == "Invalid servable identifier"
        assert response.document["detail"].startswith(detail)
    client.check()


INPUT, SHAPE, DTYPE = (
    "Invalid Input JSON",
    "Incompatible tensor shapes",
    "Incompatible tensor data type",
)


@pytest.mark.parametrize(
    ("identifier", "body", "description", "location", "argument"),
    [
        ("echo.pt", [string("a")], INPUT, "/0/type: ", "`x`: Tensor"),
        ("echo.pt", [None], INPUT, "/0: ", "`x`: Tensor"),
        ("echo.pt", [1], INPUT, "/0: ", "`x`: Tensor"),
        ("echo.pt", [1], INPUT, "/0: ", 'send {"x": [1]} or {"x": 1}'),
        ("echo.pt", ["a", GOOD[0]], INPUT, "the body: ", "x: Tensor"),
        ("echo.pt", [*GOOD, *GOOD], INPUT, "the body: ", "x: Tensor"),
        ("echo.pt", [], INPUT, "the body: ", "x: Tensor"),
        ("echo.pt", [{"value": [1]}], INPUT, "/0: ", "`x`: Tensor"),
        ("echo.pt", [{"type": "tensor"}], INPUT, "/0: ", "`x`: Tensor"),
        ("echo.pt", [{"type": 3, "value": [1]}], INPUT, "/0/type: ", "`x`: Tensor"),
        ("echo.pt", [tensor([1], ["a"])], DTYPE, "/0/value/0: ", "`x`: Tensor"),
        ("echo.pt", [tensor("a", [1])], INPUT, "/0/shape: ", "`x`: Tensor"),
        ("echo.pt", tensor([2], [1]), SHAPE, "/shape: ", "`x`: Tensor"),
        ("echo.pt", [tensor([2], [1])], SHAPE, "/0/shape: ", "`x`: Tensor"),
        ("echo.pt", [tensor([-1], [1])], SHAPE, "/0/shape/0: ", "`x`: Tensor"),
        ("echo.pt", [tensor([1.5], [1])], SHAPE, "/0/shape/0: ", "`x`: Tensor"),
        ("echo.pt", [tensor([2**32, 2**32], [])], SHAPE, "/0/shape", "`x`: Tensor"),
        ("echo.pt", [tensor([0, 2**62, 2**62], [])], SHAPE, "/0/shape", "`x`: Tensor"),
        ("echo.pt", [tensor([2**63], [])], SHAPE, "/0/shape/0: ", "`x`: Tensor"),
        ("echo.pt", [tensor([1] * 33, [1])], SHAPE, "/0/shape", "`x`: Tensor"),
        (
            "echo.pt",
            [{"type": "tensor", "value": [[1, 2], [3]]}],
            SHAPE,
            "/0/value/1",
            "`x`: Tensor",
        ),
        ("echo.pt", [tensor([1], [1], "float31")], DTYPE, "/0/data_type: ", "`x`: Tensor"),
        ("echo.pt", [tensor([1], [1], 3)], DTYPE, "/0/data_type: ", "`x`: Tensor"),
        ("echo.pt", [tensor([2], [1, 256], "uint8")], DTYPE, "/0/value/1: ", "`x`: Tensor"),
        ("echo.pt", [tensor([2], [1, 1.5], "int64")], DTYPE, "/0/value/1: ", "`x`: Tensor"),
        ("echo.pt", [tensor([1], [2**63], "int64")], DTYPE, "/0/value/0: ", "`x`: Tensor"),
        ("echo.pt", [tensor([1], [1e39])], DTYPE, "/0/value/0: ", "`x`: Tensor"),
        ("echo.pt", [tensor([1], [65520], "float16")], DTYPE, "/0/value/0: ", "`x`: Tensor"),
        ("echo.pt", [tensor([1], [2], "bool")], DTYPE, "/0/value/0: ", "`x`: Tensor"),
        ("two.pt", GOOD, INPUT, "the body: ", "x: Tensor, y: Tensor"),
        ("two.pt", [*GOOD, string("a")], INPUT, "/1/type: ", "`y`: Tensor"),
        ("default.pt", [*GOOD, *GOOD, *GOOD], INPUT, "the body: ", "1 to 2 arguments"),
        ("int.pt", [scalar(1.5, "int")], DTYPE, "/0/value: ", "`n`: int"),
        ("int.pt", [scalar(1.5, "float")], INPUT, "/0/data_type: ", "`n`: int"),
        ("int.pt", [scalar(300, "int8")], DTYPE, "/0/value: ", "`n`: int"),
        ("int.pt", [scalar(1, "real")], DTYPE, "/0/data_type: ", "`n`: int"),
        ("bool.pt", [scalar(2, "bool")], DTYPE, "/0/value: ", "`b`: bool"),
        ("float.pt", [scalar("x", "float")], DTYPE, "/0/value: ", "`f`: float"),
        ("str.pt", [{"type": "string", "value": 1}], INPUT, "/0/value: ", "`s`: str"),
        ("dict.pt", [{"type": "generic_dict", "value": []}], INPUT, "/0/value: ", "`d`: Dict"),
        (
            "dict.pt",
            [{"type": "generic_dict", "value": {"a/b~": string("a")}}],
            INPUT,
            "/0/value/a~1b~0/type: ",
            "`d`: Dict[str, int]",
        ),
        ("tuple.pt", [[*GOOD]], INPUT, "/0: ", "`t`: Tuple[Tensor, int]"),
        ("list.pt", [[*GOOD, string("a")]], INPUT, "/0/1/type: ", "`d`: List[Tensor]"),
        ("mixed.pt", [*MIXED, scalar(1, "int"), 5], INPUT, "/4: ", "`s`: str"),
    ],
)
def test_bodies_that_do_not_fit(
    client: Client, identifier: str, body: object, description: str, location: str, argument: str
):
    response = client.post(identifier, body)
    assert (response.status, response.document["description"]) == (400, description)
    assert response.document["detail"].startswith(location)
    assert argument in response.document["detail"]
    client.check()


@pytest.mark.parametrize(
    ("identifier", "body", "detail"),
    [
        ("raising.pt", [*GOOD, scalar(0, "int")], "must be a matrix"),
        ("two.pt", [tensor([2], [1, 2]), tensor([3], [1, 2, 3])], "The size of tensor a (2)"),
        ("mlp.pt", [tensor([1, 3], [1, 2, 3])], "shapes cannot be multiplied"),
    ],
)
def test_requests_that_operators_refuse(client: Client, identifier: str, body: list, detail: str):
    response = client.post(identifier, body)
    assert response.status == 400
    assert response.document["description"] == "Incompatible tensor shapes"
    assert detail in response.document["detail"]
    client.check()


@pytest.mark.parametrize(
    ("identifier", "body", "detail"),
    [("raising.pt", [*GOOD, scalar(3, "int")], "it is too cold: 3")],
)
def test_models_that_raise(client: Client, identifier: str, body: list, detail: str):
    response = client.post(identifier, body)
    assert (response.status, response.document["description"]) == (500, "Inference failed")
    assert detail in response.document["detail"]
    client.check()


@pytest.mark.parametrize(
    ("identifier", "detail"),
    [
        ("sparse.pt", "result: a sparse tensor has no JSON form"),
        ("sparse_later.pt", "result[1]['k'][1]: a sparse tensor has no JSON form"),
        ("quantized.pt", "result: a quantized tensor has no JSON form"),
    ],
)
def test_results_without_a_form(client: Client, identifier: str, detail: str):
    response = client.post(identifier, GOOD)
    assert (response.status, response.document["description"]) == (500, "Unsupported result")
    assert detail in response.document["detail"]
    client.check()
