"""Requests with bytes changed at random: no wrong response, no server error, no end of the server.

TORCH_SERVING_MUTATIONS says how many; CONTRIBUTING.md has the long run.
"""

import os

from tests.support.client import Client
from tests.support.mutations import send_all_mutations
from tests.support.process import Process

COUNT = int(os.environ.get("TORCH_SERVING_MUTATIONS", "2000"))


def test_mutated_requests(uvicorn_server: Process):
    send_all_mutations(uvicorn_server.url, COUNT)
    with Client(uvicorn_server.url) as client:
        client.check()
    assert "Traceback (most recent" not in uvicorn_server.stderr
    assert "died" not in uvicorn_server.stderr
