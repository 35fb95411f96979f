# distutils: language = c++
"""HTTP/1.1 between a socket and an ASGI application: one `Protocol` a connection.

httptools parses. This adds limits and deadlines, answers in order, and refuses in JSON what never
reaches the application. uvicorn's own protocol does not, and takes twice the time: it writes head
and body of an answer apart, and wakes the application for each piece of a body
(docs/decisions.md has the figures).
"""

cimport cython
from cpython.bytearray cimport PyByteArray_Resize
from cpython.time cimport perf_counter
from libc.stdio cimport snprintf

import asyncio
import logging
import os
import re
import urllib.parse
from collections import deque
from http import HTTPStatus

import httptools

from torch_serving.answers import error_answer
from torch_serving.errors import (
    BodyTooLarge,
    HeadTooLarge,
    InvalidHttp,
    OutOfMemory,
    RequestTimeout,
    ShuttingDown,
    UnexpectedError,
)

logger = logging.getLogger("torch_serving.protocol")

cdef Py_ssize_t MAX_HEAD_BYTES = 64 * 1024  # request line and headers; others take 8 to 64 KiB
cdef Py_ssize_t MOST_AT_ONCE = 256 * 1024  # that is read from a connection to be parsed
cdef Py_ssize_t LARGE_REST = 64 * 1024  # of a body: worth to be received past the parser
cdef Py_ssize_t LEAST_ROOM = 4 * 1024 * 1024  # that is reserved for the rest of a body
cdef Py_ssize_t LARGE_ANSWER = 64 * 1024  # not worth a copy to write it with its head
cdef int CLIENT_CLOSED = 499  # nobody's answer, a word for the log: as nginx has it
cdef double NEVER = float("inf")
cdef double LINGER_S = 0.5  # for a last request, once the server stops
cdef double RATE_WINDOW_S = 5.0  # over which the rate of a body is measured
# What a client may call its request; another name is replaced.
cdef bytes ID_CHARACTERS = bytes(range(33, 127))
cdef Py_ssize_t MAX_ID = 128
cdef object UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
cdef dict ASGI = {"version": "3.0", "spec_version": "2.3"}
cdef dict STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}
cdef dict DISCONNECT = {"type": "http.disconnect"}

# What of a request arrives now.
cdef enum Part:
    NOTHING
    HEAD
    BODY


