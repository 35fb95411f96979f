"""What a `.pt2` archive must hold, and how one is refused that does not."""

import io
import json
import random
import stat
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._export.serde.schema import SCHEMA_VERSION

from tests.support.export_archives import (
    CONSTANTS_CONFIG,
    PROGRAM,
    SAMPLE_INPUTS,
    WEIGHT,
    WEIGHTS_CONFIG,
    entries_of_package,
    entries_of_program,
    packed,
    payload_meta,
    saved,
)
from torch_serving.errors import InvalidServable
from torch_serving.models.backends.export.archive.contents import (
    SCHEMA_MAJORS,
    contents,
    contents_of,
    open_archive,
    parse_document,
    verify,
    version,
)
from torch_serving.models.backends.export.archive.sample_inputs import read_sample_inputs

Entries = dict[str, bytes]
OTHER_ORDER = b"big" if sys.byteorder == "little" else b"little"
HERE = f"export the model again with torch {torch.__version__}, the one here"


def document_in(path: Path) -> Any:
    """The document of the program in a verified archive; None where there is only a package."""
    with open_archive(path) as archive:
        held = contents_of(archive)
        return None if held.program is None else parse_document(archive, held)


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

WRONG: dict[str, tuple[Callable[[], bytes], str]] = {
    # the file
    "no zip": (lambda: b"text", "not a .pt2 archive of torch.export (File is not a zip file)"),
    "weights": (lambda: saved({"w": torch.ones(2)}), "it is weights that torch.save wrote"),
    "no format": (lambda: program(archive_format=None), "(it has no archive_format)"),
    "another format": (lambda: program(archive_format=b"pt3"), "(it has no archive_format)"),
    "nothing": (lambda: packed({"archive_format": b"pt2", "archive_version": b"0"}), "neither a"),
    "several programs": (lambda: with_several("models/"), "several programs (model, second)"),
    "several packages": (lambda: with_several("aotind"), "several packages (model, second)"),
    "other models": (other_models, "its program model and its package second are different"),
    # who wrote it
    "archive version": (
        lambda: program(archive_version=b"1"),
        "its archive_version is '1', written by torch 2.13.0; supported is '0': " + HERE,
    ),
    "no archive version": (lambda: program(archive_version=None), "archive_version is ''"),
    "schema version": (
        lambda: with_document(set_in("schema_version.major", 9)),
        "schema_version of its program is 9.20, written by torch 2.13.0; supported are 8.x: "
        + HERE,
    ),
    "no schema version": (lambda: with_document(lambda each: each.pop("schema_version")), "missin"),
    "legacy": (
        lambda: packed(
            {"serialized_exported_program.json": b'{"torch_version": "2.5.1"}', "version": b"7.3"},
            root="",
        ),
        "it is an exported program in the old format, written by torch 2.5.1: " + HERE,
    ),
    "byte order": (lambda: program(byteorder=OTHER_ORDER), "its byteorder is '"),
    # entries
    "a climbing name": (lambda: named("m/../../x"), "`m/../../x` is no path below its folder"),
    "an absolute name": (lambda: named("/etc/x"), "`/etc/x` is outside its folder `m/`"),
    "a name elsewhere": (lambda: named("other/x"), "`other/x` is outside its folder `m/`"),
    "a drive": (lambda: named("m/..\\x"), "is no path below its folder"),
    "a line break": (lambda: named("m/a\nb"), "'m/a\\nb'"),
    "an empty part": (lambda: named("m//x"), "is no path below its folder"),
    "a link": (
        lambda: with_entry(lambda entry: setattr(entry, "external_attr", stat.S_IFLNK << 16)),
        "`m/extra/more` is no regular file",
    ),
    "compression": (
        lambda: with_entry(lambda each: setattr(each, "compress_type", 8), bytes(99)),
        "`m/extra/more` is compressed; pack it without compression",
    ),
    "twice": (twice, f"`m/{PROGRAM}` is twice in it"),
    "encryption": (encrypted, "is encrypted"),
    "a bomb": (bomb, "more than it has"),
    # JSON
    "no JSON": (lambda: program(**{PROGRAM: b"{"}), "its models/model.json is no JSON ("),
    "no UTF-8": (lambda: program(**{PROGRAM: b'"\xff"'}), "no JSON (it is not UTF-8)"),
    "no object": (lambda: program(**{PROGRAM: b"[]"}), "models/model.json is no JSON object"),
    "NaN": (lambda: program(**{PROGRAM: b"[NaN]"}), "NaN is no number of JSON"),
    "many digits": (lambda: program(**{PROGRAM: b"1" * 5000}), "its models/model.json is no JSON"),
    "deep JSON": (lambda: program(**{PROGRAM: b"[" * 10**6}), "json is nested too deep"),
    "deep arguments": (
        lambda: with_document(set_in(f"{NODE}.inputs.0.arg", nested(100))),
        "nested too deep",
    ),
    "a node that is none": (
        lambda: with_document(set_in(NODE, 1)),
        "graph_module.graph.nodes[0]: expected an object, got 1",
    ),
    "no inputs of a node": (
        lambda: with_document(lambda each: each["graph_module"]["graph"]["nodes"][0].pop("inputs")),
        "graph_module.graph.nodes[0]: inputs is missing",
    ),
    "a half of a surrogate pair": (
        lambda: with_document(set_in(f"{NODE}.inputs.0.arg", {"as_string": "\ud800"})),
        "nodes[0].inputs[0].arg.as_string: expected a string of Unicode, got '\\ud800'",
    ),
    "an output too few": (
        lambda: with_document(set_in("graph_module.graph.outputs", [])),
        "output_specs has 1 of the 0 outputs of the graph",
    ),
    "an unknown kind": (
        lambda: with_document(set_in(f"{SPECS}.0", {"secret": {}})),
        "graph_module.signature.input_specs[0]: expected a known kind of InputSpec, got 'secret'",
    ),
    "two kinds": (
        lambda: with_document(set_in(f"{NODE}.inputs.0.arg.as_none", True)),
        "graph_module.graph.nodes[0].inputs[0].arg: expected an object with one key",
    ),
    "a truth for a number": (
        lambda: with_document(set_in("opset_version.aten", True)),
        "opset_version.aten: expected a whole number, got True",
    ),
    "a huge number": (
        lambda: with_document(set_in("opset_version.aten", 10**30)),
        "opset_version.aten: expected a whole number, got a number of more than 64 bits",
    ),
    "code for a name": (
        lambda: with_document(set_in(f"{NODE}.inputs.0.arg.as_tensor.name", "x=exit(3)")),
        "nodes[0].inputs[0].arg.as_tensor.name: expected a name of letters, digits and under",
    ),
    "code for a keyword": (
        lambda: with_document(set_in(f"{NODE}.inputs.0.name", "x=exit(3)")),
        "nodes[0].inputs[0].name: expected a name",
    ),
    "a line after a name": (
        lambda: with_document(set_in("graph_module.graph.inputs.1.as_tensor.name", "x\n")),
        "graph_module.graph.inputs[1].as_tensor.name: expected a name",
    ),
    "a key in several lines": (
        lambda: with_document(set_in("opset_version", {"a\nb": ""})),
        "opset_version.a\\nb: expected a whole number",
    ),
    # weights and constants
    "no weights": (lambda: program(**{WEIGHTS_CONFIG: None}), f"its {WEIGHTS_CONFIG} is missing"),
    "no constants": (lambda: program(**{CONSTANTS_CONFIG: None}), f"{CONSTANTS_CONFIG} is missing"),
    "no config": (lambda: program(**{WEIGHTS_CONFIG: b"{}"}), "has no config"),
    "a weight too few": (
        lambda: program(**{WEIGHTS_CONFIG: b'{"config": {}}'}),
        "its weight `w` is missing",
    ),
    "no bytes of a weight": (lambda: program(**{WEIGHT: None}), "there is no `weight_0` in the"),
    "no weights at all": (lambda: program(**{WEIGHT: b""}), "saved without its weights"),
    "a weight elsewhere": (
        lambda: with_weight(path_name="../../archive_format"),
        "its weight `w` is missing",
    ),
    "a pickle": (lambda: with_weight(use_pickle=True), "its weight `w` is no plain tensor"),
    "a custom object": (
        lambda: program(
            **{
                CONSTANTS_CONFIG: json.dumps(
                    {"config": {"o": {"path_name": "custom_obj_0", "use_pickle": True}}}
                ).encode()
            }
        ),
        "its constant `o` is an object of a class of its own, which was pickled",
    ),
    "a custom object as an input": (
        lambda: with_document(
            set_in(
                f"{SPECS}.1",
                {
                    "custom_obj": {
                        "arg": {"name": "o", "class_fqn": "a.B"},
                        "custom_obj_name": "o",
                    }
                },
            )
        ),
        "its constant `o` is an object of a class of its own",
    ),
    "sizes beyond": (
        lambda: with_weight(sizes=[{"as_int": 3}]),
        "its weight `w` reaches beyond its file: it ends at byte 12, and the file has 8",
    ),
    "strides beyond": (lambda: with_weight(strides=[{"as_int": 2}]), "ends at byte 12"),
    "offset beyond": (lambda: with_weight(storage_offset={"as_int": 1}), "ends at byte 12"),
    "negative sizes": (lambda: with_weight(sizes=[{"as_int": -1}]), "has sizes that no tensor"),
    "negative strides": (lambda: with_weight(strides=[{"as_int": -1}]), "has strides that no"),
    "huge sizes": (
        lambda: with_weight(
            sizes=[{"as_int": 1 << 40}] * 2, strides=[{"as_int": 0}] * 2
        ),
        "its weight `w` is larger than any memory",
    ),
    "symbolic sizes": (
        lambda: with_weight(sizes=[{"as_expr": {"expr_str": "Symbol('s0')"}}]),
        "has sizes that no tensor",
    ),
    "another rank": (lambda: with_weight(strides=[]), "another number of sizes than of strides"),
    "no sizes": (lambda: with_weight(sizes=None), "has no sizes"),
    "an unknown data type": (lambda: with_weight(dtype=99), "unknown data type (99)"),
    "a sparse weight": (lambda: with_weight(layout=1), "is sparse"),
    "no metadata": (lambda: with_weight(tensor_meta=None), "has no tensor_meta"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "problem"), WRONG.values(), ids=WRONG)
