"""JSON in an archive, as it is read: bounded, and of numbers that JSON has."""

import json
import zipfile
from typing import Any

from torch_serving.errors import InvalidServable

HINT = "export the model again, with torch.export.save"
MAX_BYTES = 256 << 20


def parse_json(archive: zipfile.ZipFile, entry: str) -> dict[str, Any]:
    """Read a JSON object. Raises InvalidServable, and what `open_zip` translates."""
    name = entry.partition("/")[2] or entry
    size = archive.getinfo(entry).file_size
    if size > MAX_BYTES:
        raise InvalidServable(f"its {name} has {size:,} bytes; at most {MAX_BYTES:,} are read")
    try:
        document = json.loads(archive.read(entry), parse_constant=refuse_constant)
    except RecursionError:
        raise InvalidServable(f"its {name} is nested too deep; {HINT}") from None
    except ValueError as error:
        raise InvalidServable(f"its {name} is no JSON ({reason_of(error)}); {HINT}") from None
    if not isinstance(document, dict):
        raise InvalidServable(f"its {name} is no JSON object; {HINT}")
    return document


def refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def reason_of(error: ValueError) -> str:
    """An error in one line, without the bytes that were read."""
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
