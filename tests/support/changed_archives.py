"""Archives of programs with something changed."""

import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.export_archives import (
    PROGRAM,
    WEIGHTS_CONFIG,
    entries_of_package,
    entries_of_program,
    packed,
    payload_meta,
)
from torch_serving.models.backends.export.archive.contents import (
    contents_of,
    open_archive,
    parse_document,
)

OTHER_ORDER = b"big" if sys.byteorder == "little" else b"little"


def program(**changes: bytes | None) -> bytes:
    """An archive of a program, with other entries; None takes one out."""
    entries: dict[str, bytes | None] = {**entries_of_program(), **changes}
    return packed({name: content for name, content in entries.items() if content is not None})


def with_document(change: Callable[[Any], object]) -> bytes:
    """An archive whose program was changed."""
    document = json.loads(entries_of_program()[PROGRAM])
    change(document)
    return program(**{PROGRAM: json.dumps(document).encode()})


def with_weight(**changes: Any) -> bytes:
    """An archive with other metadata of its weight."""
    meta = payload_meta("weight_0", 2)
    tensor = {key: value for key, value in changes.items() if key in meta["tensor_meta"]}
    meta["tensor_meta"].update(tensor)
    meta.update({key: value for key, value in changes.items() if key not in tensor})
    return program(**{WEIGHTS_CONFIG: json.dumps({"config": {"w": meta}}).encode()})


def with_entry(change: Callable[[zipfile.ZipInfo], object], content: bytes = b"") -> bytes:
    """An archive with one more entry, which is odd."""
    data = io.BytesIO(program())
    with zipfile.ZipFile(data, "a") as file:
        entry = zipfile.ZipInfo("m/extra/more")
        change(entry)
        file.writestr(entry, content)
    return data.getvalue()


def named(name: str) -> bytes:
    return with_entry(lambda entry: setattr(entry, "filename", name))


def directory_of(data: bytes) -> int:
    """Where the list of the entries begins."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return file.start_dir


def encrypted() -> bytes:
    """The flag is set where zipfile reads it: in the directory at the end."""
    data = bytearray(program())
    data[directory_of(data) + 8] |= 1
    return bytes(data)


def twice() -> bytes:
    other = PROGRAM.replace("model.json", "modal.json")
    data = packed({**entries_of_program(), other: b""})
    return data.replace(other.encode(), PROGRAM.encode())


def bomb() -> bytes:
    """Two entries of the directory that lead to the same bytes of the file."""
    large = packed({**entries_of_program(), "extra/a": bytes(1 << 20), "extra/b": b"b"})
    data = bytearray(large)
    first, second = (data.rindex(f"m/extra/{name}".encode()) - 46 for name in "ab")
    data[second + 16 : second + 28] = data[first + 16 : first + 28]  # checksum and sizes
    data[second + 42 : second + 46] = data[first + 42 : first + 46]  # where it begins
    return bytes(data)


def with_several(kind: str) -> bytes:
    entries = {**entries_of_program(), **entries_of_package()}
    for name in list(entries):
        entries[name.replace("model/", "second/").replace("model.json", "second.json")] = entries[
            name
        ]
    return packed({name: each for name, each in entries.items() if kind in name or "arch" in name})


def other_models() -> bytes:
    package = {
        name.replace("/model/", "/second/"): each for name, each in entries_of_package().items()
    }
    return packed({**entries_of_program(), **package})


def set_in(path: str, value: Any) -> Callable[[Any], object]:
    """A change of one value in a document, `a.0.b`."""
    *folders, last = [int(key) if key.isdigit() else key for key in path.split(".")]

    def change(document: Any) -> None:
        for key in folders:
            document = document[key]
        document[last] = value

    return change


def nested(depth: int) -> Any:
    value: Any = {"as_none": True}
    for _ in range(depth):
        value = {"as_string_to_argument": {"a": value}}
    return value


NODE = "graph_module.graph.nodes.0"
SPECS = "graph_module.signature.input_specs"


def document_in(path: Path) -> Any:
    """The document of the program in a verified archive; None where there is only a package."""
    with open_archive(path) as archive:
        held = contents_of(archive)
        return None if held.program is None else parse_document(archive, held)
