# A response whose body comes in pieces, without an end: it ends when its client or the server does.

cdef bytes LAST_CHUNK = b"0\r\n\r\n"


cdef object send_piece(Exchange exchange, bytes body, bint is_last):
    """Send a piece of a body; return what is awaited before the next one: that the client reads."""
    cdef HttpProtocol protocol = exchange.protocol
    if not exchange.is_streamed:
        start_stream(exchange)
    if body and exchange.scope["method"] != "HEAD":
        write_piece(exchange, body)
    if is_last:
        end_stream(exchange)
    elif protocol.writing_paused:
        exchange.drained = protocol.loop.create_future()
        return exchange.drained
    return NOTHING_MORE


cdef int start_stream(Exchange exchange) except -1:
    """Write the head. A stream is nothing that the server is busy with, or waits for at its end."""
    cdef list headers = list(exchange.response_start["headers"])
    cdef bint has_length = any([name.lower() == b"content-length" for name, _ in headers])
    exchange.is_streamed = True
    exchange.is_chunked = not has_length and exchange.scope["http_version"] != "1.0"
    if exchange.is_chunked:
        headers.append((b"transfer-encoding", b"chunked"))
    exchange.protocol.tasks.discard(exchange.task)
    status = exchange.response_start["status"]
    head = head_of(status, headers, exchange.request_id, exchange.keep_alive)
    exchange.protocol.transport.write(head)
    return 0


cdef int write_piece(Exchange exchange, bytes body) except -1:
    transport = exchange.protocol.transport
    if not exchange.is_chunked:
        transport.write(body)
    elif len(body) > LARGE_RESPONSE:
        transport.writelines((b"%x\r\n" % len(body), body, b"\r\n"))
    else:
        transport.write(b"%x\r\n%s\r\n" % (len(body), body))
    return 0


cdef int end_stream(Exchange exchange) except -1:
    """End the body as it should, and leave the connection to the next request."""
    cdef HttpProtocol protocol = exchange.protocol
    exchange.complete = True
    if exchange.is_chunked and exchange.scope["method"] != "HEAD":
        protocol.transport.write(LAST_CHUNK)
    record_response(protocol, exchange, exchange.response_start["status"])
    if exchange.room is not None:
        exchange.room.keep(0)
    if not exchange.keep_alive:
        return protocol.close()
    return protocol.on_response_written()


cdef int interrupt_stream(Exchange exchange) except -1:
    """End a stream since the server stops."""
    if not exchange.is_streamed or exchange.complete:
        return 0
    exchange.keep_alive = False
    end_stream(exchange)
    if exchange.task is not None:
        exchange.task.cancel()
    return 0


cdef int abandon_stream(Exchange exchange, task) except -1:
    """The application has ended without an end of the body, or was cancelled with its client."""
    cdef HttpProtocol protocol = exchange.protocol
    if exchange.disconnected or protocol.transport.is_closing():
        record_response(protocol, exchange, exchange.response_start["status"])
        return 0
    failure = failure_of(UnexpectedError(), None if task.cancelled() else task.exception())
    record_response(protocol, exchange, UnexpectedError.status, failure)
    exchange.complete = True
    protocol.transport.abort()  # a client must not take the body for whole
    return 0


cdef int on_drained(Exchange exchange) except -1:
    """Let the application send on: the client has read."""
    if exchange.drained is not None and not exchange.drained.done():
        exchange.drained.set_result(None)
    exchange.drained = None
    return 0
