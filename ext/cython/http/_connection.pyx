# distutils: language = c++
"""HTTP/1.1 between a socket and an ASGI application: one `HttpProtocol` a connection.

httptools parses. This module adds limits and deadlines, responds in order, and rejects in JSON what
never reaches the application. uvicorn's own protocol does not, and takes twice the time: it writes
head and body of a response apart, and wakes the application for each piece of a body.
"""

cimport cython
from cpython.bytearray cimport PyByteArray_Resize
from cpython.time cimport perf_counter
from libc.stdio cimport snprintf
from libc.time cimport time, time_t

import asyncio
import logging
import os
import urllib.parse
from collections import deque
from email.utils import formatdate
from http import HTTPStatus

import httptools

from torch_serving.errors import (
    BodyTooLarge,
    HeadTooLarge,
    InvalidHttp,
    OutOfMemory,
    Overloaded,
    RequestTimeout,
    ShuttingDown,
    UnexpectedError,
)
from torch_serving.http.error_responses import error_response, failure_of
from torch_serving.http.forwarded import scheme_of
from torch_serving.telemetry.responses import CLIENT_GONE

logger = logging.getLogger("torch_serving.protocol")

cdef Py_ssize_t MAX_HEAD_BYTES = 64 * 1024  # request line and headers; others take 8 to 64 KiB
cdef Py_ssize_t LINE_BYTES = 4  # of a header beside name and value: ": " and a line break
cdef Py_ssize_t RECEIVE_BYTES = 256 * 1024  # that are received at most before they are parsed
cdef Py_ssize_t PART_BYTES = 64 * 1024  # that are parsed before it is seen whether requests wait
cdef Py_ssize_t LARGE_REST = 64 * 1024  # of a body: worth to be received directly
cdef int CLIENT_CLOSED = 499  # for log and counters only, as in nginx: nobody receives a response
cdef dict ASGI = {"version": "3.0", "spec_version": "2.3"}


@cython.final
cdef class ConnectionSettings:
    """What all connections share: the application, limits, and one receive buffer.

    `fast_path` may take a request that was received in one piece, instead of the application.
    `responses` counts and logs them. `max_bodies_bytes` bounds the bodies of all requests together.
    `body_rate` is the least rate in bytes a second at which a client must send a body (0: none).
    """

    cdef readonly object app
    cdef readonly object fast_path
    cdef readonly object responses
    cdef readonly Py_ssize_t max_body_bytes
    cdef readonly Py_ssize_t max_bodies_bytes
    cdef readonly Py_ssize_t bodies_bytes  # that requests take now
    cdef readonly double header_timeout_s
    cdef readonly double body_timeout_s
    cdef readonly double body_rate
    cdef readonly double keep_alive_s
    cdef readonly object proxies  # that are trusted; None: nobody's headers are believed
    cdef readonly bint is_secure  # requests that come without TLS are refused
    cdef readonly str root_path  # that a proxy has removed from the paths of requests
    cdef bytearray received  # by one connection, and parsed before another one receives
    cdef object receiving  # a view of it, to be written to
    cdef bytes id_prefix
    cdef unsigned long long requests

    def __cinit__(
        self, app, responses, Py_ssize_t max_body_bytes, double header_timeout_s,
        double body_timeout_s, double body_rate, double keep_alive_s, fast_path=None,
        Py_ssize_t max_bodies_bytes=1 << 62, proxies=None, bint is_secure=False, str root_path="",
    ):
        self.app = app
        self.fast_path = fast_path
        self.responses = responses
        self.max_body_bytes = max_body_bytes
        self.max_bodies_bytes = max_bodies_bytes
        self.header_timeout_s = header_timeout_s
        self.body_timeout_s = body_timeout_s
        self.body_rate = body_rate
        self.keep_alive_s = keep_alive_s
        self.proxies = proxies
        self.is_secure = is_secure
        self.root_path = root_path
        self.received = bytearray(RECEIVE_BYTES)
        self.receiving = memoryview(self.received)
        self.id_prefix = os.urandom(6).hex().encode()

    cdef bytes new_id(self):
        """Return an identifier of a request that is unique across processes."""
        cdef char[64] name
        self.requests += 1
        return name[:snprintf(name, 64, b"%s-%llx", <char*>self.id_prefix, self.requests)]


include "connection/heads.pxi"
include "connection/request_reader.pxi"
include "connection/deadline.pxi"
include "connection/body_room.pxi"
include "connection/exchange.pxi"
include "connection/streaming.pxi"
include "connection/new_exchange.pxi"
include "connection/accounting.pxi"
include "connection/closed_transport.pxi"


