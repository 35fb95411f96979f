"""Image files on a device: decoded in threads, run with others, explained where they fail."""

import asyncio
import base64
import json
import threading
from typing import Any

import pytest
import torch

from tests.support.batching import method
from tests.support.device_engine import Accelerators, served, value_of
from tests.support.loaded import method_of
from tests.support.pictures import PICTURE, encoded, envelope
from torch_serving.codecs.image_files import image_reader
from torch_serving.codecs.invocation import CodecInvocation
from torch_serving.codecs.json import images
from torch_serving.errors import IncompatibleDtype

PNG = base64.b64decode(encoded(PICTURE))


def test_they_are_decoded_in_threads_and_join_batches(
    device: Accelerators, monkeypatch: pytest.MonkeyPatch
):
    model = method()
    image = CodecInvocation(model, image_reader("image/png; batch=1"), None)
    text = json.dumps({"x": envelope(encoded(PICTURE), batch=True)}).encode()
    threads: set[threading.Thread] = set()
    open_image = images.open_image

    def recorded(data: images.Encoded) -> Any:
        threads.add(threading.current_thread())
        return open_image(data)

    monkeypatch.setattr(images, "open_image", recorded)
    with served() as server:

        async def ask_all() -> list[Any]:
            first = await server.ask(model, text)
            for _ in range(3):  # as if all had been short
                image.inline.record_decode(1 << 20, 1e-6)
                first += await server.ask(image, *[PNG] * 4)
            both = await asyncio.gather(server.ask(image, PNG, PNG), server.ask(model, text))
            return [*first, *both[0], *both[1]]

        expected, *others = map(value_of, asyncio.run(ask_all()))
        assert others == [expected] * 15
        assert not server.fatal
    assert threads
    assert threading.main_thread() not in threads


class Floats(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv2d(x, torch.ones(1, 3, 1, 1))


def test_an_error_of_the_device_says_what_else_to_send(device: Accelerators):
    image = CodecInvocation(method_of(torch.jit.script(Floats())), image_reader("image/png"), None)
    with served() as server:
        (error,) = asyncio.run(server.ask(image, PNG))
    assert isinstance(error, IncompatibleDtype)
    assert error.detail.count("the image came as uint8") == 1
