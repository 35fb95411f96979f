"""Why a response is no success, in its own words."""

import json
from http import HTTPStatus

MAX_REASON = 200  # characters


def reason_in(body: bytes, status: int) -> str:
    """Return the words of an error's body, or those of its status."""
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if isinstance(document, dict):
        parts = [document.get("description"), document.get("detail"), document.get("error")]
        if words := ": ".join(str(part) for part in parts if part):
            return words[:MAX_REASON]
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "an unknown status"
