"""Who asks at an address of another server learns the one that is here."""

import pytest

from tests.support.client import Client
from torch_serving.http.other_addresses import OIP, PROBES, what_is_meant

HERE = "models are at POST /serve?servable_identifier="
LIST = "models are listed at GET /models"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/ping", PROBES),
        ("/health", PROBES),
        ("/healthz/", PROBES),
        ("/predictions/mlp", f"{HERE}mlp"),
        ("/predictions/mlp/1.0", f"{HERE}mlp"),
        ("/v1/models/mlp:predict", f"{HERE}mlp"),
        ("/v1/models/mlp/versions/2:predict", f"{HERE}mlp"),
        ("/serve/text/mlp.pt", f"{HERE}text/mlp.pt"),
        ("/serve/a b&c", f"{HERE}a%20b%26c"),
        (f"/serve/{'x' * 5000}", HERE + "x" * 100),
        ("/serve/", f"{HERE}<path>"),
        ("/predict", f"{HERE}<path>"),
        ("/invocations", f"{HERE}<path>"),
        ("/v1/models", LIST),
        ("/v2/models/mlp/predict", OIP),
        ("/redoc", "a page of all requests is at /docs"),
        ("/", f"{HERE}<path>"),
    ],
)
def test_what_is_meant(path: str, words: str):
    assert what_is_meant(path) == words


@pytest.mark.parametrize("path", ["/predictions/echo.pt", "/v1/models/echo.pt:predict"])
def test_a_server_says_it(client: Client, path: str):
    response = client.request("POST", path, [1])
    assert (response.status, response.document["detail"]) == (404, f"{HERE}echo.pt")
