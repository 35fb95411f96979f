"""The first commands of the page about several machines, run as they are printed."""

import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.client import LIMIT_S, connection_to
from tests.support.pages import ENVIRONMENT, blocks_of, check_output, commands_of, run_shell
from tests.support.ports import free_port
from tests.support.process import Process, wait_until
from torch_serving.cli.example_models import save_example_models
from torch_serving.haproxy import binary

PAGE = "docs/several-machines.md"
HAPROXY = binary()
BLOCKS = blocks_of(PAGE)
START, ASK, ANSWER = BLOCKS[:3]
PORTS = ("8881", "8882", "8000")

pytestmark = pytest.mark.skipif(HAPROXY is None, reason="haproxy is not installed")


@pytest.fixture
def started(start: Callable[..., Process], tmp_path: Path) -> Iterator[dict[str, str]]:
    """Run what the page starts, at free ports; returns which port stands for which."""
    ports = {printed: str(free_port()) for printed in PORTS}
    (tmp_path / "models").mkdir()
    save_example_models(tmp_path / "models")
    first, second, prints, balance = (here(each, ports) for each in commands_of(START.text))
    for command in (first, second):
        _, root, *flags = shlex.split(command)
        assert start(tmp_path / root, *flags).url
    file = tmp_path / "haproxy.cfg"
    run_shell(prints, tmp_path)
    file.write_text(file.read_text().replace("bind :8000", f"bind 127.0.0.1:{ports['8000']}"))
    assert shlex.split(balance) == ["haproxy", "-f", "haproxy.cfg"]
    words = [str(HAPROXY), "-db", "-f", "haproxy.cfg"]
    process = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.DEVNULL)
    wait_until(lambda: status_of(ports["8000"]) == 200)
    yield ports
    process.kill()
    process.wait(LIMIT_S)


def here(command: str, ports: dict[str, str]) -> str:
    for printed, port in ports.items():
        command = command.replace(printed, port)
    return command


def status_of(port: str) -> int:
    connection = connection_to(f"http://127.0.0.1:{port}")
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def test_two_nodes(started: dict[str, str], tmp_path: Path):
    [command] = commands_of(ASK.text)
    output = run_shell(here(command, started), tmp_path)
    check_output(output, ANSWER)


@pytest.mark.parametrize(
    "command",
    [
        command
        for block in BLOCKS
        if block.language == "sh"
        for command in commands_of(block.text)
        if command.startswith("torch-serving haproxy")
    ],
)
def test_haproxy_takes_what_is_printed(command: str, tmp_path: Path):
    run_shell(command, tmp_path)
    words = [str(HAPROXY), "-c", "-f", "haproxy.cfg"]
    done = subprocess.run(
        words, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0, done.stderr
