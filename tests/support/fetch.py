"""One request with the standard library's client: no state, any method, any target."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from tests.support.client import LIMIT_S


def fetch(
    url: str, target: str, headers: dict[str, str] | None = None, method: str = "GET"
) -> tuple[int, Any, Any]:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=LIMIT_S)
    connection.request(method, target, None, headers or {})
    with connection.getresponse() as response:
        body = response.read()
    connection.close()
    is_json = response.headers["content-type"] == "application/json"
    text = body.decode("utf-8", "replace")
    return response.status, response.headers, json.loads(text) if is_json and text else text
