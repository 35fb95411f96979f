"""Files that are taken for models: what they are, and how a model comes of them."""

import io
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import torch

from torch_serving.errors import InvalidServable
from torch_serving.models.backends.torchscript.archive import verify, version


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(2, 2)


def saved(value: object, as_zip: bool = True) -> bytes:
    data = io.BytesIO()
    torch.save(value, data, _use_new_zipfile_serialization=as_zip)
    return data.getvalue()


def archive(*names: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name in names:
            file.writestr(name, b"{}")
    return data.getvalue()


SAFETENSORS = struct.pack("<Q", 20) + b'{"weight":{"dtype":1'


@pytest.mark.parametrize(
    ("data", "what", "advice"),
    [
        (saved(Net().state_dict()), "weights that torch.save wrote", "model.load_state_dict("),
        (
            saved({"epoch": 3, "model": Net().state_dict()}),
            "weights that",
            "model.load_state_dict(",
        ),
        (saved(torch.ones(2)), "weights that", "torch.jit.script(model.eval()).save("),
        (saved(Net()), "a whole module that torch.save pickled", "weights_only=False"),
        (saved(Net(), as_zip=False), "torch.save in its old format", "torch.jit.script("),
        (pickle.dumps({"a": 1}), "a pickle of Python", "torch.jit.script("),
        (archive("MAR-INF/MANIFEST.json", "m.pt"), "an archive of TorchServe", "unpack it"),
        (archive("readme.txt"), "it holds no code", "saved with torch.jit.save"),
        (archive("m/data.pkl"), "weights that", "torch.jit.script("),
        (b"\x08\x07\x12\x07pytorch\x1a\x052.4.0", "ONNX", "a module of PyTorch"),
        (SAFETENSORS, "weights in safetensors", "model.load_state_dict("),
        (b"GGUF\x03\x00\x00\x00", "GGUF", "a module of PyTorch"),
        (b"\x1c\x00\x00\x00TFL3", "TensorFlow Lite", "a module of PyTorch"),
        (b"\x89HDF\r\n\x1a\n", "HDF5", "a module of PyTorch"),
        (b"PK\x03\x04\x00\x00", "its end is missing", "copy the model's file"),
        (b"\x1f\x8b\x08\x00", "packed with gzip", "unpack it"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS", "git lfs pull"),
        (b"<!DOCTYPE html>", "HTML", "copy the model's file"),
        (b"", "it is empty", "saved with torch.jit.save"),
        (b"no model", "not a TorchScript archive", "saved with torch.jit.save"),
    ],
)
def test_what_a_file_is_and_what_to_do(tmp_path: Path, data: bytes, what: str, advice: str):
    path = tmp_path / "m.pt"
    path.write_bytes(data)
    for look in (verify, version):
        with pytest.raises(InvalidServable) as caught:
            look(path)
        assert caught.value.detail.startswith("not a TorchScript archive (")
        assert what in caught.value.detail
        assert advice in caught.value.detail
        assert str(tmp_path) not in caught.value.detail
