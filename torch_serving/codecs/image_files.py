"""Bodies that are an image file: the one tensor of a method.

The same decoder as that of images in JSON makes its pixels. What the header leaves open of them is
as the model declares it, else as in its first warm-up request, else as in JSON.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from torch_serving.codecs.interfaces import Body, MethodInfo, PixelForm
from torch_serving.codecs.json import hints, images
from torch_serving.codecs.json._decoder import Argument, TypeSpec
from torch_serving.codecs.tensor_tree.specs import TensorSpec, can_be_named, only_input
from torch_serving.codecs.tensor_tree.unflatten import unflatten
from torch_serving.errors import (
    ClientError,
    InferenceFailed,
    InvalidInput,
    InvalidParameter,
    ServingError,
    UnsupportedContentType,
)
from torch_serving.suggestions import did_you_mean

IMAGE = "image/"
MEDIA_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp")
BATCHES = {"true": True, "1": True, "false": False, "0": False}
PARAMETERS = {
    "data_type": images.DATA_TYPES,
    "batch": tuple(BATCHES),
    "mode": images.MODES,
    "layout": images.LAYOUTS,
}
IGNORED = ("charset",)  # which some clients add to each body
ENVELOPE = '{"type": "image", "value": "<its base64>"}'
OTHER_FORM = (
    "; the image came as uint8 without a batch dimension: the header "
    "`Content-Type: image/jpeg; data_type=float32; batch=true` sends it otherwise"
)
MAX_SHOWN = 200  # characters of a signature or a request


class ImageReader(NamedTuple):
    """What a header says of the pixels; None leaves it to the model."""

    data_type: str | None = None
    batch: bool | None = None
    mode: str = "RGB"
    layout: str = "CHW"

    @property
    def media_type(self) -> str:
        return "image/*"

    @property
    def is_open(self) -> bool:
        return self.data_type is None and self.batch is None


def is_image(media_type: str) -> bool:
    return media_type[: len(IMAGE)].lower() == IMAGE


def image_reader(content_type: str) -> ImageReader:
    """Read the parameters of a media type. Raises InvalidParameter for those that are unknown."""
    found: dict[str, Any] = {}
    for parameter in filter(str.strip, content_type.split(";")[1:]):
        name, _, quoted = (part.strip() for part in parameter.partition("="))
        name, value = name.lower(), quoted.strip('"')
        if name in IGNORED:
            continue
        known = PARAMETERS.get(name)
        if known is None:
            raise wrong_parameter(name)
        if value not in known:
            raise in_header(f"`{name}` is one of {', '.join(known)}, got `{value[:40]}`")
        if name in found:
            raise in_header(f"`{name}` was given twice")
        found[name] = BATCHES[value] if name == "batch" else value
    return ImageReader(**found)


def wrong_parameter(name: str) -> InvalidParameter:
    if name in hints.OF_IMAGES:
        return in_header(f"`{name[:40]}`: {hints.NO_RESIZING}")
    known = ", ".join(PARAMETERS)
    meant = did_you_mean(name, PARAMETERS, "`")
    return in_header(f"`{name[:40]}` is unknown; parameters of an image are {known}{meant}")


def in_header(problem: str) -> InvalidParameter:
    return InvalidParameter(f"header `Content-Type`: {problem}")


def decode_file(reader: ImageReader, method: MethodInfo, body: Body) -> list[Any]:
    """Make the arguments of a method of an image file.

    Raises InvalidInput for a method that takes something else, and for a body that is no image;
    IncompatibleShape and IncompatibleDtype for an image that is not as declared; TakesLong as
    `decode_image` does; UnsupportedContentType without the extra.
    """
    if not images.is_installed():
        raise UnsupportedContentType(images.NO_EXTRA)
    spec = image_input(method)
    data_type, batch = form_of(reader, spec, method)
    try:
        pixels = images.decode_image(body, reader.mode, reader.layout, batch, data_type)
    except ValueError as error:
        raise InvalidInput(f"{error}{hints.of_no_image(body)}") from None
    return unflatten(method.signature.arguments, {spec.name: torch.from_numpy(pixels)})


def image_input(method: MethodInfo) -> TensorSpec:
    """The tensor that an image becomes. Raises InvalidInput for a method that needs others."""
    arguments = method.signature.arguments
    try:
        spec = only_input(arguments, "")
    except InvalidInput:
        spec = None
    left = [each for each in arguments if each.required and not can_be_named(each.spec)]
    if spec is not None and spec.type_spec.kind == "tensor" and not left:
        return spec
    takes = f"it takes {method.signature!s:.{MAX_SHOWN}}"
    members = {each.name: envelope(each.spec) for each in arguments if each.required}
    if not any(ENVELOPE in value for value in members.values()):
        raise InvalidInput(f"the method takes no image alone: {takes}")
    request = ", ".join(f'"{name}": {value}' for name, value in members.items())
    raise InvalidInput(
        "an image file is the body of a method that needs one tensor and nothing else; "
        f"{takes}; send JSON: {{{request:.{MAX_SHOWN}}}}"
    )


def envelope(spec: TypeSpec) -> str:
    if spec.kind == "tensor":
        return ENVELOPE
    if spec.kind in ("list", "optional"):
        inner = envelope(spec.parts[0])
        return f"[{inner}]" if spec.kind == "list" else inner
    return "…"


def form_of(reader: ImageReader, spec: TensorSpec, method: MethodInfo) -> PixelForm:
    """What the pixels become: by the header, what is declared, a warm-up request, or as in JSON."""
    known = method.pixels or PixelForm("uint8", False)
    constraint = spec.type_spec.constraint
    data_type = reader.data_type or (constraint and constraint.data_type) or known.data_type
    batch = known.batch if reader.batch is None else reader.batch
    if reader.batch is None and constraint is not None and constraint.shape is not None:
        batch = len(constraint.shape) == 4
    return PixelForm(data_type, batch)


def pixels_among(arguments: Iterable[Argument], values: Sequence[Any]) -> PixelForm | None:
    """The form of the first required value that could be pixels."""
    for argument, value in zip(arguments, values, strict=False):
        if argument.required and isinstance(value, torch.Tensor | np.ndarray):
            data_type = str(value.dtype).removeprefix("torch.")
            if data_type in images.DATA_TYPES and value.ndim in (3, 4):
                return PixelForm(data_type, value.ndim == 4)
    return None


def run_file(reader: ImageReader, method: MethodInfo, inputs: list[Any]) -> Any:
    try:
        return method.run(inputs)
    except ServingError as error:
        raise explained(reader, method, error) from error.__cause__


def translate_file(reader: ImageReader, method: MethodInfo, error: Exception) -> ServingError:
    return explained(reader, method, method.translate(error))


def explained(reader: ImageReader, method: MethodInfo, error: ServingError) -> ServingError:
    """Say how the form of pixels can be given, if nobody gave it and the method failed with it."""
    constraint = image_input(method).type_spec.constraint
    is_known = method.pixels is not None or (constraint is not None and constraint.is_declared)
    if reader.is_open and not is_known and isinstance(error, ClientError | InferenceFailed):
        error.detail += OTHER_FORM
    return error