def test_an_archive_is_refused_in_one_line(tmp_path: Path, make: Callable[[], bytes], problem: str):
    path = tmp_path / "m.pt2"
    path.write_bytes(make())
    with pytest.raises(InvalidServable) as caught:
        verify(path)
    assert problem in caught.value.detail
    assert caught.value.detail.isprintable()
    assert len(caught.value.detail) < 600
    assert str(tmp_path) not in caught.value.detail


TARGETS = {
    "torch.ops.aten.add.Tensor": "",
    "torch.ops.aten.__and__.Tensor": "",
    "torch.ops.aten._to_copy.default": "",
    "torch.ops._quantized.add.default": "",
    "torch.ops.mine.op.default": "",
    "torch.ops.higher_order.cond": "",
    "_operator.add": "",
    "math.trunc": "",
    "torch.sym_max": "",
    "torch._sym_sqrt": "",
    "torch._functorch.predispatch._add_batch_dim": "save program.run_decompositions",
    "torch.hub.os.system": "no operator",
    "torch.os.system": "no operator",
    "torch.load": "no operator",
    "torch.ops.load_library.__call__": "no operator",
    "torch.ops.load_library": "no operator",
    "torch.ops.import_module.__func__.__call__": "no operator",
    "torch.ops.aten.__class__.__base__": "no operator",
    "torch.ops.aten.add.__class__": "no operator",
    "torch.ops.aten.add.Tensor.x": "no operator",
    "torch.ops.aten.add('x').y": "no operator",
    "torch.ops.aten.add.Tensor\n": "no operator",
    "torch.ops.aten.\u00e4dd.Tensor": "no operator",
    "_operator.methodcaller": "no operator",
    "_operator.attrgetter": "no operator",
    "math.__loader__.x": "no operator",
    "builtins.eval": "no operator",
    "#mine:op": "no operator",
    "os.system": "no operator",
    "": "no operator",
    "x" * 10**6: "no operator",
    "torch.ops.aten.from_file.default": "reaches files",
    "torch.ops.aten.from_file.out": "reaches files",
    "torch.ops.aten.save.default": "reaches files",
    "torch.ops.c10d.send.default": "reaches files",
    "torch.ops.prim.rpc_sync.default": "reaches files",
    "torch.ops.aten._reshape_alias.default": "reaches files",
    "torch.ops.inductor._reinterpret_tensor.default": "reaches files",
    "torch.ops.mkldnn.data_ptr.default": "reaches files",
}


