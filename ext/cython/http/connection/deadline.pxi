# By when a connection must make progress.

cdef double NEVER = float("inf")
cdef double LINGER_S = 0.5  # for a last request, once the server stops
cdef double RATE_WINDOW_S = 5.0  # over which the rate of a body is measured
cdef double TURN_S = 0.001  # the shortest timer: it fires after the loop has looked at its sockets


@cython.final
cdef class Deadline:
    """The one deadline of a connection: for a head, a body, an idle client, or a slow reader.

    It moves with each request, its timer does not: when that fires, it looks whether the deadline
    has moved. A loop that was held up runs timers before it reads, so what has come in time is read
    before a deadline counts.
    """

    cdef HttpProtocol protocol
    cdef ReadState state  # of the reader when the deadline was set
    cdef object loop, timer
    cdef double timer_s, at_s
    cdef bint is_over  # since the last turn of the loop
    cdef double body_until_s  # when the whole body must be there
    cdef Py_ssize_t unsent_bytes  # when the client's reading was last checked

    def __cinit__(self, HttpProtocol protocol not None):
        self.protocol = protocol
        self.loop = protocol.loop
        self.state = ReadState.IDLE
        self.at_s = NEVER

    cdef int close(self) except -1:
        self.at_s = NEVER
        self.protocol = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        return 0

    cdef int start(self) except -1:
        """Set the deadline for what the connection waits for now."""
        cdef HttpProtocol protocol = self.protocol
        cdef ConnectionSettings settings
        if protocol is None:
            return 0
        settings = protocol.settings
        self.state = protocol.reader.state
        if protocol.writing_paused:
            return self.expire_in(settings.keep_alive_s)
        if protocol.rejected:  # the responses that are due end the connection
            self.at_s = NEVER
            return 0
        if self.state == ReadState.HEADERS:
            return self.expire_in(settings.header_timeout_s)
        if self.state == ReadState.BODY:
            self.body_until_s = self.loop.time() + settings.body_timeout_s
            return self.expire_with_window()
        if protocol.exchange.complete and not protocol.pipeline:
            return self.expire_in(LINGER_S if protocol.is_last else settings.keep_alive_s)
        self.at_s = NEVER  # while it is being responded to
        return 0

    cdef int start_writing(self) except -1:
        """Give the client time to read what was written."""
        self.unsent_bytes = self.protocol.transport.get_write_buffer_size()
        return self.expire_in(self.protocol.settings.keep_alive_s)

    cdef int expire_in(self, double delay_s) except -1:
        cdef double now_s = self.loop.time()
        self.at_s = now_s + delay_s
        self.is_over = False
        if self.timer is None or self.timer_s > self.at_s:
            self.set_timer(now_s)
        return 0

    cdef int expire_with_window(self) except -1:
        """Check the rate of the body after a window, or at its end where that comes first."""
        cdef double left_s = self.body_until_s - self.loop.time()
        cdef bint has_rate = self.protocol.settings.body_rate != 0
        self.protocol.reader.body_bytes = 0
        return self.expire_in(min(left_s, RATE_WINDOW_S) if has_rate else left_s)

    cdef int set_timer(self, double now_s) except -1:
        if self.timer is not None:
            self.timer.cancel()
        self.timer_s = self.at_s
        self.timer = self.loop.call_later(self.at_s - now_s, self.on_timer)
        return 0

    def on_timer(self):
        cdef double now_s = self.loop.time()
        self.timer = None
        if self.at_s == NEVER:
            return
        if now_s < self.at_s - 0.001:
            self.set_timer(now_s)
        elif not self.is_over:
            self.expire_in(TURN_S)
            self.is_over = True
        else:
            self.expire()

    cdef int expire(self) except -1:
        cdef HttpProtocol protocol = self.protocol
        if protocol.is_writing():
            return self.check_client_reads()
        if protocol.reading_paused:  # by us, not by the client: it may have sent everything
            return self.start()
        if protocol.reader.state == ReadState.IDLE:
            return protocol.close()
        if protocol.reader.state == ReadState.HEADERS:
            return self.reject_late("head", protocol.settings.header_timeout_s)
        if self.loop.time() >= self.body_until_s - 0.001:
            return self.reject_late("body", protocol.settings.body_timeout_s)
        rate = protocol.settings.body_rate
        if protocol.reader.body_bytes >= protocol.settings.body_rate * RATE_WINDOW_S:
            return self.expire_with_window()
        problem = RequestTimeout(f"the body arrived at less than {rate:g} bytes a second")
        protocol.respond_with_error(problem)
        return 0

    cdef int reject_late(self, str part, double limit_s) except -1:
        problem = RequestTimeout(f"the {part} did not arrive within {limit_s:g} seconds")
        self.protocol.respond_with_error(problem)
        return 0

    cdef int check_client_reads(self) except -1:
        """End a connection whose client has read less of its response than `body_rate` asks for."""
        settings = self.protocol.settings
        unsent = self.protocol.transport.get_write_buffer_size()
        least = max(1, settings.body_rate * settings.keep_alive_s)
        if unsent > self.unsent_bytes - least:
            self.protocol.transport.abort()
            return 0
        self.unsent_bytes = unsent
        return self.expire_in(settings.keep_alive_s)
