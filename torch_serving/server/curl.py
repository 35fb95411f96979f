"""Commands that ask a server, as a shell takes them. It imports no torch."""

import shlex
from urllib.parse import quote, urlencode


def serve_url(url: str, name: str, method: str = "forward") -> str:
    """Return the address of inference with a model."""
    target = f"{url}/serve?servable_identifier={quote(name)}"
    return target if method == "forward" else f"{target}&{urlencode({'method': method})}"


def serve_command(url: str, name: str, body: str, curl: str = "curl") -> str:
    """Return a command that sends a body to `forward`."""
    return f'{curl} "{serve_url(url, name)}" --data {shlex.quote(body)}'
