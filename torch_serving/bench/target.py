"""The one request that is sent again and again."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch_serving.bench.address import Address, Answer


@dataclass(frozen=True)
class Target:
    """Where and what: `path` is as it stands in the request line."""

    address: Address
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    verb: str = "POST"
    model: str = ""  # whose metrics are read; none where it is not known
    method: str = "forward"
    origin: str = ""  # where the body comes from, in words

    @property
    def url(self) -> str:
        parts = self.address.parts
        return f"{parts.scheme}://{parts.netloc}{self.path}"

    def all_headers(self) -> dict[str, str]:
        length = {"Content-Length": str(len(self.body))} if self.verb != "GET" else {}
        return {**self.address.headers, **self.headers, **length}

    def request(self) -> bytes:
        """The whole request as bytes."""
        lines = [f"{self.verb} {self.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in self.all_headers().items()]
        return "\r\n".join([*lines, "", ""]).encode() + self.body

    def ask_once(self, timeout_s: float) -> Answer:
        """Send it once, before anything is measured."""
        address, headers = self.address, dict(self.headers)
        return address.ask(self.verb, self.path, self.body, headers, timeout_s)
