"""Files that are taken for models: what they are, and how a model comes of them. Runs nothing."""

import pickletools
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

HINT = "models are saved with torch.jit.save or torch.export.save"
SAVE = 'torch.jit.script(model.eval()).save("model.pt")'
OF_WEIGHTS = (
    f"make the model and give it the weights: "
    f'model = MyModel(); model.load_state_dict(torch.load("weights.pt")); {SAVE}'
)
OF_MODULE = (
    f"load it where its class is, and save it as TorchScript: "
    f'model = torch.load("module.pt", weights_only=False); {SAVE}'
)
OF_OTHERS = f"TorchScript comes of a module of PyTorch: {SAVE}"
COPY = "copy the model's file itself"

# The first bytes of a file -> what it is, what to do.
HEADS: Sequence[tuple[bytes, str, str]] = (
    (b"\x80\x02\x8a\x0al\xfc\x9c\x46\xf9", "saved by torch.save in its old format", OF_WEIGHTS),
    (b"\x80", "a pickle of Python", OF_WEIGHTS),
    (b"PK\x03\x04", "the beginning of an archive: its end is missing", COPY),
    (b"\x89HDF", "HDF5, as Keras has it", OF_OTHERS),
    (b"GGUF", "weights in GGUF", OF_OTHERS),
    (b"\x1f\x8b", "packed with gzip", "unpack it"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file", "git lfs pull fetches it"),
    (b"<", "a page of HTML or XML, perhaps of a download that failed", COPY),
)
TFLITE_AT, TFLITE = 4, b"TFL3"
ONNX = (b"\x08", b"\x12")  # fields 1 and 2 of its message, at bytes 0 and 2
SAFETENSORS_AT = 8  # its header, in JSON, follows the header's length

MAX_PICKLE_BYTES = 1 << 20  # that are looked at: what a pickle holds stands at its beginning


def explain_head(path: Path) -> str:
    """Say what a file is that is no zip archive, and what to do; nothing if that is not known."""
    with path.open("rb") as file:
        head = file.read(32)
    if not head:
        return f"it is empty; {HINT}"
    for begin, what, advice in HEADS:
        if head.startswith(begin):
            return f"it is {what}; {advice}"
    if head[TFLITE_AT:].startswith(TFLITE):
        return f"it is a model of TensorFlow Lite; {OF_OTHERS}"
    if head[SAFETENSORS_AT:].startswith(b'{"'):
        return f"it is weights in safetensors; {OF_WEIGHTS}"
    if (head[:1], head[2:3]) == ONNX:
        return f"it is ONNX; {OF_OTHERS}"
    return ""


def explain_archive(archive: zipfile.ZipFile) -> str:
    """Say what a zip archive that is no model is, and what to do."""
    for entry in archive.namelist():
        name = entry.partition("/")[2]
        if name == "data.pkl":
            return explain_pickle(archive, entry)
        if entry == "MAR-INF/MANIFEST.json":
            return "it is an archive of TorchServe; unpack it, and serve the TorchScript file in it"
    return HINT


def explain_pickle(archive: zipfile.ZipFile, entry: str) -> str:
    """Tell weights from a whole module, by the first class that a pickle names."""
    with archive.open(entry) as content:
        data = content.read(MAX_PICKLE_BYTES)
    with suppress(ValueError, IndexError, UnicodeDecodeError):  # cut, or no pickle
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "GLOBAL":
                if str(argument).startswith(("torch ", "torch._utils ", "collections ")):
                    break
                return f"it is a whole module that torch.save pickled; {OF_MODULE}"
    return f"it is weights that torch.save wrote (a state_dict); {OF_WEIGHTS}"
