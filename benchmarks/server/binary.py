"""An image through a model that returns it, in JSON and binary media types, beside a bare app.

`python -m benchmarks.server.binary`. All media types are measured in turn, several times, and the
best of each counts. CPU is that of the server's processes per request. The bare app receives and
sends the same number of bytes on stock uvicorn, or on this server's protocol and allocator.
"""

import io
import json
import tempfile
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch

from benchmarks.support.compare import Ratio, record
from benchmarks.support.load import parser_of, require_wrk
from benchmarks.support.payloads import IMAGE
from benchmarks.support.process import Running, start

BARE_APP = "benchmarks.server.apps.bare_app"
ARRAY = IMAGE.astype(np.float32)
CONNECTIONS = (1, 4)
BARE = ("uvicorn", "our protocol")
SAFETENSORS, NPY = "application/vnd.safetensors", "application/x-npy"
SCRIPT = """
wrk.method = "POST"
local file = io.open("{path}", "rb")
wrk.body = file:read("*a")
file:close()
"""


@dataclass(frozen=True)
class Message:
    """A request: its target, body and headers."""

    target: str
    body: bytes
    headers: dict[str, str]


class Echo(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def messages() -> dict[str, Message]:
    serve, infer = "/serve?servable_identifier=echo.pt", "/v2/models/echo.pt/infer"
    shape = list(ARRAY.shape)
    values = ARRAY.ravel().tolist()
    described = {"name": "x", "shape": shape, "datatype": "FP32"}
    text = json.dumps([{"type": "tensor", "shape": shape, "value": values}]).encode()
    text_v2 = json.dumps({"inputs": [{**described, "data": values}]}).encode()
    size = {"binary_data_size": ARRAY.nbytes}
    head = json.dumps(
        {
            "inputs": [{**described, "parameters": size}],
            "parameters": {"binary_data_output": True},
        }
    ).encode()
    npy = io.BytesIO()
    np.save(npy, ARRAY)
    length = {"Inference-Header-Content-Length": str(len(head))}
    return {
        "/serve, JSON": Message(serve, text, {}),
        "V2, JSON": Message(infer, text_v2, {}),
        "V2, binary": Message(infer, head + ARRAY.tobytes(), length),
        "/serve, safetensors": Message(
            serve,
            safetensors.numpy.save({"x": ARRAY}),
            {"Content-Type": SAFETENSORS, "Accept": SAFETENSORS},
        ),
        "/serve, npy": Message(serve, npy.getvalue(), {"Content-Type": NPY, "Accept": NPY}),
    }


def main() -> None:
    arguments = parser_of("server.binary", __doc__, rounds=3).parse_args()
    require_wrk()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        torch.jit.script(Echo()).save(folder / "echo.pt")
        ours = stack.enter_context(start("torch_serving", str(folder), "--port", "{port}"))
        size = str(ARRAY.nbytes)
        bare = stack.enter_context(start(BARE_APP, "{port}", size))
        bare_ours = stack.enter_context(start(BARE_APP, "{port}", size, "ours"))
        requests = {name: (ours, message) for name, message in messages().items()}
        plain = Message("/", ARRAY.tobytes(), {})
        requests |= {
            f"bare app, {base}": (server, plain)
            for base, server in zip(BARE, (bare, bare_ours), strict=True)
        }
        for name, (server, message) in requests.items():
            check(server, message)
            write_script(folder / name.replace("/", ""), message)
        for connections in CONNECTIONS:
            measure(requests, folder, connections, arguments.rounds, arguments.seconds)


def check(server: Running, message: Message) -> None:
    """Assert that the numbers come back."""
    request = urllib.request.Request(server.url(message.target), message.body, message.headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        content = response.read()
    if message.headers:
        assert content.endswith(ARRAY.tobytes())
    elif message.target != "/":
        document = json.loads(content)
        tensor = (
            document["result"]["value"] if "result" in document else document["outputs"][0]["data"]
        )
        assert np.array_equal(np.array(tensor, np.float32), ARRAY.ravel())


def write_script(path: Path, message: Message) -> None:
    body = path.with_suffix(".body")
    body.write_bytes(message.body)
    lines = [f'wrk.headers["{name}"] = "{value}"\n' for name, value in message.headers.items()]
    path.with_suffix(".lua").write_text(SCRIPT.format(path=body) + "".join(lines))


Requests = dict[str, tuple[Running, Message]]


def measure(requests: Requests, folder: Path, connections: int, rounds: int, seconds: int) -> None:
    rates, costs_us = dict.fromkeys(requests, 0.0), dict.fromkeys(requests, float("inf"))
    for number in range(rounds + 1):
        for name, (server, message) in requests.items():
            script = (folder / name.replace("/", "")).with_suffix(".lua")
            rate, cost_us = server.under_load(message.target, connections, script, seconds)
            if number:  # the first warms up
                rates[name] = max(rates[name], rate)
                costs_us[name] = min(costs_us[name], cost_us)
    heads = ("requests/s", "/ JSON", "CPU, µs", "/ bare", "/ bare on our protocol")
    print(f"\n| {connections} connections | {' | '.join(heads)} |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, rate in rates.items():
        gain = rate / rates["/serve, JSON"]
        ratios = [
            costs_us[name] / costs_us[f"bare app, {base}"] for base in ("uvicorn", "our protocol")
        ]
        print(
            f"| {name} | {rate:,.0f} | {gain:.1f} | {costs_us[name]:,.0f} "
            f"| {ratios[0]:.2f} | {ratios[1]:.2f} |",
            flush=True,
        )
        record(f"{name} / JSON, {connections} connections", Ratio(gain, "more"))


if __name__ == "__main__":
    main()
