"""Operators of a simulated card: results are allocated at once, and computed by the CPU later."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch._ops import OpOverload

from tests.simulated_card.streams import Place, launch

# torch's own: memory, views, and copies
KEPT = """
    copy_ _copy_from _copy_from_and_resize set_ resize_ _resize_output_ record_stream pin_memory
    _pin_memory is_pinned _local_scalar_dense empty empty_strided new_empty_strided zero_
    _empty_affine_quantized _efficientzerotensor _to_copy is_set_to resolve_conj _conj _neg_view
    as_strided view _reshape_alias _unsafe_view unfold view_as_real view_as_complex alias split
    split_with_sizes t transpose expand permute squeeze unsqueeze select slice diagonal detach
    lift lift_fresh _sobol_engine_draw _nested_tensor_from_mask_left_aligned
""".split()  # noqa: SIM905 - a list of them is a page long
# made of other operators, but of kernels on a card
WHOLE = ("convolution", "_batch_norm_impl_index", "scaled_dot_product_attention")
META = torch.device("meta")
NO_SHAPE = ("meta", "Meta", "data-dependent", "item()", "nonzero")
# a device whose copies are those that torch makes for any device
ANY_DEVICE = torch._C.DispatchKeySet(torch._C.DispatchKey.IPU)

_libraries: list[torch.library.Library] = []


def install() -> None:
    """Put these operators in the place of torch's kernels."""
    torch._C._jit_override_can_fuse_on_gpu(False)
    torch._C._jit_set_texpr_fuser_enabled(False)
    warnings.filterwarnings("ignore", message=".*Overriding a previously registered kernel.*")
    library = torch.library.Library("aten", "IMPL")
    _libraries.append(library)
    for operator in [*replaced(), *(getattr(torch.ops.aten, name).default for name in WHOLE)]:
        library.impl(operator, Kernel(operator), "CUDA", allow_override=True)
    library.impl(torch.ops.aten.copy_.default, copy_, "CUDA", allow_override=True)
    torch.ops.aten.add.Tensor(torch.empty(1, device=META), 1)  # imports what finds shapes


def replaced() -> Iterator[OpOverload]:
    for full_name in torch._C._dispatch_get_registrations_for_dispatch_key("CUDA"):
        space, _, name = full_name.partition("::")
        name, _, overload = name.partition(".")
        packet = getattr(torch.ops.aten, name, None)
        if space == "aten" and name not in KEPT and hasattr(packet, overload or "default"):
            yield getattr(packet, overload or "default")


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(mapped(part, change) for part in value)
    if isinstance(value, dict):
        return {key: mapped(part, change) for key, part in value.items()}
    return change(value)


def tensors_in(value: Any) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    mapped(value, lambda part: found.append(part) if isinstance(part, torch.Tensor) else None)
    return found


def is_on_card(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.device.type == "cuda"


def to_place(value: Any) -> Any:
    """What work keeps of an argument: nothing of the card's memory."""
    if isinstance(value, torch.Tensor):
        return Place(value) if is_on_card(value) else value.clone()
    if isinstance(value, torch.device):
        return torch.device("cpu")
    return None if isinstance(value, torch.Generator) else value


def to_cpu(value: Any) -> Any:
    return value.tensor() if isinstance(value, Place) else value


def to_meta(value: Any) -> Any:
    if is_on_card(value):
        return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=META)
    if isinstance(value, torch.device):
        return META
    return None if isinstance(value, torch.Generator) else value