@pytest.mark.parametrize(("target", "problem"), TARGETS.items())
@pytest.mark.parametrize("place", ["target", "inputs.0.arg"])
def test_a_program_calls_operators_only(tmp_path: Path, target: str, problem: str, place: str):
    path = tmp_path / "m.pt2"
    value = target if place == "target" else {"as_operator": target}
    path.write_bytes(with_document(set_in(f"{NODE}.{place}", value)))
    if not problem:
        assert verify(path)
        return
    with pytest.raises(InvalidServable, match=problem) as caught:
        verify(path)
    assert caught.value.detail.isprintable()
    assert len(caught.value.detail) < 300


def test_what_an_archive_holds(tmp_path: Path):
    path = tmp_path / "m.pt2"
    for make, program, package in (
        (entries_of_program, "model", None),
        (entries_of_package, None, "model"),
        (lambda: {**entries_of_program(), **entries_of_package()}, "model", "model"),
    ):
        path.write_bytes(packed(make(), root="any name/"))
        assert contents(path) == ("any name/", program, package)
        assert verify(path) == version(path)
        document = document_in(path)
        assert (document is None) == (program is None)


def test_the_version_is_that_of_the_contents(tmp_path: Path):
    versions = []
    for name, data in {
        "a.pt2": packed(entries_of_program()),
        "b.pt2": packed(entries_of_program(), root="another/"),
        "c.pt2": program(**{WEIGHT: bytes(8)}),
    }.items():
        (tmp_path / name).write_bytes(data)
        versions.append(version(tmp_path / name))
    assert versions[0] == versions[1] != versions[2]


