"""Who may ask: requests carry one of the keys in a file, or are refused before anything else."""

import hmac
from pathlib import Path

from torch_serving.errors import StartupError, Unauthorized

SHORTEST_KEY = 16  # characters; `openssl rand -hex 32` makes 64
OPEN_PATHS = {"/healthcheck", "/ready", "/v2/health/live", "/v2/health/ready"}


class ApiKeys:
    """The keys of one file: one in each line; lines that begin with # are comments."""

    def __init__(self, path: Path, open_health: bool = False) -> None:
        """Read the keys. Raises StartupError if there are none, or one is too short to be safe."""
        try:
            lines = path.read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise StartupError(f"--api-key-file {path}: {reason}") from None
        keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        if not keys:
            raise StartupError(f"--api-key-file {path}: it holds no key")
        if any(len(key) < SHORTEST_KEY for key in keys):
            raise StartupError(
                f"--api-key-file {path}: a key has less than {SHORTEST_KEY} characters"
            )
        self._keys = [key.encode() for key in keys]
        self.open_paths = frozenset(OPEN_PATHS if open_health else ())

    def check(self, path: str, authorization: str | None, api_key: str | None) -> None:
        """Raise Unauthorized unless a header has a key: `Authorization: Bearer KEY`, or `X-Api-Key:
        KEY`. Each key is compared, in a time that does not tell how much of it was right."""
        if path in self.open_paths:
            return
        scheme, _, token = (authorization or "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else api_key or ""
        data = given.encode("utf-8", "surrogatepass")
        if not sum([hmac.compare_digest(data, key) for key in self._keys]):
            raise Unauthorized("send a key as `Authorization: Bearer KEY` or `X-Api-Key: KEY`")
