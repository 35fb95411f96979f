# Received bytes -> exchanges: framing and limits around httptools.

# What of a request arrives now.
cdef enum ReadState:
    IDLE
    HEADERS
    BODY


@cython.final
cdef class RequestReader:
    """Reads the requests of one connection. Its `on_` methods are the callbacks of the parser.

    The rest of a large body bypasses the parser, which would copy it twice ("direct").
    """

    cdef HttpProtocol protocol
    cdef object parser
    cdef ReadState state
    cdef list headers
    cdef bytes url, request_id
    cdef bint is_forwarded  # by a trusted proxy
    cdef bint expects_continue
    cdef bint wants_upgrade  # to another protocol: its head is to be read again, without the wish
    cdef bint completed  # a message ended in the data that is being parsed
    cdef Py_ssize_t head_bytes  # received of the current head
    cdef Py_ssize_t parsed_bytes  # of the current head or trailers
    cdef Py_ssize_t framing_bytes  # received since the latest piece of a body: chunks, trailers
    cdef Py_ssize_t body_bytes  # received of the body since its rate was checked
    cdef Py_ssize_t direct_bytes_left  # that the body still lacks and that bypass the parser
    cdef object unparsed  # a memoryview of data behind requests that wait, or None
    cdef object rejection  # the error that stopped the parser

    def __cinit__(self, HttpProtocol protocol not None):
        self.protocol = protocol
        self.state = ReadState.IDLE
        self.start_parser()

    cdef int start_parser(self) except -1:
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return 0

    cdef int close(self) except -1:
        """Drop what refers back to this object."""
        self.direct_bytes_left = 0
        self.unparsed = None
        self.parser = None
        self.protocol = None
        return 0

    cdef int receive(self, bytes data) except -1:
        """Parse received data."""
        cdef HttpProtocol protocol = self.protocol
        if protocol is None or protocol.rejected:
            return 0
        before = protocol.exchange
        if self.unparsed is not None:
            self.unparsed = memoryview(bytes(self.unparsed) + data)
        elif len(data) > PART_BYTES:
            self.unparsed = memoryview(data)
            self.parse_rest()
        else:
            self.parse(data)
            protocol.run_next()
        if self.state != ReadState.BODY or protocol.exchange is before:
            return 0
        if self.unparsed is None and not protocol.rejected:
            self.start_direct_receive()
        return 0

    cdef int parse_rest(self) except -1:
        """Parse part after part until requests wait: each takes many times its bytes in memory."""
        cdef HttpProtocol protocol = self.protocol
        while self.unparsed is not None and not protocol.pipeline and not protocol.rejected:
            part, rest = self.unparsed[:PART_BYTES], self.unparsed[PART_BYTES:]
            self.unparsed = rest if len(rest) else None
            self.parse(part)
        return protocol.run_next()

    cdef object parse(self, object data):
        cdef HttpProtocol protocol = self.protocol
        self.completed = False
        self.head_bytes += len(data)
        self.framing_bytes += len(data)
        try:
            self.feed(data)
        except httptools.HttpParserError:
            return protocol.respond_with_error(self.rejection or no_http(data))
        if self.state != ReadState.HEADERS or self.completed:
            # a line behind another message in the same data is counted here from the next data on
            self.head_bytes = 0
        elif self.head_bytes > MAX_HEAD_BYTES:
            return protocol.respond_with_error(head_too_large(self.state))
        if self.state == ReadState.BODY and self.framing_bytes > MAX_HEAD_BYTES:
            return protocol.respond_with_error(head_too_large(self.state))
        if self.completed or self.state != protocol.deadline.state:
            protocol.deadline.start()

    cdef int feed(self, object data) except -1:
        """Give data to the parser, which stops behind a head that asks for another protocol.

        Clients that prefer HTTP/2 ask so in ordinary requests, and accept a response in HTTP/1.1.
        """
        while True:
            try:
                self.parser.feed_data(data)
                return 0
            except httptools.HttpParserUpgrade as stop:
                if not self.wants_upgrade:
                    return 0  # CONNECT, which the application rejects
                data = memoryview(data)[stop.args[0] :]
            self.read_head_again()

    cdef int read_head_again(self) except -1:
        """Parse the head without its wish, which a server may ignore (RFC 9110, 7.8)."""
        cdef str version = self.parser.get_http_version()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version.encode())]
        lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        self.start_parser()
        self.parser.feed_data(b"\r\n".join([*lines, b"", b""]))
        return 0

    # Large bodies.

    cdef int start_direct_receive(self) except -1:
        """Receive the rest of a large body where it is decoded from.

        Not on a connection that closes afterwards: the parser has to ignore what follows there.
        """
        cdef Exchange exchange = self.protocol.exchange
        length = length_in(exchange.scope["headers"])
        received = len(exchange.body)
        fits = received + LARGE_REST <= length <= self.protocol.settings.max_body_bytes
        if fits and not exchange.complete and self.parser.should_keep_alive():
            exchange.filled = received
            self.direct_bytes_left = length - received
        return 0

    cdef object direct_buffer(self):
        cdef Exchange exchange = self.protocol.exchange
        if self.rejection is None and not exchange.complete:
            try:
                return exchange.reserve(self.direct_bytes_left)
            except MemoryError:
                exchange.drop_body()
                self.rejection = no_memory()
            except Overloaded as error:
                exchange.drop_body()
                self.rejection = error
        return self.protocol.settings.receiving[: self.direct_bytes_left]

    cdef object on_direct_data(self, Py_ssize_t size):
        if self.rejection is not None:
            return self.protocol.respond_with_error(self.rejection)
        self.direct_bytes_left -= size
        self.body_bytes += size
        self.protocol.exchange.filled += size
        if self.direct_bytes_left == 0:
            self.start_parser()  # the former one still waits for the body
            self.on_message_complete()
            self.protocol.deadline.start()

    # Callbacks of the parser.

    def on_message_begin(self):
        self.state = ReadState.HEADERS
        self.url = b""
        self.request_id = None
        self.is_forwarded = False
        self.headers = []
        self.parsed_bytes = 0
        self.expects_continue = False

    def on_url(self, bytes url):
        self.url += url
        self.count(len(url))

    def on_header(self, bytes name, bytes value):
        self.count(len(name) + len(value) + LINE_BYTES)
        if self.state == ReadState.BODY:
            return  # a trailer, which means nothing here (RFC 9110, 6.5.1)
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expects_continue = True
        elif name == b"x-request-id":
            self.request_id = checked_id(value)
        elif name == b"x-forwarded-for" or name == b"x-forwarded-proto":
            self.is_forwarded = self.protocol.is_proxy
        self.headers.append((name, value))

    def on_headers_complete(self):
        self.wants_upgrade = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if self.wants_upgrade:
            return  # the parser takes the body for another protocol
        self.check_head()
        exchange = new_exchange(self)
        self.state = ReadState.BODY
        self.framing_bytes = 0
        self.parsed_bytes = 0
        self.protocol.add(exchange)

    def on_body(self, bytes body):
        cdef Exchange exchange = self.protocol.exchange
        self.body_bytes += len(body)
        self.framing_bytes = 0
        if not exchange.complete:
            exchange.append(body)

    def on_message_complete(self):
        cdef Exchange exchange = self.protocol.exchange
        if self.wants_upgrade:
            return
        self.state = ReadState.IDLE
        self.completed = True
        exchange.more_body = False
        exchange.wake()
        self.protocol.run_next()

    cdef int count(self, Py_ssize_t size) except -1:
        """Add to what was parsed of a head or of trailers."""
        self.parsed_bytes += size
        if self.parsed_bytes > MAX_HEAD_BYTES:
            self.reject(head_too_large(self.state))
        return 0

    cdef int check_head(self) except -1:
        cdef Py_ssize_t max_body_bytes = self.protocol.settings.max_body_bytes
        if self.protocol.settings.is_secure and self.protocol.scheme == "http":
            self.reject(InvalidHttp("plain HTTP came to a port of HTTPS; ask for https://"))
        if self.parser.get_http_version() not in ("1.1", "1.0"):
            self.reject(InvalidHttp("this server speaks HTTP/1.1"))
        if self.parser.should_upgrade() and self.announces_body():
            # CONNECT: the parser would take the body for another protocol, or for further requests
            self.reject(InvalidHttp("this server can't change to another protocol"))
        if self.expects_continue and length_in(self.headers) > max_body_bytes:
            # before the client is asked to send the body
            self.reject(BodyTooLarge(f"the limit is {max_body_bytes} bytes"))
        return 0

    cdef bint announces_body(self) except -1:
        names = {name for name, _ in self.headers}
        return not names.isdisjoint((b"content-length", b"transfer-encoding"))

    cdef int reject(self, error) except -1:
        """Stop the parser; `parse` then responds with the error."""
        self.rejection = error
        raise error


cdef object head_too_large(ReadState state):
    part = "trailers and chunk extensions" if state == ReadState.BODY else "the head"
    return HeadTooLarge(f"{part} may have {MAX_HEAD_BYTES} bytes")


cdef object no_http(data):
    if data[:1] == TLS_RECORD:
        return InvalidHttp("TLS came to a port of plain HTTP; ask for http://")
    return InvalidHttp("the request can't be parsed as HTTP/1.1")
