# distutils: language = c++
"""HTTP/1.1 between a socket and an ASGI application: one `Protocol` a connection.

httptools parses. This adds limits and deadlines, answers in order, and refuses in JSON what never
reaches the application. uvicorn's own protocol does not, and takes twice the time: it writes head
and body of an answer apart, and wakes the application for each piece of a body
(docs/decisions/0009-own-http-connection.md has the figures).
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

from torch_serving.http.error_responses import error_answer
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
cdef int CLIENT_CLOSED = 499  # nobody's answer, a word for the log: as nginx has it
cdef double NEVER = float("inf")
cdef double LINGER_S = 0.5  # for a last request, once the server stops
cdef double RATE_WINDOW_S = 5.0  # over which the rate of a body is measured
cdef dict ASGI = {"version": "3.0", "spec_version": "2.3"}

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


include "connection/heads.pxi"
include "connection/exchange.pxi"


@cython.final
cdef class Gone:
    """The transport of a connection that is closed."""

    def is_closing(self):
        return True


cdef Gone GONE = Gone()


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
        self.body_left = 0
        self.deadline_s = NEVER
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.pipeline.clear()
        if self.active is not None and not self.active.complete:
            self.active.disconnect()
        self.active = self.previous = self.exchange = self.starting = None  # they hold this
        self.parser = None  # it holds this
        self.transport = GONE  # with TLS, uvloop's holds this

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
        if self.refusal is None and not self.exchange.complete:
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
        before = self.exchange
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
        if self.part == Part.BODY and self.exchange is not before:
            self.go_past_parser()

    cdef int go_past_parser(self) except -1:
        """Receive the rest of a large body where it is decoded from: the parser would make two
        copies. Where the connection is not kept, the parser is needed to ignore what follows."""
        length = length_in(self.exchange.scope["headers"])
        came = len(self.exchange.body)
        fits = came + LARGE_REST <= length <= self.settings.max_body_bytes
        if fits and not self.exchange.complete and self.parser.should_keep_alive():
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
        counters = None
        if exchange is not None:
            elapsed_s = perf_counter() - exchange.started_s
            if exchange.fast_task is not None:
                counters = exchange.fast_task.counters
            else:
                counters = exchange.scope.get("torch_serving.counters")
        if counters is not None:
            counters.observe_response(status, elapsed_s)
        elif status >= 400:
            self.settings.refused.observe_response(status, elapsed_s)
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


cdef object address_of(name):
    return tuple(name[:2]) if isinstance(name, (tuple, list)) else None
