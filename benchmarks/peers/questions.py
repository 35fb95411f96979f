"""One server, asked for what is known: is it there, and are its answers right?"""

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import torch

from benchmarks.peers.table import Peer
from benchmarks.peers.workloads import Numbers, Workload

START_TIMEOUT_S = 120
ANSWER_TIMEOUT_S = 60
ASKERS = 8


class Questions:
    def __init__(self, peer: Peer, workload: Workload, port: int) -> None:
        self._peer = peer
        self._workload = workload
        self._port = port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}{self._peer.path}"

    def body(self, numbers: Numbers) -> bytes:
        return json.dumps(self._peer.body(numbers)).encode()

    def wait_until_right(self, server: psutil.Popen) -> None:
        """Ask until the server answers; its first answer must be right."""
        body = self.body(self._workload.numbers)
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            answer = self._ask(body)
            if answer is not None:
                self._check(answer, self._workload.numbers)
                return
            if server.poll() is not None:
                raise RuntimeError(f"ended with code {server.returncode} before its first answer")
            time.sleep(0.05)
        raise TimeoutError(f"no answer in {START_TIMEOUT_S} s")

    def check_different(self) -> None:
        """Ask for different results at the same time: nobody gets somebody else's."""
        with ThreadPoolExecutor(ASKERS) as threads:
            list(threads.map(self._check_scaled, range(2 * ASKERS)))

    def _check_scaled(self, factor: int) -> None:
        numbers = self._workload.numbers * factor
        answer = self._ask(self.body(numbers))
        if answer is None:
            raise RuntimeError("no answer, or not with status 200")
        self._check(answer, numbers)

    def _ask(self, body: bytes) -> bytes | None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, ANSWER_TIMEOUT_S)
        try:
            connection.request("POST", self._peer.path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
        except (ConnectionError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        return answer if response.status == 200 else None

    def _check(self, answer: bytes, numbers: Numbers) -> None:
        result = self._peer.answer(json.loads(answer))
        torch.testing.assert_close(result, self._workload.expected(numbers))
