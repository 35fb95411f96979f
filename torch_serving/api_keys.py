"""Files of API keys, as `--api-key-file` names them."""

from pathlib import Path

from torch_serving.errors import StartupError


def read_keys(path: Path, flag: str = "--api-key-file") -> list[str]:
    """Return the keys of a file: one in each line, but for comments, which begin with #.

    Raises StartupError, which names the flag, where there are none.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise StartupError(f"{flag} {path}: {reason}") from None
    keys = [line for line in map(str.strip, lines) if line and not line.startswith("#")]
    if not keys:
        raise StartupError(f"{flag} {path}: it holds no key")
    return keys
