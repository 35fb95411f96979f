"""Where images are decoded: in threads, and without the GIL."""

import asyncio
import base64
import json
import threading
from typing import Any

import pytest
import torch

from tests.support.gil import lets_others_run
from tests.support.pictures import PICTURE, Image, encoded, envelope
from torch_serving.codecs.image_files import image_reader
from torch_serving.codecs.invocation import CodecInvocation
from torch_serving.codecs.json import images
from torch_serving.engine.engine import Engine
from torch_serving.engine.inline_policy import InlinePolicy
from torch_serving.errors import InvalidInput
from torch_serving.models.servable import Method


@pytest.mark.parametrize("as_file", [False, True])
def test_images_are_never_decoded_on_the_event_loop(
    echo: Method, monkeypatch: pytest.MonkeyPatch, as_file: bool
):
    """Even a small body may hold millions of pixels."""
    threads: list[threading.Thread] = []
    open_image = images.open_image

    def recorded(encoded: images.Encoded) -> Any:
        threads.append(threading.current_thread())
        return open_image(encoded)

    monkeypatch.setattr(images, "open_image", recorded)
    monkeypatch.setattr(echo, "inline", InlinePolicy(True))
    shapes = torch.zeros(3, 4, 6)
    invocation = CodecInvocation(echo, image_reader("image/png"), None) if as_file else echo
    for policy in (echo.inline, invocation.inline):
        policy.bounded = True
        for _ in range(5):
            policy.record(1 << 20, [shapes], 1e-5)
    body = json.dumps([envelope(encoded(PICTURE))]).encode()
    text = json.dumps([{"type": "tensor", "value": shapes.tolist()}]).encode()
    engine = Engine(1)
    engine.start()
    try:

        async def submit() -> None:
            image = base64.b64decode(encoded(PICTURE)) if as_file else body
            assert invocation.inline.may_run_inline(len(image))
            for model, sent in ((invocation, image), (echo, text), (invocation, image)):
                result = json.loads(await engine.submit(model, sent))["result"]
                assert result["shape"] == [3, 4, 6]

        asyncio.run(submit())
    finally:
        engine.close()
        engine.join(10)
    assert len(threads) == 2
    assert threading.main_thread() not in threads


def test_broken_images_are_refused_by_a_thread_as_well(
    echo: Method, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(echo, "inline", InlinePolicy(True))
    for _ in range(5):
        echo.inline.record(1 << 20, [torch.zeros(1)], 1e-5)
    engine = Engine(1)
    engine.start()
    try:
        with pytest.raises(InvalidInput, match="expected an image of"):
            asyncio.run(engine.submit(echo, json.dumps([envelope("AAAA")]).encode()))
    finally:
        engine.close()
        engine.join(10)


def test_pixels_are_decoded_without_the_gil():
    picture = Image.effect_noise((1500, 1500), 60).convert("RGB")
    data = encoded(picture, "JPEG", quality=90)
    assert lets_others_run(lambda _: images.open_image(data))
