# One request and its response.

cdef Py_ssize_t MIN_RESERVED = 4 * 1024 * 1024  # for the rest of a body
cdef Py_ssize_t LARGE_RESPONSE = 64 * 1024  # whose copy costs more than a second buffer to write
cdef dict DISCONNECT = {"type": "http.disconnect"}


@cython.final
cdef class Ready:
    """An awaitable whose value is there."""

    cdef object value

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        raise StopIteration(self.value)


cdef Ready ready(object value):
    cdef Ready awaitable = Ready.__new__(Ready)
    awaitable.value = value
    return awaitable


cdef Ready NOTHING_MORE = ready(None)


@cython.final
cdef class Exchange:
    """One request and its response: the application's `receive` and `send`.

    On the fast path it also stands in for the job's future.
    """

    cdef HttpProtocol protocol
    cdef dict scope
    cdef bytes url, request_id
    cdef bytearray body  # grows in place: pieces to be joined cost twice the page faults
    cdef Py_ssize_t filled  # bytes of a directly received body; reserved memory lies beyond
    cdef BodyRoom room  # for the body, unless that is small
    cdef object task  # the application's, while it runs
    cdef object invocation  # what the engine runs for it, on the fast path
    cdef object waiting  # a future, while the application waits for an event
    cdef dict response_start  # held back until there is a body
    cdef object failure  # of the error that the fast path or the protocol responds with, or None
    cdef int rejected_status  # of the error with which the protocol rejected it, or 0
    cdef double started_s
    cdef bint more_body, body_requested, expects_continue
    cdef bint keep_alive, disconnected, complete
    cdef bint is_streamed, is_chunked  # the response
    cdef object drained  # a future, while the application waits for the client to read

    cdef int run(self) except -1:
        self.protocol.responding = self
        if self.takes_fast_path():
            return 0
        if self.room is None:
            self.room = BodyRoom(self.protocol.settings)
        self.scope["torch_serving.room"] = self.room
        self.task = self.protocol.loop.create_task(
            self.protocol.settings.app(self.scope, self.receive, self.send)
        )
        self.protocol.tasks.add(self.task)
        self.task.add_done_callback(self.on_task_done)
        return 0

    cdef bint takes_fast_path(self) except -1:
        cdef ConnectionSettings settings = self.protocol.settings
        if settings.fast_path is None or self.more_body or self.scope["method"] != "POST":
            return False
        if len(self.body) > settings.max_body_bytes:
            return False
        self.invocation = settings.fast_path.begin(  # completes in a later turn of the loop
            self.scope["path"], self.scope["query_string"], self.scope["headers"], self.body, self
        )
        if self.invocation is None:
            return False
        self.body = None
        self.protocol.tasks.add(self)  # the server waits for it, and cancels it in the end
        return True

    # The future of a job on the fast path.

    def done(self):
        return self.complete or self.disconnected

    def get_loop(self):
        return self.protocol.loop

    def set_result(self, response not None):
        if type(response) is bytes:
            self.respond(200, self.invocation.headers, response)
        else:
            self.respond(200, response.headers, response.body)

    def set_exception(self, error not None):
        status, headers, body, self.failure = error_response(
            self.scope["path"], error, self.request_id
        )
        self.respond(status, headers, body)

    def cancel(self, msg=None):
        # later, as tasks do: the server iterates over the set that this leaves
        self.protocol.loop.call_soon(self.abort)

    def abort(self):
        if not self.done():
            self.set_exception(ShuttingDown("the server stops before the response is ready"))

    def respond(self, int status, headers, bytes body):
        self.protocol.tasks.discard(self)
        if not self.protocol.transport.is_closing():
            self.write(status, lines_of(headers, body), body)

    # The application's task.

    def on_task_done(self, task):
        """The application has returned, or raised an error that it should have handled."""
        self.task = None
        self.protocol.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("the application raised", exc_info=task.exception())
        if self.complete:
            return
        if self.is_streamed:
            abandon_stream(self, task)
            return
        if self.disconnected or self.protocol.transport.is_closing():
            status = self.rejected_status or CLIENT_CLOSED
            record_response(self.protocol, self, status, self.failure or CLIENT_GONE)
            return
        failure = failure_of(UnexpectedError(), None if task.cancelled() else task.exception())
        record_response(self.protocol, self, UnexpectedError.status, failure)
        path = self.scope["path"]
        self.protocol.transport.write(response_of(UnexpectedError(), path, self.request_id))
        self.protocol.close()

    cdef int append(self, bytes data) except -1:
        """Add a piece of the body."""
        try:
            self.body += data
        except MemoryError:
            self.body = bytearray()
            self.protocol.reader.reject(no_memory())
        if len(self.body) > COUNTED_BYTES:
            try:
                self.take_room(len(self.body))
            except Overloaded as error:
                self.drop_body()
                self.protocol.reader.reject(error)
        if len(self.body) > self.protocol.settings.max_body_bytes:
            self.protocol.pause_reading()
            self.wake()
        return 0

    cdef object reserve(self, Py_ssize_t left):
        """Return memory for more of the body, of which `left` bytes are missing.

        At most three times what was received is reserved, or MIN_RESERVED: clients may announce
        what they never send. Raises MemoryError or Overloaded.
        """
        if self.filled == len(self.body):
            left = min(left, max(3 * self.filled, MIN_RESERVED))
            self.take_room(self.filled + left)
            PyByteArray_Resize(self.body, self.filled + left)
        return memoryview(self.body)[self.filled :]

    cdef int take_room(self, Py_ssize_t size) except -1:
        """Raises Overloaded."""
        if self.room is None:
            self.room = BodyRoom(self.protocol.settings)
        self.room.take(size)
        return 0

    cdef int drop_body(self) except -1:
        self.body = bytearray()
        if self.room is not None:
            self.room.keep(0)
        return 0

    cdef int wake(self) except -1:
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(self.event())
        self.waiting = None
        return 0

    cdef dict event(self):
        if self.disconnected or self.complete:
            return DISCONNECT
        body, self.body = self.body, bytearray()
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    def receive(self):
        """Return the next event.

        The first one has the body if that was received with the head; else it is empty, so that the
        application can reject the request early. The second one has the whole body, or more of it
        than the limit.
        """
        over = len(self.body) > self.protocol.settings.max_body_bytes
        if self.disconnected or self.complete or not self.more_body or over:
            return ready(self.event())
        if not self.body_requested:
            self.body_requested = True
            return ready({"type": "http.request", "body": b"", "more_body": True})
        if self.expects_continue and not self.protocol.transport.is_closing():
            self.protocol.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.expects_continue = False
        self.waiting = self.protocol.loop.create_future()
        return self.waiting

    def send(self, dict message not None):
        cdef dict start = self.response_start
        if self.disconnected or self.protocol.transport.is_closing():
            return NOTHING_MORE
        if message["type"] == "http.response.start":
            self.response_start = message
            return NOTHING_MORE
        if self.complete or start is None:
            raise RuntimeError("a response is one start and one body")
        if self.is_streamed or message.get("more_body"):
            return send_piece(self, message.get("body", b""), not message.get("more_body"))
        self.write(start["status"], start["headers"], message.get("body", b""))
        return NOTHING_MORE

    cdef int write(self, int status, headers, bytes body) except -1:
        transport = self.protocol.transport
        head = head_of(status, headers, self.request_id, self.keep_alive)
        self.complete = True
        record_response(self.protocol, self, status)
        self.invocation = None  # else an idle connection would keep its last model in memory
        if self.room is not None:
            self.room.keep(0)
        if self.scope["method"] == "HEAD":
            transport.write(head)
        elif len(body) > LARGE_RESPONSE:
            transport.writelines((head, body))
        else:
            transport.write(head + body)
        if not self.keep_alive:
            return self.protocol.close()
        return self.protocol.on_response_written()

    cdef int disconnect(self) except -1:
        """Stop the work for a client that is gone or was rejected."""
        self.disconnected = True
        if self.task is not None:
            self.task.cancel()
        elif self.invocation is not None:
            self.protocol.tasks.discard(self)
            record_response(self.protocol, self, CLIENT_CLOSED, CLIENT_GONE)
        return 0


cdef object no_memory():
    return OutOfMemory("the server has too little memory left for the body")
