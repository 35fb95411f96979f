"""A JSON document in shared memory, guarded by a seqlock: one process writes, all read.

The writer makes the version odd, writes, and makes it even again. A reader whose version was odd or
has changed meanwhile keeps the document that it read before; it never waits for the writer.
"""

import json
import mmap
import struct
from typing import Any

HEAD = struct.Struct("<QI")  # version (odd: being written), length


class SharedDocument:
    """Made before the processes are forked. A document that does not fit reads as None."""

    def __init__(self, limit_bytes: int) -> None:
        self._memory = mmap.mmap(-1, HEAD.size + limit_bytes)
        self._limit_bytes = limit_bytes
        self._version = 0  # of the document that was read last
        self._read: Any = None

    def write(self, document: Any) -> bool:
        """Replace the document; return whether it fits.

        One process may write, one of its threads at a time.
        """
        data = json.dumps(document).encode()
        fits = len(data) <= self._limit_bytes
        if not fits:
            data = b"null"
        version = HEAD.unpack_from(self._memory)[0] | 1
        HEAD.pack_into(self._memory, 0, version, 0)
        self._memory[HEAD.size : HEAD.size + len(data)] = data
        HEAD.pack_into(self._memory, 0, version + 1, len(data))
        return fits

    def has_changed(self) -> bool:
        """Whether the document was written since it was last read; cheap."""
        version: int = HEAD.unpack_from(self._memory)[0]
        return version != self._version

    def read(self) -> Any:
        """Return the document, or the one before it while a new one is being written.

        Before the first one, it is None.
        """
        version, length = HEAD.unpack_from(self._memory)
        data = self._memory[HEAD.size : HEAD.size + length]
        if version % 2 == 0 and length and HEAD.unpack_from(self._memory)[0] == version:
            self._read = json.loads(data)
            self._version = version
        return self._read
