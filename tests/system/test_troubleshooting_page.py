"""Each message on the page of troubles is one that the server really gives."""

import base64
import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.support.pages import ENVIRONMENT, ROOT, messages_on, run_files, says
from tests.support.process import Process, wait_until
from torch_serving.engine.devices import unusable
from torch_serving.errors import OutOfMemory, Quarantined, ShuttingDown
from torch_serving.models.backends.export.archive import contents
from torch_serving.models.backends.torchscript.missing import missing
from torch_serving.models.load_queue import STILL_LOADING

KEY = "0123456789abcdef"
MODELS = """
import torch
from torch import Tensor, nn

class Raises(nn.Module):
    def forward(self, x: Tensor):
        if x.sum() > 100:
            raise ValueError("at most 100, please")
        return x

class Loops(nn.Module):
    def forward(self, x: Tensor, n: int):
        for _ in range(n):
            x = (x * 1.0001).sin()
        return x

class Complex(nn.Module):
    def forward(self, x: Tensor):
        return x.to(torch.complex64)

torch.jit.script(Raises()).save("models/raises.pt")
torch.jit.script(Loops()).save("models/loops.pt")
torch.jit.script(Complex()).save("models/complex.pt")
torch.jit.script(nn.Linear(4, 2)).save("models/linear.pt")
torch.jit.script(nn.Linear(4, 2)).save("models/misspelt.pt")
torch.jit.script(nn.Embedding(10, 2)).save("models/ids.pt")
torch.export.save(torch.export.export(nn.Linear(4, 2), (torch.ones(2, 4),)), "models/fixed.pt2")
torch.save(nn.Linear(2, 2).state_dict(), "models/weights.pt")
torch.save(nn.Linear(2, 2), "models/module.pt")
open("models/model.onnx.pt", "wb").write(bytes([8, 7, 18, 0]) + bytes(60))
open("models/misspelt.toml", "w").write("bach = true\\n")
"""
PIXEL = "R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw=="  # a GIF of one
ROW = "[[1, 2, 3, 4]]"
LINEAR = "serve?servable_identifier=linear.pt"
LOOPS = "serve?servable_identifier=loops.pt"


def starts(*arguments: str, **variables: str) -> Callable[[str, Path], str]:
    """What a start that fails says."""

    def start(url: str, folder: Path) -> str:
        command = [sys.executable, "-m", "torch_serving", *arguments]
        environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT), **variables}
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode != 0
        return done.stderr

    return start


def starts_on_a_port_in_use(url: str, folder: Path) -> str:
    with socket.create_server(("127.0.0.1", 0)) as other:
        return starts("models", "--port", str(other.getsockname()[1]))(url, folder)


def asks(target: str, body: str | bytes | None = ROW, **headers: str) -> Callable[[str, Path], str]:
    """The error that a request gets; `headers` are those without `_`."""

    def ask(url: str, folder: Path) -> str:
        data = body.encode() if isinstance(body, str) else body
        named = {"X-Api-Key": KEY} | {k.replace("_", "-"): v for k, v in headers.items()}
        with pytest.raises(HTTPError) as error:
            urlopen(Request(f"{url}/{target}", data, named))
        document = json.load(error.value)
        return f"{document['description']}: {document.get('detail')}"

    return ask


def asks_linear(body: str | bytes | None, **headers: str) -> Callable[[str, Path], str]:
    return asks(LINEAR, body, **headers)


def asks_image(model: str) -> Callable[[str, Path], str]:
    target = f"serve?servable_identifier={model}"
    return asks(target, base64.b64decode(PIXEL), Content_Type="image/gif")


def loads(model: str) -> Callable[[str, Path], str]:
    return asks(f"serve?servable_identifier={model}")


def is_in(file: str, words: str) -> Callable[[str, Path], str]:
    """Words of a source, where they would be hard to bring about; their test is another one."""

    def read(url: str, folder: Path) -> str:
        text = (ROOT / "torch_serving" / file).read_text()
        assert words in text
        return words

    return read


def tells(text: str) -> Callable[[str, Path], str]:
    return lambda url, folder: text


