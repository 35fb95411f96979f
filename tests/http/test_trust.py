"""Keys, certificates, and what a load balancer sees while the server stops."""

import json
import os
import shutil
import signal
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import LIMIT_S, Client, RawConnection, raw_request, tensor, with_length
from tests.support.process import Process, child_pids, wait_until
from tests.support.transports import SERVERS
from torch_serving.errors import StartupError, Unauthorized
from torch_serving.http.auth import ApiKeys

KEY, OTHER = "0123456789abcdef", "fedcba9876543210"
BODY = [tensor([1], [1.0])]


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "keys"
    path.write_text(
        f"# the team's\n   # a comment of more than 16 characters\n{KEY}\n\n  {OTHER}  \n"
    )
    return path


def is_allowed(keys: ApiKeys, *headers: str | None, path: str = "/serve") -> bool:
    try:
        keys.check(path, *headers)
    except Unauthorized:
        return False
    return True


def test_one_key_of_several_is_enough(key_file: Path):
    keys = ApiKeys(key_file)
    for key in (KEY, OTHER):
        assert is_allowed(keys, f"Bearer {key}", None)
        assert is_allowed(keys, f"bearer  {key} ", None)
        assert is_allowed(keys, None, key)
        assert is_allowed(keys, "Basic xyz", key)


@pytest.mark.parametrize(
    "headers",
    [
        (None, None),
        ("", ""),
        ("Bearer", None),
        (f"Bearer {KEY}x", None),
        (f"Bearer {KEY[:-1]}", None),
        (f"Bearer {KEY.upper()}", None),
        (f"Bearer {KEY}{OTHER}", None),
        (f"Basic {KEY}", None),
        (KEY, None),
        (None, "# the team's"),
        (None, "é" * 16),
        (None, "\udcff" * 16),
        ("Bearer wrong", KEY),
    ],
)
def test_what_is_no_key(key_file: Path, headers: tuple[str | None, str | None]):
    assert not is_allowed(ApiKeys(key_file), *headers)


def test_comments_are_no_keys(key_file: Path):
    for text in ("# the team's", "# a comment of more than 16 characters"):
        assert not is_allowed(ApiKeys(key_file), None, text)


def test_health_is_open_by_choice(key_file: Path):
    for path in ("/healthcheck", "/ready"):
        assert not is_allowed(ApiKeys(key_file), None, None, path=path)
        assert is_allowed(ApiKeys(key_file, open_health=True), None, None, path=path)
    assert not is_allowed(ApiKeys(key_file, open_health=True), None, None, path="/healthcheck/")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it holds no key"),
        (b"# only this\n\n", "it holds no key"),
        (b"short\n", "less than 16 characters"),
        (b"\xff" * 20, "it is not UTF-8"),
        (None, "No such file"),
    ],
)
def test_files_without_keys(tmp_path: Path, content: bytes | None, words: str):
    if content is not None:
        (tmp_path / "keys").write_bytes(content)
    with pytest.raises(StartupError, match=words):
        ApiKeys(tmp_path / "keys")


@pytest.mark.parametrize("server", SERVERS)
def test_nothing_is_disclosed_without_a_key(
    model_root: Path, start: Callable[..., Process], key_file: Path, server: str
):
    url = start(model_root, "--port", "0", "--server", server, "--api-key-file", key_file).url
    paths = ["/serve", "/serve?servable_identifier=echo.pt", "//serve", "/Serve", "/serve/", "/"]
    paths += ["/healthcheck", "/ready", "/models/echo.pt", "/nowhere", "/%73erve", "/../serve"]
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD"):
        for path in paths:
            with RawConnection(url) as connection:
                connection.send(raw_request(b"", "Content-Length: 0", target=path, method=method))
                status = int(connection.line().split()[1])
            assert status == 401, (method, path)
    request = urllib.request.Request(
        f"{url}/serve?servable_identifier=echo.pt",
        json.dumps(BODY).encode(),
        {"Authorization": f"Bearer {KEY}"},
    )
    with urllib.request.urlopen(request, timeout=LIMIT_S) as response:
        assert json.load(response)["result"] == BODY[0]
    request.remove_header("Authorization")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=LIMIT_S)
    assert caught.value.headers["www-authenticate"] == "Bearer"
    assert json.load(caught.value)["description"] == "Unauthorized"


def https_url(process: Process) -> str:
    wait_until(lambda: " on https://127.0.0.1:" in process.stdout)
    return process.stdout.split(" on ")[1].split()[0]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_https(
    model_root: Path,
    start: Callable[..., Process],
    certificate: tuple[Path, Path],
    workers: str,
):
    cert, key = certificate
    flags = ["--tls-cert", cert, "--tls-key", key, "--workers", workers]
    process = start(model_root, "--port", "0", *flags)
    url = https_url(process)
    context = ssl.create_default_context(cafile=cert)
    for length in (2, 2, 2, 2, 500_000):
        body = [tensor([length], [number / 4 for number in range(length)])]
        with urllib.request.urlopen(
            f"{url}/serve?servable_identifier=echo.pt",
            json.dumps(body).encode(),
            timeout=LIMIT_S,
            context=context,
        ) as response:
            assert json.load(response)["result"] == body[0]
    process.signal()
    assert process.exit_code() == 0


