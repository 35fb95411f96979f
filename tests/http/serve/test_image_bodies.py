"""Image files as bodies of /serve, on both servers, and what clients send instead."""

import base64
import json
from pathlib import Path
from urllib.parse import urlencode

import falcon.testing
import numpy as np
import pytest

from tests.support.binary_bodies import NUMPY, Ask, array_in
from tests.support.pictures import PICTURE, PIXELS, encoded, envelope
from torch_serving.config import Config
from torch_serving.http import app, wsgi
from torch_serving.service.runtime import Runtime
from torch_serving.telemetry.responses import ResponseRecorder

PNG = base64.b64decode(encoded(PICTURE))
FORM = b'--b\r\nContent-Disposition: form-data; name="file"\r\nContent-Type: image/png\r\n\r\n'
EXPECTED = PIXELS.transpose(2, 0, 1)


@pytest.mark.parametrize("sent", ["image/png", "image/jpeg", "image/x-anything", "IMAGE/PNG"])
def test_the_bytes_say_of_which_kind_a_file_is(ask: Ask, sent: str):
    np.testing.assert_array_equal(array_in(ask("echo.pt", PNG, sent, NUMPY)), EXPECTED)
    result = ask("echo.pt", PNG, sent).document["result"]
    assert result["value"] == EXPECTED.flatten().tolist()


def test_the_header_chooses_the_form(ask: Ask):
    array = array_in(ask("echo.pt", PNG, "image/png; data_type=float32; batch=true", NUMPY))
    assert (array.dtype, array.shape) == (np.float32, (1, 3, 4, 6))


@pytest.mark.parametrize(
    ("model", "body", "sent", "words"),
    [
        ("echo.pt", PNG, "application/x-www-form-urlencoded", "header Content-Type: image/png"),
        ("echo.pt", PNG, "application/octet-stream", "header Content-Type: image/png"),
        ("echo.pt", FORM + PNG, "multipart/form-data; boundary=b", "curl --data-binary @FILE"),
        ("echo.pt", b"[1, 2]", "image/png", "header Content-Type: application/json"),
        ("echo.pt", PNG[:-30], "image/png", "the image is broken"),
        ("echo.pt", PNG, "image/png; size=2", "neither resized nor normalised"),
        ("two.pt", PNG, "image/png", 'send JSON: {"x": {"type": "image"'),
        ("str.pt", PNG, "image/png", "the method takes no image alone"),
    ],
)
def test_what_is_refused_says_what_to_send(
    ask: Ask, model: str, body: bytes, sent: str, words: str
):
    response = ask(model, body, sent)
    assert response.status == 400
    assert words in response.document["detail"]


def test_all_doors_give_the_same(model_root: Path):
    query = urlencode({"servable_identifier": "echo.pt"})
    text = json.dumps([envelope(encoded(PICTURE))]).encode()
    with Runtime.build(Config(model_root=model_root, threads=1)) as runtime:
        recorder = ResponseRecorder(runtime.group.statistics)
        doors = [app.create_app(runtime), wsgi.create_app(runtime, recorder)]
        for client in map(falcon.testing.TestClient, doors):
            expected = client.simulate_post("/serve", query_string=query, body=text)
            given = client.simulate_post(
                "/serve", query_string=query, body=PNG, headers={"Content-Type": "image/png"}
            )
            assert given.status_code == expected.status_code == 200
            assert given.json == expected.json
            missing = client.simulate_post(
                "/serve",
                query_string="servable_identifier=nowhere.pt",
                body=PNG,
                headers={"Content-Type": "image/png; mode=BGR"},
            )
            assert "`mode` is one of" in missing.json["detail"]  # before the model
