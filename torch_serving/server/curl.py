"""Commands that ask a server, as a shell takes them. It imports no torch."""

import shlex
from urllib.parse import quote, urlencode

MAX_SHOWN = 200  # characters of a request that a command holds


def serve_url(url: str, name: str, method: str = "forward") -> str:
    """Return the address of inference with a model."""
    target = f"{url}/serve?servable_identifier={quote(name)}"
    return target if method == "forward" else f"{target}&{urlencode({'method': method})}"


def image_command(url: str, name: str, content_type: str, method: str = "forward") -> str:
    """Return a command that sends an image file."""
    header = shlex.quote(f"Content-Type: {content_type}")
    return f'curl "{serve_url(url, name, method)}" --data-binary @photo.jpg -H {header}'


def request_command(
    url: str, name: str, body: str, curl: str = "curl", path: str = "", method: str = "forward"
) -> str:
    """Return a command that sends a body; `inspect` makes a long one, of the file with a path."""
    address = f'"{serve_url(url, name, method)}"'
    if len(body) <= MAX_SHOWN or not path:
        return f"{curl} {address} --data {shlex.quote(body)}"
    chosen = "" if method == "forward" else f" {method}"
    example = f"torch-serving inspect {shlex.quote(path)} --example{chosen}"
    return f"{example} | {curl} {address} --data-binary @-"
