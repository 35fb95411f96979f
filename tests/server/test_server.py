"""The process: how it starts, what it refuses to start with, what it logs."""

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import torch_serving
from tests.support.client import Client, RawConnection, raw_request
from tests.support.process import Process, check_one_line, wait_until
from tests.support.servables import SOURCES, scripted
from tests.support.transports import SERVERS

MEINHELD_COMMANDS = ['pip install "greenlet>=3"', "pip install --no-deps meinheld==1.0.2"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one model, and one below."""
    root = tmp_path_factory.mktemp("root")
    (root / "deep").mkdir()
    for name in ("echo.pt", "deep/echo.pt"):
        scripted(*SOURCES["echo.pt"]).save(root / name)
    (root / "README.txt").write_text("not a model")
    return root


@pytest.fixture(scope="module")
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("server", SERVERS)
def test_the_start_up_line(root: Path, start: Callable[..., Process], server: str):
    process = start(root, "--port", "0", "--threads", "3", "--server", server)
    url = process.url
    assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d*", url)
    pages = f"console: {url}/; docs: {url}/docs; " if server == "uvicorn" else ""
    target = "models/deep/echo.pt" if server == "uvicorn" else "healthcheck"
    assert process.stdout.splitlines() == [
        f"torch-serving {torch_serving.__version__} on {url} ({server}): 2 models in {root}, "
        f"device cpu, 3 threads; models: deep/echo.pt, echo.pt; {pages}try: curl {url}/{target}"
    ]
    assert process.problems == ""
    with Client(url) as client:
        client.check()
    process.signal()
    assert process.exit_code() == 0
    assert process.problems == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "{taken_port}"], "127.0.0.1:{taken_port}: Address already in use; --port"),
        (["--port", "{taken_port}"], "--port 0 a free one"),
        (["--host", "256.1.1.1"], "can't listen on 256.1.1.1:"),
        (["--host", "no such host"], "can't listen on no such host:"),
        (["--host", "a\x1b[2J"], "--host: expected an address or a name, got 'a\\x1b[2J'"),
        (["--host", "203.0.113.1"], "can't listen on 203.0.113.1:"),
        (["--device", "warp"], "`warp` is not a device"),
        (["--use-gpu", "--device", "cuda:99"], "`cuda:99` is not a device"),
        (["--flag"], "unrecognized arguments: --flag"),
        (["--host", "203.0.113.1"], "--host takes an address of this machine"),
    ],
)
def test_what_it_does_not_start_with(
    root: Path, start: Callable[..., Process], taken_port: int, arguments: list[str], words: str
):
    arguments = [argument.format(taken_port=taken_port) for argument in arguments]
    port = [] if "--port" in arguments else ["--port", "0"]
    process = start(root, *port, *arguments)
    assert process.exit_code() == 2
    check_one_line(process, words.format(taken_port=taken_port))


def log_of(process: Process) -> list[str]:
    return process.stdout.splitlines()[1:]


@pytest.mark.parametrize("server", SERVERS)
def test_a_line_for_each_request(root: Path, start: Callable[..., Process], server: str):
    process = start(root, "--port", "0", "--server", server)
    serve = "/serve?servable_identifier="
    with RawConnection(process.url) as connection:
        for status, request in (
            (200, raw_request(method="GET", target="/healthcheck")),
            (400, raw_request(b"1", "Content-Length: 1", target=f"{serve}%0a%1b[31m.pt")),
            (404, raw_request(method="DELETE", target="/%0a%0d%1b[31m%e2%80%ae" + "a" * 1000)),
        ):
            connection.send(request)
            assert connection.response().status == status
    # a server without further requests still writes its log
    wait_until(lambda: len(log_of(process)) == 3)
    process.signal()
    assert process.exit_code() == 0
    begin = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO \d+ 127\.0\.0\.1"
    end = r"\d+\.\d\dms (-|[0-9a-f]{12}-\d)"
    lines = log_of(process)
    patterns = [
        rf"GET /healthcheck 200 {end}",
        rf"POST {re.escape(serve)}\S+ 400 {end} Invalid servable identifier: .+",
        rf"DELETE \S{{300,350}} 404 {end} Not found: .+",
    ]
    assert len(lines) == len(patterns)
    for line, pattern in zip(lines, patterns, strict=True):
        assert re.fullmatch(f"{begin} {pattern}", line)
        assert line.isprintable()


def test_requests_that_were_never_whole_are_logged_once(root: Path, start: Callable[..., Process]):
    process = start(root, "--port", "0", "--body-timeout", "1")
    with RawConnection(process.url) as connection:
        connection.send(raw_request(b"[", "Content-Length: 10"))
        assert connection.response().status == 408
    with RawConnection(process.url) as connection:
        connection.send(raw_request(b"[", "Content-Length: 10"))
    with RawConnection(process.url) as connection:
        connection.send(b"no http\r\n\r\n")
        assert connection.response().status == 400
    process.signal()
    assert process.exit_code() == 0
    statuses = [line.split()[6] for line in log_of(process)]
    assert "200" not in statuses  # of no request
    assert statuses.count("408") == 1
    assert statuses.count("400") == 1


@pytest.mark.parametrize("server", SERVERS)
def test_no_lines_above_info(root: Path, start: Callable[..., Process], server: str):
    process = start(
        root, "--port", "0", "--log-level", "warning", "--server", server, "--behind-proxy"
    )
    with Client(process.url) as client:
        client.check()
        client.post("none.pt", b"1")
    process.signal()
    assert process.exit_code() == 0
    assert log_of(process) == []
    assert process.problems == ""


def test_meinheld_is_missing(root: Path, tmp_path: Path, start: Callable[..., Process]):
    (tmp_path / "meinheld.py").write_text("raise ImportError('hidden by a test')")
    process = start(root, "--port", "0", "--server", "meinheld", PYTHONPATH=str(tmp_path))
    assert process.exit_code() == 2
    assert process.stdout == ""
    for command in MEINHELD_COMMANDS:
        assert command in process.stderr
    assert "Traceback" not in process.stderr
