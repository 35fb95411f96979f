"""A name server with one name, whose addresses a test may change."""

import socket
import struct
import threading

A = 1  # the type of the records


class NameServer:
    """Answers each question for addresses with all of them."""

    def __init__(self, addresses: list[str]) -> None:
        self.addresses = addresses
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._answer)
        self._thread.start()

    def end(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _answer(self) -> None:
        while True:
            query, client = self._socket.recvfrom(4096)
            if not query:
                return
            self._socket.sendto(answer_to(query, self.addresses), client)


def answer_to(query: bytes, addresses: list[str]) -> bytes:
    """A DNS message (RFC 1035, 4.1) that repeats its question; additional records are left out."""
    end = query.index(b"\0", 12) + 5
    (kind,) = struct.unpack("!H", query[end - 4 : end - 2])
    found = addresses if kind == A else []
    head = query[:2] + struct.pack("!5H", 0x8180, 1, len(found), 0, 0)
    record = struct.pack("!HHHLH", 0xC00C, A, 1, 1, 4)
    return head + query[12:end] + b"".join(record + socket.inet_aton(each) for each in found)
