"""What a program in an archive may call."""

from pathlib import Path

import pytest

from tests.support.changed_archives import NODE, set_in, with_document
from torch_serving.errors import InvalidServable
from torch_serving.models.backends.export.archive.contents import verify

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
