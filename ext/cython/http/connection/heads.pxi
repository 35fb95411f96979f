# The text of heads: read from requests, and written for responses.

# Of a request id that a client may choose; another id is replaced.
cdef bytes ID_CHARACTERS = bytes(range(33, 127))
cdef Py_ssize_t MAX_ID = 128  # bytes
cdef bytes TLS_RECORD = b"\x16"  # the first byte of a client that speaks TLS
cdef dict STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


cdef object length_in(list headers):
    """Return the length of the body that a head announces, or 0.

    The parser has checked that it fits 64 bits. It may begin with more zeros than Python takes.
    """
    for name, value in headers:
        if name == b"content-length":
            return int(value.lstrip(b"0") or b"0")
    return 0


cdef bytes checked_id(bytes value):
    """Return a client's id for its request, or None if that is not valid."""
    if not 0 < len(value) <= MAX_ID or value.translate(None, ID_CHARACTERS):
        return None
    return value


cdef bytes response_of(error, str path, bytes request_id):
    """Return a whole error response that ends the connection; without a head, `path` is empty."""
    status, headers, body, _ = error_response(path, error, request_id)
    return head_of(status, lines_of(headers, body), request_id, False) + body


cdef list lines_of(headers, bytes body):
    """Return headers as in ASGI, with the length of the body."""
    cdef list lines = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    lines.append((b"content-length", b"%d" % len(body)))
    return lines


cdef bytes head_of(int status, headers, bytes request_id, bint keep_alive):
    cdef bytes name, value
    cdef list lines = [STATUS_LINES[status]]
    for name, value in headers:
        if b"\n" in value or b"\r" in value:
            raise RuntimeError("a header value holds a line break")
        lines += (name, b": ", value, b"\r\n")
    lines += (date_line(), b"x-request-id: ", request_id)
    lines.append(b"\r\n\r\n" if keep_alive else b"\r\nconnection: close\r\n\r\n")
    return b"".join(lines)


cdef time_t date_s = 0
cdef bytes date_of_second = b""


cdef bytes date_line():
    """Return the header `date`, made once a second (RFC 9110, 6.6.1)."""
    global date_s, date_of_second
    cdef time_t now_s = time(NULL)
    if now_s != date_s:
        date_s = now_s
        date_of_second = b"date: " + formatdate(now_s, usegmt=True).encode() + b"\r\n"
    return date_of_second
