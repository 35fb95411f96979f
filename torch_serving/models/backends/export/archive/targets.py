"""What the nodes of a program may call: operators and arithmetic, and nothing else of Python.

torch looks a target up attribute by attribute, from the module `torch` on, and calls what it finds.
"""

import re

MAX_SHOWN = 80  # characters of a target in a message
NAME = r"[A-Za-z][A-Za-z0-9_]*"
ARITHMETIC = (
    "eq ne le ge lt gt neg pos abs mul add sub floordiv mod pow truediv and_ or_ xor not_ invert "
    "lshift rshift getitem"
)
# Of operators' names, only these begin with two underscores.
SPECIAL = "and or xor lshift rshift iand ior ixor ilshift irshift"
KNOWN = re.compile(
    rf"torch\.ops\.(?P<library>_?{NAME})\."
    rf"(?P<operator>_{{0,2}}{NAME}|__(?:{SPECIAL.replace(' ', '|')})__)(?:\.{NAME})?"
    rf"|_operator\.(?:{ARITHMETIC.replace(' ', '|')})"
    r"|math\.[a-z][a-z0-9]*"
    r"|torch\.(?:_sym|sym)_[a-z_]+"
)
# What `torch.ops` has beside the libraries of operators.
NO_LIBRARIES = frozenset({"load_library", "loaded_libraries", "import_module"})
# They open files, talk to other processes, or touch memory that is no tensor's.
REFUSED_LIBRARIES = frozenset(
    {
        "prim", "profiler", "debugprims", "debug_mode_ops", "static_runtime", "c10d", "symm_mem",
        "_c10d_functional", "_c10d_functional_autograd", "_dtensor", "_test", "inductor",
    }
)  # fmt: skip
REFUSED = frozenset(
    {
        ("aten", "from_file"), ("aten", "save"), ("aten", "_save"), ("aten", "set_data"),
        ("mkldnn", "data_ptr"),
        # views that nobody checks against the memory of the tensor
        ("aten", "_reshape_alias"), ("aten", "_reshape_alias_copy"),
        ("aten", "_sparse_coo_tensor_unsafe"), ("aten", "_sparse_csr_tensor_unsafe"),
        ("aten", "_sparse_csc_tensor_unsafe"), ("aten", "_sparse_bsr_tensor_unsafe"),
        ("aten", "_sparse_bsc_tensor_unsafe"), ("aten", "_sparse_compressed_tensor_unsafe"),
    }
)  # fmt: skip


# Of torch.vmap and torch.func: a run that fails between them would leave its thread changed.
TRANSFORMS = "torch._functorch.predispatch."
DECOMPOSE = "save program.run_decompositions({}) instead, which needs no torch.vmap or torch.func"


def problem_with_target(target: str) -> str:
    """Say why a program may not call something; empty if it may."""
    if target.startswith(TRANSFORMS):
        return f"{shown(target)} can't be served: {DECOMPOSE}"
    found = KNOWN.fullmatch(target)
    if found is None or found["library"] in NO_LIBRARIES:
        return f"{shown(target)} is no operator of torch"
    library, operator = found["library"], found["operator"]
    if library in REFUSED_LIBRARIES or (library, operator) in REFUSED:
        return f"{shown(target)} reaches files, processes or memory beyond tensors: not served"
    return ""


def shown(target: str) -> str:
    return ascii(target if len(target) <= MAX_SHOWN else f"{target[:MAX_SHOWN]}…")