ENVELOPE = '{"input": {"type": "tensor", "value": %s, "data_type": "%s"}}'
TROUBLES = {
    "can't listen on …: Address already in use": starts_on_a_port_in_use,
    "no such folder or file: …": starts("modles"),
    "unrecognized arguments: …; did you mean …?": starts("models", "--prot", "80"),
    "… is no setting; did you mean …?": starts("models", "--check", TORCH_SERVING_PROT="80"),
    "--preload …: no such model below …": starts("models", "--preload", "a.pt", "--port", "0"),
    "--api-key-file …: a key has less than 16 characters": starts(
        "models", "--api-key-file", "short", "--port", "0"
    ),
    "… is not a device of this machine; it has …": starts(
        "models", "--device", "cuda:7", "--port", "0"
    ),
    "… can't be used: …": tells(unusable("cuda:0", "the driver is too old").detail),
    "--import …: No module named …": starts("models", "--import", "no_such_module", "--port", "0"),
    "--tls-cert needs --tls-key, the file of its private key": starts("--tls-cert", "cert.pem"),
    "…: there is no such file below the model root; did you mean …?": loads("liner.pt"),
    "it is weights that torch.save wrote (a state_dict)": loads("weights.pt"),
    "it is a whole module that torch.save pickled": loads("module.pt"),
    "it is ONNX": loads("model.onnx.pt"),
    "--import …": tells(missing("operator", "torchvision", "torchvision::nms")),
    "…: unknown key …": loads("misspelt.pt"),
    "export the model again with torch": tells(contents.ADVICE),
    "unknown argument; expected …": asks_linear('{"x": [1]}'),
    "…: Tensor is missing": asks_linear("{}"),
    "this may be argument …: Tensor or an element of it; send …": asks_linear(ROW),
    "shapes cannot be multiplied": asks_linear('{"input": [[1, 2, 3]]}'),
    "expected shape …, got …": asks("serve?servable_identifier=fixed", '{"input": [[1, 2, 3, 4]]}'),
    "to have one of the following scalar types: Long, Int; but got torch.FloatTensor": asks(
        "serve?servable_identifier=ids", '{"input": [1, 2]}'
    ),
    "must have the same dtype, but got Double and Float": asks_linear(ENVELOPE % (ROW, "float64")),
    "index out of range in self": asks(
        "serve?servable_identifier=ids", ENVELOPE % ("[12]", "int64")
    ),
    "nested arrays differ in length or depth": asks_linear('{"input": [[1, 2], [3]]}'),
    "the body is the name of a file": asks_linear("body.json"),
    "the body is a form (multipart/form-data, as of curl -F)": asks_linear("--a\r\nb\r\n"),
    "the body is a JPEG image": asks_linear(b"\xff\xd8\xff\xe0"),
    "an image file is the body of a method that needs one tensor and nothing else": asks_image(
        "loops"
    ),
    "the image came as uint8 without a batch dimension": asks_image("linear"),
    "strings stand in double quotes": asks_linear("{'input': [1]}"),
    'write "NaN" in quotes': asks_linear('{"input": [NaN]}'),
    "a line break in a string is \\n; base64 goes on one line": asks_linear('{"input": "a\nb"}'),
    "Missing required parameter `servable_identifier`": asks("serve"),
    "unknown query parameter …": asks(f"{LINEAR}&metod=forward"),
    "this server takes no images: it was installed without the extra": is_in(
        "codecs/json/images.py", "this server takes no images: it was installed without the extra"
    ),
    "Unauthorized": asks_linear(ROW, X_Api_Key="another"),
    "models are at POST /serve": asks("predict"),
    "this resource takes …": asks_linear(None),
    "has no plain form; ask without …": asks(
        "serve?servable_identifier=complex&plain=1", '{"x": [1]}'
    ),
    "the body has … bytes or more; the limit is …": asks_linear(bytes(200_000)),
    "known here are gzip, deflate": asks_linear(ROW, Content_Encoding="br"),
    "Inference failed": asks("serve?servable_identifier=raises", '{"x": [101]}'),
    "… requests wait already": is_in("engine/dispatcher.py", " requests wait already"),
    "the server died while it ran; it may run again in …": tells(Quarantined("m", 3).reason),
    "Out of memory": tells(OutOfMemory().reason),
    "Server shutting down": tells(ShuttingDown().reason),
    "the model is still being loaded when the deadline has come": tells(STILL_LOADING),
    "the model takes longer than the deadline": asks(
        LOOPS,
        '{"x": [1], "n": 1000000000000}',
        X_Request_Timeout_Ms="300",
    ),
}
OF_THE_LOG = "everybody who reaches … may run models here; --api-key-file asks for a key"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("troubles")
    (folder / "models").mkdir()
    (folder / "short").write_text("short\n")
    (folder / "keys").write_text(f"{KEY}\n")
    run_files([MODELS], folder)
    return folder


@pytest.fixture(scope="module")
def url(folder: Path, start_for_module: Callable[..., Process]) -> str:
    flags = ["--port", "0", "--threads", "2", "--max-body", "100KiB"]
    process = start_for_module(folder / "models", *flags, "--api-key-file", folder / "keys")
    named = {"X-Api-Key": KEY}
    urlopen(Request(f"{process.url}/{LOOPS}", b'{"x": [1], "n": 1}', named))  # it is loaded
    return process.url


def test_every_message_of_the_page_is_tried():
    listed = messages_on("docs/recipes/troubleshooting.md")
    assert len(listed) > 40
    assert sorted(listed) == sorted([*TROUBLES, OF_THE_LOG])


@pytest.mark.parametrize("message", TROUBLES)
def test_message(message: str, url: str, folder: Path):
    said = TROUBLES[message](url, folder)
    assert says(said, message), said


def test_the_warning(start: Callable[..., Process], tmp_path: Path):
    process = start(tmp_path, "--host", "0.0.0.0", "--port", "0")
    wait_until(lambda: says(process.stderr, OF_THE_LOG))