@cython.final
cdef class Settings:
    """What is the same for all connections: limits, and what they share.

    `fast_path` may answer what is posted in one piece instead of the application.
    `refused` counts the requests that nobody else has counters for. `body_rate` is the least of
    bytes a second that a client must send of a body (0: none).
    """

    cdef readonly object app
    cdef readonly object fast_path
    cdef readonly object log
    cdef readonly object refused
    cdef readonly Py_ssize_t max_body_bytes
    cdef readonly double header_timeout_s
    cdef readonly double body_timeout_s
    cdef readonly double body_rate
    cdef readonly double keep_alive_s
    cdef bytearray received  # what one connection has read, until it is parsed: at once
    cdef object receiving  # a view of it, to be written to
    cdef bytes id_prefix
    cdef unsigned long long requests

    def __cinit__(
        self, app, log, refused, Py_ssize_t max_body_bytes, double header_timeout_s,
        double body_timeout_s, double body_rate, double keep_alive_s, fast_path=None,
    ):
        self.app = app
        self.fast_path = fast_path
        self.log = log
        self.refused = refused
        self.max_body_bytes = max_body_bytes
        self.header_timeout_s = header_timeout_s
        self.body_timeout_s = body_timeout_s
        self.body_rate = body_rate
        self.keep_alive_s = keep_alive_s
        self.received = bytearray(MOST_AT_ONCE)
        self.receiving = memoryview(self.received)
        self.id_prefix = os.urandom(6).hex().encode()

    cdef bytes new_id(self):
        """A name for a request, unlike that of any other of any process."""
        cdef char[64] name
        self.requests += 1
        return name[:snprintf(name, 64, b"%s-%llx", <char*>self.id_prefix, self.requests)]


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
    """One request and its answer: ASGI's `receive` and `send`, or what the fast path takes for the
    future of its job."""

    cdef Protocol protocol
    cdef dict scope
    cdef bytes url, request_id
    cdef bytearray body  # grows in place: parts to be joined cost twice the page faults
    cdef Py_ssize_t filled  # what came of it past the parser; beyond is room for what will
    cdef object task  # the application's, while it runs
    cdef object fast_task  # what the fast path does for it
    cdef object waiting  # a future, while the application waits for an event
    cdef dict start  # of the answer: held back until there is a body
    cdef int refusal  # the status with which the protocol refused it, or 0
    cdef double started_s
    cdef bint more_body, asked, expects_continue
    cdef bint keep_alive, disconnected, complete

    cdef int run(self) except -1:
        self.protocol.active = self
        if self.takes_fast_path():
            return 0
        self.task = self.protocol.loop.create_task(
            self.protocol.settings.app(self.scope, self.receive, self.send)
        )
        self.protocol.tasks.add(self.task)
        self.task.add_done_callback(self.ended)
        return 0

    cdef bint takes_fast_path(self) except -1:
        cdef Settings settings = self.protocol.settings
        if settings.fast_path is None or self.more_body or self.scope["method"] != "POST":
            return False
        if len(self.body) > settings.max_body_bytes:
            return False
        self.fast_task = settings.fast_path.begin(  # the outcome comes in a later turn of the loop
            self.scope["path"], self.scope["query_string"], self.scope["headers"], self.body, self
        )
        if self.fast_task is None:
            return False
        self.body = None
        self.protocol.tasks.add(self)  # the server waits for it, and cancels it in the end
        return True

    # The future of a job on the fast path.

    def done(self):
        return self.complete or self.disconnected

    def get_loop(self):
        return self.protocol.loop

    def set_result(self, bytes body not None):
        self.answer(200, self.fast_task.answer_headers, body)

    def set_exception(self, error not None):
        self.answer(*error_answer(self.scope["path"], error, self.request_id))

    def cancel(self, msg=None):
        # later: as with tasks, the server goes through the set of them
        self.protocol.loop.call_soon(self.give_up)

    def give_up(self):
        if not self.done():
            self.set_exception(ShuttingDown("the server stops before the answer is ready"))

    def answer(self, int status, headers, bytes body):
        self.protocol.tasks.discard(self)
        if not self.protocol.transport.is_closing():  # else it is told that it is disconnected
            self.write(status, lines_of(headers, body), body)

    # The application's task.

    def ended(self, task):
        """The application has returned, or raised what it should not."""
        self.task = None
        self.protocol.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("the application raised", exc_info=task.exception())
        if self.complete:
            return
        if self.disconnected or self.protocol.transport.is_closing():
            self.protocol.account(self, self.refusal or CLIENT_CLOSED)
            return
        self.protocol.account(self, UnexpectedError.status)
        path = self.scope["path"]
        self.protocol.transport.write(response_of(UnexpectedError(), path, self.request_id))
        self.protocol.close()

    cdef int add(self, bytes data) except -1:
        """Take a part of the body."""
        try:
            self.body += data
        except MemoryError:
            self.body = bytearray()
            self.protocol.give_up(no_memory())
        if len(self.body) > self.protocol.settings.max_body_bytes:
            self.protocol.pause_reading()
            self.wake()
        return 0

    cdef object room(self, Py_ssize_t left):
        """Return where more of the body is received, of which so many bytes are left.

        No more is reserved than three times what came, or than the least: many clients may announce
        what they never send. Raises MemoryError.
        """
        if self.filled == len(self.body):
            left = min(left, max(3 * self.filled, LEAST_ROOM))
            PyByteArray_Resize(self.body, self.filled + left)
        return memoryview(self.body)[self.filled :]

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
        """The first event has the body if it came with the head, else nothing of it, so that the
        application can refuse it; the second has all of it, or more than the limit."""
        over = len(self.body) > self.protocol.settings.max_body_bytes
        if self.disconnected or self.complete or not self.more_body or over:
            return ready(self.event())
        if not self.asked:
            self.asked = True
            return ready({"type": "http.request", "body": b"", "more_body": True})
        if self.expects_continue and not self.protocol.transport.is_closing():
            self.protocol.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.expects_continue = False
        self.waiting = self.protocol.loop.create_future()
        return self.waiting

    def send(self, dict message not None):
        if self.disconnected or self.protocol.transport.is_closing():
            return NOTHING_MORE
        if message["type"] == "http.response.start":
            self.start = message
            return NOTHING_MORE
        if self.complete or self.start is None or message.get("more_body"):
            raise RuntimeError("an answer is one start and one body")
        self.write(self.start["status"], self.start["headers"], message.get("body", b""))
        return NOTHING_MORE

    cdef int write(self, int status, headers, bytes body) except -1:
        transport = self.protocol.transport
        head = head_of(status, headers, self.request_id, self.keep_alive)
        self.complete = True
        self.protocol.account(self, status)
        if self.scope["method"] == "HEAD":
            transport.write(head)
        elif len(body) > LARGE_ANSWER:
            transport.writelines((head, body))
        else:
            transport.write(head + body)
        if not self.keep_alive:
            return self.protocol.close()
        return self.protocol.answered()

    cdef int disconnect(self) except -1:
        """The client is gone, or refused: what was not begun for it need not be done."""
        self.disconnected = True
        if self.task is not None:
            self.task.cancel()
        elif self.fast_task is not None:
            self.protocol.tasks.discard(self)
            self.protocol.account(self, CLIENT_CLOSED)
        return 0


