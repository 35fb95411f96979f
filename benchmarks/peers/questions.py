"""Requests with known results: whether a server is up, and whether its results are right."""

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import torch

from benchmarks.peers.table import Peer
from benchmarks.peers.workloads import Numbers, Workload

START_TIMEOUT_S = 120
RESPONSE_TIMEOUT_S = 60
CLIENTS = 8


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
        """Send a request until the server responds; its first result must be right."""
        body = self.body(self._workload.numbers)
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            response = self._ask(body)
            if response is not None:
                self._check(response, self._workload.numbers)
                return
            if server.poll() is not None:
                raise RuntimeError(f"ended with code {server.returncode} before its first response")
            time.sleep(0.05)
        raise TimeoutError(f"no response in {START_TIMEOUT_S} s")

    def check_different(self) -> None:
        """Send concurrent requests with different results: each must get its own."""
        with ThreadPoolExecutor(CLIENTS) as threads:
            list(threads.map(self._check_scaled, range(2 * CLIENTS)))

    def _check_scaled(self, factor: int) -> None:
        numbers = self._workload.numbers * factor
        response = self._ask(self.body(numbers))
        if response is None:
            raise RuntimeError("no response, or a status other than 200")
        self._check(response, numbers)

    def _ask(self, body: bytes) -> bytes | None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, RESPONSE_TIMEOUT_S)
        try:
            connection.request("POST", self._peer.path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
        except (ConnectionError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        return content if response.status == 200 else None

    def _check(self, response: bytes, numbers: Numbers) -> None:
        result = self._peer.read_result(json.loads(response))
        torch.testing.assert_close(result, self._workload.expected(numbers))
