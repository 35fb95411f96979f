"""What must hold for the body of a request, however it is received."""

from torch_serving.codecs.interfaces import Body
from torch_serving.codecs.json.hints import NO_BODY
from torch_serving.errors import BodyTooLarge, EmptyBody, InvalidJson


def check_length(length: int | None, limit_bytes: int) -> None:
    """Raise BodyTooLarge for a body that is, or says that it is, over the limit."""
    if length is not None and length > limit_bytes:
        raise BodyTooLarge(f"the body has {length} bytes or more; the limit is {limit_bytes}")


def check_whole(body: Body, length: int | None) -> None:
    """Raise EmptyBody, or InvalidJson for a body that is shorter than it says."""
    if not body:
        raise EmptyBody(NO_BODY)
    if length is not None and len(body) != length:
        raise InvalidJson(f"byte {len(body)}: the body ends here, {length} bytes were announced")