cdef bytes head_of(int status, headers, bytes request_id, bint keep_alive):
    cdef bytes name, value
    cdef list lines = [STATUS_LINES[status]]
    for name, value in headers:
        if b"\n" in value or b"\r" in value:
            raise RuntimeError("a header value holds a line break")
        lines += (name, b": ", value, b"\r\n")
    lines += (b"x-request-id: ", request_id)
    lines.append(b"\r\n\r\n" if keep_alive else b"\r\nconnection: close\r\n\r\n")
    return b"".join(lines)


@cython.final
cdef class Protocol:
    """One connection, for uvloop: it calls as an asyncio.BufferedProtocol what has `get_buffer`."""

    cdef readonly Settings settings
    cdef object loop, tasks, connections
    cdef object parser, transport, server, client
    cdef str scheme
    cdef list headers
    cdef bytes url, request_id
    cdef bint expects_continue
    cdef Exchange exchange  # the latest
    cdef Exchange previous  # the one before it
    cdef Exchange active  # the one that is being answered
    cdef Exchange starting  # the one to run when it is there, or all that came of it
    cdef object pipeline  # those that wait for the one that is being answered
    cdef Part part, deadline_part
    cdef Py_ssize_t head_bytes  # what came of the head that is arriving
    cdef Py_ssize_t framing_bytes  # what came since the latest part of a body: chunks, trailers
    cdef Py_ssize_t body_bytes  # what came of the body since its rate was looked at
    cdef Py_ssize_t body_left  # what will come of a body past the parser
    cdef double body_until_s  # when the whole body must be there
    cdef bint completed  # a message ended in the data that is being parsed
    cdef bint refused
    cdef bint is_last  # the next request is the last one
    cdef object refusal
    cdef bint reading_paused, writing_paused
    cdef Py_ssize_t unsent_bytes
    cdef object timer  # one for all deadlines: it looks whether the deadline has moved
    cdef double timer_s, deadline_s

    def __cinit__(self, Settings settings not None, *, server_state, **ignored):
        self.settings = settings
        self.tasks = server_state.tasks
        self.connections = server_state.connections
        self.start_parser()
        self.pipeline = deque()
        self.part = self.deadline_part = Part.NOTHING
        self.deadline_s = NEVER

    # The connection.

    def connection_made(self, transport):
        self.loop = asyncio.get_running_loop()
        self.transport = transport
        self.server = address_of(transport.get_extra_info("sockname"))
        self.client = address_of(transport.get_extra_info("peername"))
        self.scheme = "http" if transport.get_extra_info("sslcontext") is None else "https"
        self.connections.add(self)
        self.expire_in(self.settings.header_timeout_s)  # one that never says anything ends too

    def connection_lost(self, error):
        self.connections.discard(self)
        self.deadline_s = NEVER
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.pipeline.clear()
        if self.active is not None and not self.active.complete:
            self.active.disconnect()
        self.active = self.previous = self.exchange = self.starting = None  # they hold this
        self.parser = None  # it holds this

    def eof_received(self):
        pass

    def pause_writing(self):
        """The client reads more slowly than it asks: it gets no more answers until it has read."""
        self.writing_paused = True
        self.unsent_bytes = self.transport.get_write_buffer_size()
        self.pause_reading()
        self.start_deadline()

    def resume_writing(self):
        self.writing_paused = False
        self.go_on()
        if not self.transport.is_closing():
            self.start_deadline()

    cdef int pause_reading(self) except -1:
        if not self.reading_paused:
            self.reading_paused = True
            self.transport.pause_reading()
        return 0

    def shutdown(self):
        """The server stops: end the connection after the answer that is on its way.

        To close one that was just made, or just had its answer, would lose the request that its
        client may be sending.
        """
        self.is_last = True
        if self.exchange is not None and not self.exchange.complete:
            self.exchange.keep_alive = False
        elif self.part == Part.NOTHING and not self.is_writing():
            self.expire_in(LINGER_S)

    cdef int start_parser(self) except -1:
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return 0

    # What arrives.

    def get_buffer(self, size_hint):
        if self.body_left == 0:
            return self.settings.receiving
        if not self.exchange.complete:
            try:
                return self.exchange.room(self.body_left)
            except MemoryError:
                self.exchange.body = bytearray()
                self.refusal = no_memory()
        return self.settings.receiving[: self.body_left]

    def buffer_updated(self, Py_ssize_t size):
        if self.body_left == 0:
            self.parse((<char*>self.settings.received)[:size])
        elif self.refusal is not None:
            self.refuse(self.refusal)
        else:
            self.take_past_parser(size)

    cdef object parse(self, bytes data):
        if self.refused:
            return None
        if self.part == Part.NOTHING:
            data = without_upgrade(data)
        self.completed = False
        self.head_bytes += len(data)
        self.framing_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # CONNECT, which the application refuses
        except httptools.HttpParserError:
            problem = InvalidHttp("the request can't be parsed as HTTP/1.1")
            return self.refuse(self.refusal or problem)
        self.begin()
        if self.part != Part.HEAD or self.completed:
            # a head that follows another message in one piece is counted from the next piece on
            self.head_bytes = 0
        elif self.head_bytes > MAX_HEAD_BYTES:
            return self.refuse(HeadTooLarge(f"the limit is {MAX_HEAD_BYTES} bytes"))
        if self.part == Part.BODY and self.framing_bytes > MAX_HEAD_BYTES:
            return self.refuse(HeadTooLarge(f"trailers too; the limit is {MAX_HEAD_BYTES} bytes"))
        if self.completed or self.part != self.deadline_part:
            self.start_deadline()
        if self.part == Part.BODY:
            self.go_past_parser()

    cdef int go_past_parser(self) except -1:
        """Receive the rest of a large body where it is decoded from: the parser would make two
        copies."""
        length = length_in(self.exchange.scope["headers"])
        came = len(self.exchange.body)
        fits = came + LARGE_REST <= length <= self.settings.max_body_bytes
        if fits and not self.exchange.complete:
            self.exchange.filled = came
            self.body_left = length - came
        return 0

    cdef int take_past_parser(self, Py_ssize_t size) except -1:
        self.body_left -= size
        self.body_bytes += size
        self.exchange.filled += size
        if self.body_left == 0:
            self.start_parser()  # the former one still waits for the body
            self.on_message_complete()
            self.start_deadline()
        return 0

    def on_message_begin(self):
        self.part = Part.HEAD
        self.url = b""
        self.request_id = None
        self.headers = []
        self.expects_continue = False

    def on_url(self, bytes url):
        self.url += url

    def on_header(self, bytes name, bytes value):
        if self.part == Part.BODY:
            return  # a trailer, which means nothing here (RFC 9110, 6.5.1)
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expects_continue = True
        elif name == b"x-request-id":
            self.request_id = checked_id(value)
        self.headers.append((name, value))

    def on_headers_complete(self):
        if self.head_bytes > MAX_HEAD_BYTES:
            size = len(self.url) + sum([len(name) + len(value) for name, value in self.headers])
            if size > MAX_HEAD_BYTES:
                self.give_up(HeadTooLarge(f"the limit is {MAX_HEAD_BYTES} bytes"))
        if self.parser.get_http_version() not in ("1.1", "1.0"):
            self.give_up(InvalidHttp("this server speaks HTTP/1.1"))
        if self.parser.should_upgrade() and self.announces_body():
            # which the parser would take for another protocol's, or for further requests
            self.give_up(InvalidHttp("this server can't change to another protocol"))
        if self.expects_continue and length_in(self.headers) > self.settings.max_body_bytes:
            # before its client is told to send it
            self.give_up(BodyTooLarge(f"the limit is {self.settings.max_body_bytes} bytes"))
        exchange = self.new_exchange()
        self.part = Part.BODY
        self.framing_bytes = 0
        self.previous = self.exchange
        self.exchange = exchange
        if self.previous is None or self.previous.complete:
            self.starting = self.exchange
        else:
            self.pause_reading()
            self.pipeline.append(self.exchange)

    cdef Exchange new_exchange(self):
        cdef Exchange exchange = Exchange.__new__(Exchange)
        cdef str version = self.parser.get_http_version()
        url = httptools.parse_url(self.url)
        raw_path = url.path or b"/"
        path = raw_path.decode("ascii")
        exchange.request_id = self.request_id or self.settings.new_id()
        exchange.scope = {
            "type": "http",
            "asgi": ASGI,
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": self.parser.get_method().decode("ascii"),
            "root_path": "",
            "path": urllib.parse.unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": url.query or b"",
            "headers": self.headers,
            "torch_serving.request_id": exchange.request_id,
        }
        exchange.url = self.url
        exchange.started_s = perf_counter()  # the loop's clock stands still for a turn
        exchange.protocol = self
        exchange.body = bytearray()
        exchange.more_body = True
        exchange.expects_continue = self.expects_continue
        exchange.keep_alive = (
            version != "1.0"
            and not self.is_last
            and self.parser.should_keep_alive()
            and not self.parser.should_upgrade()
        )
        return exchange

    def on_body(self, bytes body):
        self.body_bytes += len(body)
        self.framing_bytes = 0
        if not self.exchange.complete:
            self.exchange.add(body)

    def on_message_complete(self):
        self.part = Part.NOTHING
        self.completed = True
        self.exchange.more_body = False
        self.exchange.wake()
        self.begin()

    cdef int begin(self) except -1:
        """Run the request that has come, whole if it came in one piece."""
        cdef Exchange exchange = self.starting
        self.starting = None
        if exchange is not None:
            exchange.run()
        return 0

    cdef bint announces_body(self) except -1:
        names = {name for name, _ in self.headers}
        return not names.isdisjoint((b"content-length", b"transfer-encoding"))

    cdef int give_up(self, error) except -1:
        """Stop the parser; `parse` then refuses the request."""
        self.refusal = error
        raise error

    # What is answered.

    cdef int answered(self) except -1:
        """An answer has been written."""
        if self.transport.is_closing():
            return 0
        if not self.writing_paused:
            self.go_on()
        if self.part == Part.NOTHING:
            self.start_deadline()
        return 0

    cdef int go_on(self) except -1:
        """Read again, and start the request that waits, if one does."""
        if self.reading_paused:
            self.reading_paused = False
            self.transport.resume_reading()
        if self.pipeline and self.active.complete and not self.transport.is_closing():
            (<Exchange>self.pipeline.popleft()).run()
        return 0

    cdef bint is_writing(self) except -1:
        """Whether what was answered is still on its way, and its client has to read."""
        return self.writing_paused or self.transport.is_closing()

    cdef int close(self) except -1:
        """End the connection once its client has read what was written, if it does read."""
        self.transport.close()
        self.unsent_bytes = self.transport.get_write_buffer_size()
        return self.expire_in(self.settings.keep_alive_s)

    cdef object refuse(self, error):
        """Answer for a request that the application can't answer, and close the connection.

        Answers to earlier requests come first: an error in their place would be taken for theirs.
        """
        cdef Exchange current = self.exchange if self.part == Part.BODY else None
        cdef Exchange earlier = self.exchange if current is None else self.previous
        self.refused = True
        self.body_left = 0
        self.start_deadline()
        self.starting = None
        if current is not None:
            current.refusal = error.status
            current.disconnect()
        if current is None or (current.task is None and not current.complete):
            self.account(current, error.status)  # else that is done at the task's end, or has been
        if earlier is not None and not earlier.complete:
            earlier.keep_alive = False
            if current is not None:
                self.pipeline.pop()  # it waits behind the earlier one
            return None
        if current is None or not current.complete:
            request_id = self.settings.new_id() if current is None else current.request_id
            path = "" if current is None else current.scope["path"]
            self.transport.write(response_of(error, path, request_id))
        self.close()

    cdef int account(self, Exchange exchange, int status) except -1:
        """Count an answer, and log it."""
        cdef double elapsed_s = 0.0
        method = url = request_id = "-"  # nobody knows what it wanted
        counts = None
        if exchange is not None:
            elapsed_s = perf_counter() - exchange.started_s
            if exchange.fast_task is not None:
                counts = exchange.fast_task.counts
            else:
                counts = exchange.scope.get("torch_serving.counts")
        if counts is not None:
            counts.answered(status, elapsed_s)
        elif status >= 400:
            self.settings.refused.answered(status, elapsed_s)
        if self.settings.log is not None:
            if exchange is not None:
                method, url = exchange.scope["method"], exchange.url.decode("latin-1")
                request_id = exchange.request_id.decode("ascii")
            client = self.client[0] if self.client else None
            self.settings.log.write(client, method, url, status, elapsed_s, request_id)
        return 0

    # Deadlines.

    cdef int start_deadline(self) except -1:
        """A head, a body, the time between two requests, or that to read an answer begins."""
        self.deadline_part = self.part
        if self.writing_paused:
            return self.expire_in(self.settings.keep_alive_s)
        if self.refused:  # the answers that are due end the connection
            self.deadline_s = NEVER
            return 0
        if self.part == Part.HEAD:
            return self.expire_in(self.settings.header_timeout_s)
        if self.part == Part.BODY:
            self.body_until_s = self.loop.time() + self.settings.body_timeout_s
            return self.expire_with_window()
        if self.exchange.complete and not self.pipeline:
            return self.expire_in(LINGER_S if self.is_last else self.settings.keep_alive_s)
        self.deadline_s = NEVER  # as long as it is being answered
        return 0

    cdef int expire_in(self, double delay_s) except -1:
        cdef double now_s = self.loop.time()
        self.deadline_s = now_s + delay_s
        if self.timer is None or self.timer_s > self.deadline_s:
            self.set_timer(now_s)
        return 0

    cdef int expire_with_window(self) except -1:
        """Look at the rate of the body after a while, or at its end where that comes first."""
        cdef double left_s = self.body_until_s - self.loop.time()
        self.body_bytes = 0
        return self.expire_in(min(left_s, RATE_WINDOW_S) if self.settings.body_rate else left_s)

    cdef int set_timer(self, double now_s) except -1:
        if self.timer is not None:
            self.timer.cancel()
        self.timer_s = self.deadline_s
        self.timer = self.loop.call_later(self.deadline_s - now_s, self.look_at_deadline)
        return 0

    def look_at_deadline(self):
        cdef double now_s = self.loop.time()
        self.timer = None
        if self.deadline_s == NEVER:
            return
        if now_s < self.deadline_s - 0.001:
            self.set_timer(now_s)
        else:
            self.expire()

    cdef int expire(self) except -1:
        if self.is_writing():
            return self.see_whether_it_reads()
        if self.reading_paused:  # by us, not by the client: it may have sent everything
            return self.start_deadline()
        if self.part == Part.NOTHING:
            return self.close()
        if self.part == Part.HEAD:
            return self.refuse_late("head", self.settings.header_timeout_s)
        if self.loop.time() >= self.body_until_s - 0.001:
            return self.refuse_late("body", self.settings.body_timeout_s)
        if self.body_bytes >= self.settings.body_rate * RATE_WINDOW_S:
            return self.expire_with_window()
        rate = self.settings.body_rate
        self.refuse(RequestTimeout(f"the body arrived at less than {rate:g} bytes a second"))
        return 0

    cdef int refuse_late(self, str part, double limit_s) except -1:
        self.refuse(RequestTimeout(f"the {part} did not arrive within {limit_s:g} seconds"))
        return 0

    cdef int see_whether_it_reads(self) except -1:
        """End a connection whose client has read nothing of its answer since the last look."""
        unsent = self.transport.get_write_buffer_size()
        if unsent >= self.unsent_bytes:
            self.transport.abort()
            return 0
        self.unsent_bytes = unsent
        return self.expire_in(self.settings.keep_alive_s)


