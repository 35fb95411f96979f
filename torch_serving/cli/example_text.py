"""An example of a request as `inspect` shows it: long ones are shortened."""

from typing import TYPE_CHECKING, Any

from torch_serving.models.plain_example import MAX_SHOWN, text_of
from torch_serving.server.curl import image_command, request_command

if TYPE_CHECKING:  # torch takes a second
    from torch_serving.models.image_example import ImageExample

ADDRESS = "http://127.0.0.1:8888"
MAX_VALUES = 3  # of a list that is shortened


def shortened(text: str, document: Any) -> str:
    """Return the text of a request; of a long one, with … for most values of its lists."""
    return text if len(text) <= MAX_SHOWN else text_of(short(document)).replace('"…"', "…")


def short(value: Any) -> Any:
    if isinstance(value, list):
        parts = [short(each) for each in value[:MAX_VALUES]]
        return [*parts, "…"] if len(value) > MAX_VALUES else parts
    return {key: short(each) for key, each in value.items()} if isinstance(value, dict) else value


def example_lines(model: str, name: str, method: str, document: Any) -> list[str]:
    """Return a request, and a command that sends it; `model` is the path of the model's file."""
    text = text_of(document)
    command = request_command(ADDRESS, name, text, path=model, method=method)
    return [f"  example: {shortened(text, document)}", f"  {command}"]


def image_lines(name: str, method: str, image: "ImageExample | None") -> list[str]:
    """Return a command that sends an image file, if a method takes one."""
    if image is None:
        return []
    size = f" of {image.size[0]} x {image.size[1]} pixels" if image.size else ""
    command = image_command(ADDRESS, name, image.content_type, method)
    return [f"  or an image{size}:", f"  {command}"]
