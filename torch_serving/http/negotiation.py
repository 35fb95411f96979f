"""Which form a request's body has, and which its answer may have, by its headers."""

import functools
from collections.abc import Callable
from typing import Any

from torch_serving.codecs.interfaces import Codec
from torch_serving.codecs.npy import NPY
from torch_serving.codecs.safetensors import SAFETENSORS, library
from torch_serving.errors import NotAcceptable, UnsupportedContentType
from torch_serving.http.preferences import weights_of

FORMS = {form.media_type: form for form in (SAFETENSORS, NPY)}
MAX_HEADERS = 256  # that are remembered: clients send few different ones
MAX_HEADER = 256  # characters of one
JSON_TYPES = ("application/json", "application/*", "*/*")

FormOf = Callable[[str | None], Codec | None]


def unless_long(remembered: Any) -> FormOf:
    """Leave long headers out of what a function remembers."""

    @functools.wraps(remembered)
    def form_of(header: str | None) -> Codec | None:
        is_short = header is None or len(header) <= MAX_HEADER
        form: Codec | None = (remembered if is_short else remembered.__wrapped__)(header)
        return form

    return form_of


@unless_long
@functools.lru_cache(MAX_HEADERS)
def form_of_body(content_type: str | None) -> Codec | None:
    """None is JSON: clients call that by many names, so every other type is taken for it.

    Raises UnsupportedContentType for a form whose library is not installed.
    """
    form = FORMS.get(media_type(content_type))
    if form is SAFETENSORS and library() is None:
        raise UnsupportedContentType(f"{form.media_type} needs the extra `safetensors` here")
    return form


@unless_long
@functools.lru_cache(MAX_HEADERS)
def form_of_answer(accept: str | None) -> Codec | None:
    """The form that is liked best; None is JSON, which also who asks for none of ours gets.

    Raises NotAcceptable for a form whose library is not installed, if it is the only one.
    """
    if accept is None or accept == "*/*":
        return None
    wanted = sorted(weights_of(accept).items(), key=lambda item: -item[1])
    ours = [name for name, weight in wanted if weight > 0 and name in {*FORMS, *JSON_TYPES}]
    for name in ours:
        form = FORMS.get(name)
        if form is not SAFETENSORS or library() is not None:
            return form
    if ours:
        raise NotAcceptable(f"{ours[0]} needs the extra `safetensors` here")
    return None


def media_type(header: str | None) -> str:
    return (header or "").partition(";")[0].strip().lower()