cdef object length_in(list headers):
    """The length of a body that a head announces, which the parser has checked, or 0."""
    for name, value in headers:
        if name == b"content-length":
            return int(value)
    return 0


cdef object no_memory():
    return OutOfMemory("the server has too little memory left for the body")


cdef object address_of(name):
    return tuple(name[:2]) if isinstance(name, (tuple, list)) else None


cdef bytes without_upgrade(bytes data):
    """Hide a wish for another protocol: the parser would take the body for that protocol's.

    Clients that would like HTTP/2 send it with ordinary requests, and take HTTP/1.1 for an answer.
    """
    cdef Py_ssize_t length = data.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)
    if length < 0:
        length = min(len(data), MAX_HEAD_BYTES)
    if data.find(b"pgrade:", 0, length) < 0 and data.find(b"PGRADE:", 0, length) < 0:
        return data
    return UPGRADE.sub(b"\r\nx-upgrade:", data[:length]) + data[length:]


cdef bytes checked_id(bytes value):
    """A client's name for its request, or None if it may not have it."""
    if not 0 < len(value) <= MAX_ID or value.translate(None, ID_CHARACTERS):
        return None
    return value


cdef bytes response_of(error, str path, bytes request_id):
    """A whole HTTP response that ends the connection; a request whose head was read has a path."""
    status, headers, body = error_answer(path, error, request_id)
    return head_of(status, lines_of(headers, body), request_id, False) + body


cdef list lines_of(headers, bytes body):
    """As ASGI has them, with the length of the body."""
    cdef list lines = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    lines.append((b"content-length", b"%d" % len(body)))
    return lines