def test_a_large_document_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "m.pt2"
    path.write_bytes(program())
    monkeypatch.setattr("torch_serving.models.backends.export.archive.json_object.MAX_BYTES", 100)
    with pytest.raises(InvalidServable, match=r"its models/model\.json has [\d,]+ bytes; at most"):
        verify(path)


def test_the_schema_of_this_torch_is_known():
    assert SCHEMA_VERSION[0] in SCHEMA_MAJORS


def test_sample_inputs_are_read(tmp_path: Path):
    path = tmp_path / "m.pt2"
    path.write_bytes(program())
    inputs = read_sample_inputs(path)
    assert inputs is not None
    assert [each.tolist() for each in inputs.args] == [[1.0, 1.0]]
    assert inputs.kwargs == {}


class Own:
    """A class that a pickle may name, and that nobody may make."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exit, (3,))


def deflated(data: bytes) -> bytes:
    """The same zip archive, compressed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(packed, "w", 8) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return packed.getvalue()


def deep_list() -> list[Any]:
    value: list[Any] = []
    for _ in range(100):
        value = [value]
    return value


NO_SAMPLES = {
    "none": None,
    "empty": b"",
    "no pickle": b"text",
    "a class": saved(((Own(),), {})),
    "one tensor": saved(torch.ones(2)),
    "other values": saved((1, 2)),
    "a huge view": saved(((torch.zeros(1).expand(1 << 40),), {})),
    "a bomb": deflated(saved(((torch.zeros(1000),), {}))),
    "deep": saved(((deep_list(),), {})),
    "many entries": b"PK\x01\x02" * 10_001,
    "cut": saved(((torch.ones(2),), {}))[:-200],
}


@pytest.mark.parametrize("data", NO_SAMPLES.values(), ids=NO_SAMPLES)
def test_sample_inputs_that_can_not_be_read_are_none(tmp_path: Path, data: bytes | None):
    path = tmp_path / "m.pt2"
    path.write_bytes(program(**{SAMPLE_INPUTS: data}))
    verify(path)
    assert read_sample_inputs(path) is None


DAMAGES = 200


def outcome(path: Path) -> Any:
    """What is read of an archive, or that it is refused; anything else is an error."""
    try:
        verify(path)
        document, samples = document_in(path), read_sample_inputs(path)
    except InvalidServable as error:
        return "a wrong message" if "\n" in error.detail else "refused"
    with zipfile.ZipFile(path) as file:
        weight = file.read(f"m/{WEIGHT}")
    return document, weight, None if samples is None else samples.args[0].tolist()


def damaged_at(data: bytes, at: int, bit: int) -> bytes:
    damaged = bytearray(data)
    damaged[at] ^= 1 << bit
    return bytes(damaged)


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_archive_is_refused_or_equal(tmp_path: Path, seed: int):
    path = tmp_path / "m.pt2"
    data = program()
    path.write_bytes(data)
    whole = outcome(path)
    assert whole != "refused"
    numbers = random.Random(seed)
    directory = directory_of(data)
    for number in range(DAMAGES):
        # the directory at the end is small, and decides how everything is read
        first = directory if number % 2 else 0
        path.write_bytes(damaged_at(data, numbers.randrange(first, len(data)), number % 8))
        assert outcome(path) in ("refused", whole)
    for _ in range(DAMAGES // 4):
        path.write_bytes(data[: numbers.randrange(len(data))])
        assert outcome(path) == "refused"
