"""Metadata and configuration of models, as the Open Inference Protocol has them."""

import torch

from tests.support.loaded import method_of
from tests.support.servables import scripted
from torch_serving.codecs.oip.metadata import model_config, model_metadata


def test_metadata_and_configuration_of_a_model_of_many_types():
    module = scripted(
        "x: Tensor, d: List[Tensor], s: List[str], a: Optional[Any] = None, f: float = 0.5",
        "Tuple[Tensor, Dict[str, Tensor], List[bool]]",
        "return x, {'a': x}, [True]",
    )
    method = method_of(module)
    metadata = model_metadata("m", method)
    assert metadata["inputs"] == [
        {"name": "x", "datatype": "FP32", "shape": [-1]},
        {"name": "s", "datatype": "BYTES", "shape": [-1]},
        {"name": "f", "datatype": "FP64", "shape": []},
    ]
    assert [output["name"] for output in metadata["outputs"]] == ["output_0", "output_2"]
    parameters = metadata["parameters"]
    assert parameters["variable_inputs"].endswith(": d.*")
    assert parameters["variable_outputs"].endswith(": output_1.*")
    assert parameters["refused_arguments"] == "a: Optional[Any]"
    assert parameters["optional_inputs"] == "f"
    config = model_config("m", method)
    assert config["max_batch_size"] == 0
    assert config["input"][1] == {"name": "s", "data_type": "TYPE_STRING", "dims": [-1]}


def test_what_a_request_that_works_tells():
    module = scripted("x: Tensor, n: int, d: Dict[str, Tensor]", "Tensor", "return x")
    sent = {"name": "x", "datatype": "INT64", "shape": [1, 4], "data": [0, 0, 0, 0]}
    number = {"name": "n", "datatype": "INT32", "shape": [1], "data": [1]}
    method = method_of(module)
    example = {"inputs": [number, sent]}
    metadata = model_metadata("m", method, example)
    assert metadata["inputs"] == [
        {"name": "x", "datatype": "INT64", "shape": [-1, -1]},
        {"name": "n", "datatype": "INT64", "shape": []},
    ]
    assert metadata["outputs"][0]["datatype"] == "FP32"
    assert model_config("m", method, example)["input"][0]["dims"] == [-1, -1]


def test_the_datatype_of_tensors_is_that_of_the_weights():
    module = torch.jit.script(torch.nn.Linear(2, 2).half().eval())
    method = method_of(module)
    assert model_metadata("m", method)["inputs"][0]["datatype"] == "FP16"
