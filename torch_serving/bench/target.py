"""The one request that is sent again and again."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch_serving.bench.address import Address
from torch_serving.bench.reasons import reason_in
from torch_serving.errors import StartupError


@dataclass(frozen=True)
class Target:
    """Where and what: `path` is as it stands in the request line."""

    address: Address
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    model: str = ""  # whose metrics are read; none where it is not known
    method: str = "forward"
    origin: str = ""  # where the body comes from, in words

    @property
    def url(self) -> str:
        parts = self.address.parts
        return f"{parts.scheme}://{parts.netloc}{self.path}"

    def all_headers(self) -> dict[str, str]:
        return {**self.address.headers, **self.headers, "Content-Length": str(len(self.body))}

    def request(self) -> bytes:
        """The whole request as bytes."""
        lines = [f"POST {self.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in self.all_headers().items()]
        return "\r\n".join([*lines, "", ""]).encode() + self.body

    def check(self, timeout_s: float) -> None:
        """Send it once, before anything is measured. Raises StartupError for all but 200."""
        headers = dict(self.headers)
        response = self.address.ask("POST", self.path, self.body, headers, timeout_s)
        if response.status != 200:
            words = reason_in(response.body, response.status)
            raise StartupError(f"{self.url} answers {response.status}: {words}")