def test_a_new_worker_needs_no_certificate(
    model_root: Path,
    start: Callable[..., Process],
    certificate: tuple[Path, Path],
    tmp_path: Path,
):
    """One that is being replaced, or is wrong, is read at a reload only."""
    cert, key = shutil.copy(certificate[0], tmp_path), shutil.copy(certificate[1], tmp_path)
    process = start(model_root, "--port", "0", "--tls-cert", cert, "--tls-key", key)
    url = https_url(process)
    Path(cert).write_text("no certificate\n")
    process.signal(signal.SIGHUP)
    wait_until(lambda: "not reloaded" in process.stderr)
    os.kill(child_pids(process)[0], signal.SIGKILL)
    wait_until(lambda: "worker 0 died" in process.stderr)
    context = ssl.create_default_context(cafile=certificate[0])
    healthcheck = f"{url}/healthcheck"
    with urllib.request.urlopen(healthcheck, timeout=LIMIT_S, context=context) as response:
        assert response.status == 200


@pytest.mark.parametrize("workers", ["1", "2"])
def test_plain_http_at_a_port_of_https(
    model_root: Path, start: Callable[..., Process], certificate: tuple[Path, Path], workers: str
):
    cert, key = certificate
    flags = ["--tls-cert", cert, "--tls-key", key, "--workers", workers]
    process = start(model_root, "--port", "0", *flags)
    url = https_url(process)
    for request_ in (raw_request(method="GET", target="/healthcheck"), with_length(b"[]")):
        with RawConnection(url) as connection:
            connection.send(request_)
            (response,) = connection.responses()
        assert (response.status, response.document["description"]) == (400, "Invalid HTTP request")
        assert "https://" in response.document["detail"]
    wait_until(lambda: process.stdout.count(" 400 ") == 2)
    context = ssl.create_default_context(cafile=cert)
    healthcheck = f"{url}/healthcheck"
    with urllib.request.urlopen(healthcheck, timeout=LIMIT_S, context=context) as response:
        assert response.status == 200


@pytest.mark.parametrize("hello", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_a_handshake_has_the_time_of_a_head(
    model_root: Path,
    start: Callable[..., Process],
    certificate: tuple[Path, Path],
    hello: bytes,
):
    cert, key = certificate
    flags = ["--tls-cert", cert, "--tls-key", key, "--header-timeout", "1"]
    process = start(model_root, "--port", "0", *flags)
    address = urllib.parse.urlsplit(https_url(process))
    with socket.create_connection((address.hostname, address.port), LIMIT_S / 2) as connection:
        connection.sendall(hello)
        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--tls-cert", "CERT"], "--tls-cert needs --tls-key"),
        (["--tls-key", "KEY"], "--tls-key needs --tls-cert"),
        (["--tls-cert", "KEY", "--tls-key", "CERT"], "exchange them"),
        (["--tls-cert", "none", "--tls-key", "KEY"], "--tls-cert: none: No such file"),
        (["--api-key-file", "none"], "--api-key-file none: No such file"),
        (
            ["--server", "meinheld", "--tls-cert", "CERT", "--tls-key", "KEY"],
            "does not speak HTTPS",
        ),
        (["--server", "meinheld", "--console", "on"], "meinheld has no console"),
    ],
)
def test_wrong_files(
    model_root: Path,
    start: Callable[..., Process],
    certificate: tuple[Path, Path],
    flags: list[str],
    words: str,
):
    names = {"CERT": str(certificate[0]), "KEY": str(certificate[1])}
    process = start(model_root, "--port", "0", *(names.get(flag, flag) for flag in flags))
    assert process.exit_code() == 2
    assert words in process.stderr
    assert "Traceback" not in process.stderr


def test_a_server_that_everybody_reaches_says_so(
    model_root: Path, start: Callable[..., Process], key_file: Path
):
    open_to_all: dict[str, Any] = {"TORCH_SERVING_HOST": "0.0.0.0", "TORCH_SERVING_PORT": "0"}
    process = start(model_root, **open_to_all)
    wait_until(lambda: " on http://" in process.stdout)
    warning = "everybody who reaches 0.0.0.0 may run models here"
    wait_until(lambda: warning in process.stderr)  # which has a thread of its own
    process = start(model_root, "--api-key-file", key_file, **open_to_all)
    wait_until(lambda: " on http://" in process.stdout)
    assert process.problems == ""


def test_readiness_ends_before_connections_do(model_root: Path, start: Callable[..., Process]):
    process = start(model_root, "--port", "0", "--drain-delay", "1000", "--preload", "echo.pt")
    with Client(process.url) as client:
        assert client.get("/ready").status == 200
        process.signal()
        wait_until(lambda: client.get("/ready").status == 503)
        assert client.get("/healthcheck").status == 200
        assert client.post("echo.pt", BODY).result == BODY[0]
        with Client(process.url) as another:  # connections are still taken
            assert another.post("echo.pt", BODY).result == BODY[0]


def test_the_end_comes_after_the_drain_delay(model_root: Path, start: Callable[..., Process]):
    process = start(model_root, "--port", "0", "--drain-delay", "0.5")
    assert process.url
    process.signal()
    assert process.exit_code() == 0
