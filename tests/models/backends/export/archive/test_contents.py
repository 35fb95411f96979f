"""What a `.pt2` archive must hold, and how one is refused that does not."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch._export.serde.schema import SCHEMA_VERSION

from tests.support.changed_archives import (
    NODE,
    OTHER_ORDER,
    SPECS,
    bomb,
    document_in,
    encrypted,
    named,
    nested,
    other_models,
    program,
    set_in,
    twice,
    with_document,
    with_entry,
    with_several,
    with_weight,
)
from tests.support.export_archives import (
    CONSTANTS_CONFIG,
    PROGRAM,
    WEIGHT,
    WEIGHTS_CONFIG,
    entries_of_package,
    entries_of_program,
    packed,
    saved,
)
from torch_serving.errors import InvalidServable
from torch_serving.models.backends.export.archive.contents import (
    SCHEMA_MAJORS,
    contents,
    verify,
    version,
)

HERE = f"export the model again with torch {torch.__version__}, the one here"
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


def test_what_an_archive_holds(tmp_path: Path):
    path = tmp_path / "m.pt2"
    for make, model, package in (
        (entries_of_program, "model", None),
        (entries_of_package, None, "model"),
        (lambda: {**entries_of_program(), **entries_of_package()}, "model", "model"),
    ):
        path.write_bytes(packed(make(), root="any name/"))
        assert contents(path) == ("any name/", model, package)
        assert verify(path) == version(path)
        document = document_in(path)
        assert (document is None) == (model is None)


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