@cython.final
cdef class HttpProtocol:
    """One connection, for uvloop: an asyncio.BufferedProtocol by its methods."""

    cdef readonly ConnectionSettings settings
    cdef object loop, tasks, connections
    cdef object transport, server, client
    cdef str scheme
    cdef bint is_proxy  # that is trusted
    cdef RequestReader reader
    cdef Deadline deadline
    cdef Exchange exchange  # the latest
    cdef Exchange previous  # the one before it
    cdef Exchange responding  # the one that is being responded to
    cdef Exchange next_to_run  # once its body is complete, or all received data is parsed
    cdef object pipeline  # exchanges that wait for the one that is being responded to
    cdef bint rejected  # the connection: nothing of it is read any more
    cdef bint is_last  # the next request is the last one
    cdef bint reading_paused, writing_paused

    def __cinit__(self, ConnectionSettings settings not None, *, server_state, **ignored):
        self.settings = settings
        self.tasks = server_state.tasks
        self.connections = server_state.connections
        self.reader = RequestReader(self)
        self.pipeline = deque()

    # The connection.

    def connection_made(self, transport):
        self.loop = asyncio.get_running_loop()
        self.transport = transport
        self.server = address_of(transport.get_extra_info("sockname"))
        self.client = address_of(transport.get_extra_info("peername"))
        self.scheme = "http" if transport.get_extra_info("sslcontext") is None else "https"
        proxies = self.settings.proxies
        self.is_proxy = proxies is not None and proxies.trust(self.client)
        self.connections.add(self)
        self.deadline = Deadline(self)
        self.deadline.expire_in(self.settings.header_timeout_s)  # a silent connection ends too

    def connection_lost(self, error):
        self.connections.discard(self)
        self.pipeline.clear()
        if self.responding is not None and not self.responding.complete:
            self.responding.disconnect()
        # these refer back to this object
        self.deadline.close()
        self.reader.close()
        self.responding = self.previous = self.exchange = self.next_to_run = None
        self.transport = CLOSED  # with TLS, uvloop's does too

    def eof_received(self):
        pass

    def get_buffer(self, size_hint):
        if self.reader.direct_bytes_left == 0:
            return self.settings.receiving
        return self.reader.direct_buffer()

    def buffer_updated(self, Py_ssize_t size):
        if self.reader.direct_bytes_left == 0:
            self.reader.receive((<char*>self.settings.received)[:size])
        else:
            self.reader.on_direct_data(size)

    def pause_writing(self):
        """Read nothing more of a client that reads its responses more slowly than it asks."""
        self.writing_paused = True
        self.deadline.unsent_bytes = self.transport.get_write_buffer_size()
        self.pause_reading()
        self.deadline.start()

    def resume_writing(self):
        self.writing_paused = False
        if self.responding is not None:
            on_drained(self.responding)
        self.resume()
        if not self.transport.is_closing():
            self.deadline.start()

    def shutdown(self):
        """End the connection after the current response, since the server stops.

        A connection that is new, or that just had its response, stays open for a moment: its client
        may be sending a request, which would be lost.
        """
        self.is_last = True
        if self.exchange is not None and not self.exchange.complete:
            self.exchange.keep_alive = False
        elif self.reader.state == ReadState.IDLE and not self.is_writing():
            self.deadline.expire_in(LINGER_S)
        if self.responding is not None:
            interrupt_stream(self.responding)

    cdef int pause_reading(self) except -1:
        if not self.reading_paused:
            self.reading_paused = True
            self.transport.pause_reading()
        return 0

    # Exchanges.

    cdef int add(self, Exchange exchange) except -1:
        """Run a new exchange next, or after those that are not complete."""
        self.previous = self.exchange
        self.exchange = exchange
        if self.previous is None or self.previous.complete:
            self.next_to_run = exchange
        else:
            self.pause_reading()
            self.pipeline.append(exchange)
        return 0

    cdef int run_next(self) except -1:
        """Run the exchange that was received: with its whole body if that came in one piece."""
        cdef Exchange exchange = self.next_to_run
        self.next_to_run = None
        if exchange is not None:
            exchange.run()
        return 0

    cdef int on_response_written(self) except -1:
        if self.transport.is_closing():
            return 0
        if not self.writing_paused:
            self.resume()
        if self.reader.state == ReadState.IDLE:
            self.deadline.start()
        return 0

    cdef int resume(self) except -1:
        """Run the exchange that waits; where none does, read again."""
        if self.pipeline and self.responding.complete and not self.transport.is_closing():
            (<Exchange>self.pipeline.popleft()).run()
        self.reader.parse_rest()
        if self.reading_paused and not self.pipeline:
            self.reading_paused = False
            self.transport.resume_reading()
        return 0

    cdef bint is_writing(self) except -1:
        """Whether a written response waits for the client to read it."""
        return self.writing_paused or self.transport.is_closing()

    cdef int close(self) except -1:
        """End the connection once its client has read what was written, if it does read."""
        self.transport.close()
        return self.deadline.start_writing()

    cdef object respond_with_error(self, error):
        """Respond to what the application can't respond to, and close the connection.

        Responses to earlier requests come first: an error in their place would be taken for theirs.
        """
        cdef bint has_head = self.reader.state == ReadState.BODY
        cdef Exchange current = self.exchange if has_head else None
        cdef Exchange earlier = self.exchange if current is None else self.previous
        self.rejected = True
        self.reader.direct_bytes_left = 0
        self.deadline.start()
        self.next_to_run = None
        request_id = self.settings.new_id() if current is None else current.request_id
        failure = failure_of(error)
        if current is not None:
            current.rejected_status = error.status
            current.failure = failure
            current.disconnect()
        if current is None or (current.task is None and not current.complete):
            # else it is recorded at the end of the task, or has been
            record_response(self, current, error.status, failure, request_id)
        if earlier is not None and not earlier.complete:
            earlier.keep_alive = False
            if current is not None:
                self.pipeline.pop()  # it waits behind the earlier one
            return None
        if current is None or not (current.complete or current.is_streamed):
            path = "" if current is None else current.scope["path"]
            self.transport.write(response_of(error, path, request_id))
        self.close()
