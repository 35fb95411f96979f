"""How signals end the command, and the server that it has started."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.client import LIMIT_S
from tests.support.fake_server import fake_server
from tests.support.process import is_alive, wait_until

pytestmark = pytest.mark.server
SERVES = """
import sys, time
from torch_serving.bench.address import Address
from torch_serving.bench.own_server import own_server

with own_server([sys.argv[1], "--port", "0"], Address("http://127.0.0.1:0")) as server:
    print(server.pid, flush=True)
    time.sleep(600)
"""


def test_sigterm_ends_a_load():
    with fake_server() as fake:
        arguments = [fake.url, "--body", os.devnull, "-c", "4", "-s", "600", "--warm-up", "0"]
        arguments[0] += "/serve?servable_identifier=m.pt"
        command = [sys.executable, "-m", "torch_serving", "bench", *arguments]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            wait_until(lambda: len(fake.requests) > 20)
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 143
    assert "Traceback" not in err


def test_a_server_ends_with_the_process_that_measures_it(model_root: Path):
    command = [sys.executable, "-c", SERVES, str(model_root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        server = int(process.stdout.readline())
        assert is_alive(server)
        process.kill()
    wait_until(lambda: not is_alive(server))
