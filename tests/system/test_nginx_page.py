"""The configurations of nginx on their page, before a server of ours, as clients see it."""

import base64
import json
import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPSConnection
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.client import LIMIT_S, tensor
from tests.support.pages import blocks_of, commands_of
from tests.support.ports import free_port
from tests.support.process import Process, wait_until

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
PAGE = "docs/recipes/nginx.md"
KEY = "0123456789abcdef"
ECHO = "/team/serve?servable_identifier=echo.pt"
BODY = json.dumps([tensor([2], [1.0, 2.0])])
USER = "" if os.geteuid() else "user root;"  # whose folders these are
FRAME = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/proxied;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {text}
}}
"""

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


class Behind(NamedTuple):
    """A server and where it listens, for nginx to stand before it."""

    process: Process
    socket: Path
    certificate: tuple[Path, Path]


@pytest.fixture(scope="module")
def behind(
    model_root: Path,
    certificate: tuple[Path, Path],
    start_for_module: Callable[..., Process],
    tmp_path_factory: pytest.TempPathFactory,
) -> Behind:
    """The server as the page starts it."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "keys").write_text(f"{KEY}\n")
    command = next(
        command
        for block in blocks_of(PAGE)
        for command in commands_of(block.text)
        if command.startswith("torch-serving models")
    )
    command = command.replace("/run/torch-serving", str(folder))
    command = command.replace("-file keys", f"-file {folder}/keys")
    process = start_for_module(model_root, *shlex.split(command)[2:])
    assert process.url
    return Behind(process, folder / "server.sock", certificate)


@pytest.fixture
def serve(behind: Behind, tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """Start nginx with a configuration; returns its port."""
    started: list[subprocess.Popen[bytes]] = []

    def serve(text: str) -> int:
        port = free_port()
        cert, key = behind.certificate
        replaced = {
            "unix:/run/torch-serving/server.sock": f"unix:{behind.socket}",
            "listen 443": f"listen 127.0.0.1:{port}",
            "/etc/nginx/tls/cert.pem": str(cert),
            "/etc/nginx/tls/key.pem": str(key),
            "/etc/nginx/tls/users": str(tmp_path / "users"),
            "Bearer KEY": f"Bearer {KEY}",
        }
        for printed, here in replaced.items():
            text = text.replace(printed, here)
        file = tmp_path / "nginx.conf"
        file.write_text(FRAME.format(user=USER, folder=tmp_path, text=text))
        command = [NGINX, "-p", str(tmp_path), "-c", str(file)]
        checked = subprocess.run([*command, "-t"], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr
        started.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        wait_until(lambda: is_open(port))
        return port

    yield serve
    for process in started:
        process.terminate()
        process.wait(LIMIT_S)


def is_open(port: int) -> bool:
    with closing(socket.socket()) as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def configurations() -> tuple[str, str, str]:
    """The page's first one, and the same with each of the others in the place of its location."""
    first, inference, login = (block.text for block in blocks_of(PAGE) if block.language == "nginx")
    location = re.compile(r"    location .*?^    \}\n", re.MULTILINE | re.DOTALL)
    return first, *(location.sub(lambda _, text=each: text, first) for each in (inference, login))


def connect(port: int) -> HTTPSConnection:
    context = ssl._create_unverified_context()
    return HTTPSConnection("127.0.0.1", port, timeout=LIMIT_S, context=context)


def ask(port: int, method: str, target: str, body: str | bytes = b"", **headers: str):
    with closing(connect(port)) as connection:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, target, body, named)
        response = connection.getresponse()
        return response, response.read()


def test_a_server_below_a_path(serve: Callable[[str], int], behind: Behind):
    port = serve(configurations()[0])
    bearer = f"Bearer {KEY}"
    response, body = ask(port, "POST", ECHO, BODY, Authorization=bearer)
    assert json.loads(body)["result"]["value"] == [1.0, 2.0]
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["x-request-id"])
    assert ask(port, "POST", ECHO, BODY)[0].status == 401
    assert ask(port, "GET", "/team/ready")[0].status == 200
    assert ask(port, "GET", "/serve")[0].status == 404  # of nginx's own
    _, document = ask(port, "GET", "/team/openapi.json", Authorization=bearer)
    assert json.loads(document)["servers"][0]["url"] == "/team"
    wait_until(lambda: " 127.0.0.1 POST /serve" in behind.process.stdout)  # nginx's client


def test_a_body_that_nginx_alone_would_refuse(serve: Callable[[str], int]):
    port = serve(configurations()[0])
    large = json.dumps([tensor([500_000], [0.5] * 500_000)])
    assert len(large) > 2 << 20
    response, _ = ask(port, "POST", ECHO, large, Authorization=f"Bearer {KEY}")
    assert response.status == 200


def test_only_inference(serve: Callable[[str], int]):
    port = serve(configurations()[1])
    headers = {"Authorization": f"Bearer {KEY}"}
    assert ask(port, "POST", ECHO, BODY, **headers)[0].status == 200
    assert ask(port, "GET", "/team/ready")[0].status == 200
    for hidden in ("models", "metrics", "models/echo.pt", "v2/repository/index", "docs"):
        assert ask(port, "GET", f"/team/{hidden}", **headers)[0].status == 404
    v2 = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1]}]}
    target = "/team/v2/models/echo.pt/infer"
    assert ask(port, "POST", target, json.dumps(v2), **headers)[0].status == 200


def test_a_key_that_nginx_adds(serve: Callable[[str], int], tmp_path: Path):
    (tmp_path / "users").write_text("ann:{PLAIN}secret\n")
    port = serve(configurations()[2])
    login = base64.b64encode(b"ann:secret").decode()
    assert ask(port, "GET", "/team/models")[0].status == 401
    assert ask(port, "GET", "/team/models", Authorization=f"Basic {login}")[0].status == 200


def test_the_live_figures_of_the_console(serve: Callable[[str], int]):
    """They come as they are made: nginx keeps back no events."""
    connection = connect(serve(configurations()[0]))
    headers = {"Authorization": f"Bearer {KEY}", "Accept": "text/event-stream"}
    with closing(connection):
        connection.request("GET", "/team/console/stats", headers=headers)
        assert connection.getresponse().readline() == b"event: start\n"