class Kernel:
    """One operator, as torch calls it for tensors of a card."""

    def __init__(self, operator: OpOverload) -> None:
        self._operator = operator
        self._name = str(operator)
        arguments = operator._schema.arguments
        self._written = [
            (index, argument.name)
            for index, argument in enumerate(arguments)
            if argument.alias_info is not None and argument.alias_info.is_write
        ]
        self._has_outs = any(arguments[index].kwarg_only for index, _ in self._written)
        returns = operator._schema.returns
        self._returns_tensors = all(
            str(each.type) in ("Tensor", "List[Tensor]") for each in returns
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._has_outs:
            self._resize(args, kwargs)
        places = mapped((args, kwargs), to_place)

        def compute() -> Any:
            on_cpu, named = mapped(places, to_cpu)
            return self._operator(*on_cpu, **named)

        if self._written:
            launch(compute, self._name)
            return self._targets(args, kwargs)
        device = next((t.device for t in tensors_in((args, kwargs)) if is_on_card(t)), None)
        device = device or kwargs.get("device") or torch.device("cuda")
        shapes = self._shapes(args, kwargs)
        return self._wait(compute, device) if shapes is None else self._run(compute, shapes, device)

    def _targets(self, args: Any, kwargs: Any) -> Any:
        """The arguments that were changed, as the operator returns them."""
        targets = [args[i] if i < len(args) else kwargs[name] for i, name in self._written]
        count = len(self._operator._schema.returns)
        return (None, targets[0], tuple(targets[:count]))[min(count, 2)]

    def _resize(self, args: Any, kwargs: Any) -> None:
        """Give the arguments that results are written to the shapes of those."""
        targets = {name: kwargs[name] for _, name in self._written}
        empty = {name: torch.empty(0, dtype=t.dtype, device=META) for name, t in targets.items()}
        on_meta, named = mapped((args, kwargs), to_meta)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._operator(*on_meta, **{**named, **empty})
        for name, target in targets.items():
            if target.shape != empty[name].shape:
                target.resize_(empty[name].shape)

    def _shapes(self, args: Any, kwargs: Any) -> Any:
        """Results without numbers; None if their shapes depend on numbers, or they have none."""
        is_mask = self._name == "aten.index.Tensor" and any(
            each.dtype in (torch.bool, torch.uint8) for each in tensors_in(args[1])
        )
        if is_mask or not self._returns_tensors:
            return None
        on_meta, named = mapped((args, kwargs), to_meta)
        try:
            return self._operator(*on_meta, **named)
        except Exception as error:
            if any(words in str(error) for words in NO_SHAPE):
                return None
            raise

    def _wait(self, compute: Callable[[], Any], device: torch.device) -> Any:
        torch.cuda.current_stream().synchronize()
        return mapped(compute(), lambda v: v.to(device) if isinstance(v, torch.Tensor) else v)

    def _run(self, compute: Callable[[], Any], shapes: Any, device: torch.device) -> Any:
        def allocated(shape: Any) -> Any:
            if not isinstance(shape, torch.Tensor):
                return shape
            size, strides = shape.shape, shape.stride()
            return torch.empty_strided(size, strides, dtype=shape.dtype, device=device)

        results = mapped(shapes, allocated)
        targets = [Place(each) for each in tensors_in(results)]

        def run() -> None:
            for target, result in zip(targets, tensors_in(compute()), strict=True):
                target.tensor().copy_(result)

        launch(run, self._name)
        return results


def copy_(target: torch.Tensor, source: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
    """Torch's own copy, but for those of a card that its kernels make."""
    is_inside = is_on_card(target) and is_on_card(source)
    if not is_inside or is_of_bytes(target, source):
        operator = torch.ops.aten.copy_.default
        return operator.redispatch(ANY_DEVICE, target, source, non_blocking)
    to, origin = Place(target), Place(source)
    launch(lambda: to.tensor().copy_(origin.tensor()), "copy_")
    return target


def is_of_bytes(target: torch.Tensor, source: torch.Tensor) -> bool:
    same = all(
        read(target) == read(source)
        for read in (
            lambda t: t.dtype,
            lambda t: t.shape,
            torch.Tensor.stride,
            torch.Tensor.is_conj,
            torch.Tensor.is_neg,
        )
    )
    return same and target.is_contiguous()
