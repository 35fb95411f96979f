"""A server that a proxy serves below a path, which the proxy removes."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.bare_server import BareServer
from tests.support.client import Client, raw_request, tensor
from tests.support.fetch import fetch
from tests.support.prefix_proxy import served_below
from tests.support.process import Process

PREFIX = "/of%20a/team"


@pytest.mark.parametrize(("flags", "published"), [([], "."), (["--root-path", PREFIX], PREFIX)])
def test_it_is_the_address_in_the_openapi_document(
    model_root: Path, start: Callable[..., Process], flags: list[str], published: str
):
    process = start(model_root, "--port", "0", *flags)
    with served_below(PREFIX, process.url) as url:
        status, _, document = fetch(url, f"{PREFIX}/openapi.json")
        assert (status, document["servers"]) == (200, [{"url": published}])
        assert fetch(url, f"{PREFIX}/docs")[0] == 200
        with Client(url) as client:
            x = tensor([1], [1.0])
            target = f"{PREFIX}/serve?servable_identifier=echo.pt"
            assert client.request("POST", target, [x]).result == x


def test_the_application_knows_it():
    class Server(BareServer):
        root_path = "/a team"

        async def application(self, scope: Any, receive: Any, send: Any) -> None:
            assert (scope["root_path"], scope["path"]) == (self.root_path, "/quick")
            await super().application(scope, receive, send)

    server = Server()
    request = raw_request(b"", "Connection: close", target="/quick", method="GET")
    assert b"/quick" in asyncio.run(server.feed([request]))
    assert server.asked == ["/quick"]
