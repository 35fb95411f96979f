"""GET /console/stats: what the server counts, once as JSON or as a stream of events."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator

import falcon
import falcon.asgi

from torch_serving.errors import Overloaded
from torch_serving.http.console.sampler import INTERVAL_S, Sampler
from torch_serving.http.negotiation import quality_values
from torch_serving.http.query import check_known

logger = logging.getLogger(__name__)

EVENTS = "text/event-stream"
MOST_STREAMS = 64  # of a process
WEIGHTS_EVERY = 5  # samples: what models weigh is read again


class Publisher:
    """Takes a sample every two seconds, and makes one event of it for all streams."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self.streams: set[Stream] = set()
        self._number = 0
        self._event = b""
        self._is_next = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        if self._task:
            self._task.cancel()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        next_s = loop.time()
        while True:
            try:
                await self._publish(self._sampler.take())
            except Exception:
                logger.exception("the console has no sample")
            next_s = max(next_s + INTERVAL_S, loop.time())
            await asyncio.sleep(next_s - loop.time())

    async def _publish(self, sample: str) -> None:
        """Make the event, if anybody waits for it, a few models at a time."""
        if not self.streams:
            return
        if self._number % WEIGHTS_EVERY == 0:
            await asyncio.to_thread(self._sampler.read_weights)
        head = self._sampler.head_of_sample(sample)
        document = await joined(head, self._sampler.changed_models())
        self._event = event_of("sample", document)
        self._number += 1
        self._is_next.set()
        self._is_next = asyncio.Event()

    async def document(self) -> bytes:
        """All that is known now."""
        await asyncio.to_thread(self._sampler.read_weights)
        return await joined(self._sampler.head_of_start(), self._sampler.all_models())

    async def events(self) -> AsyncGenerator[bytes, None]:
        """All that is known, and then each event. Who has missed one begins anew."""
        seen = -2
        while True:
            if self._number == seen:
                await self._is_next.wait()
            is_next = self._number == seen + 1
            seen = self._number
            yield self._event if is_next else event_of("start", await self.document())


class Stream(AsyncIterator[bytes]):
    """The body of one response, from its first piece until it is closed."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._events = publisher.events()

    def __aiter__(self) -> AsyncIterator[bytes]:
        self._publisher.streams.add(self)
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._events)

    async def close(self) -> None:
        self._publisher.streams.discard(self)
        await self._events.aclose()


class Stats:
    """GET /console/stats: JSON, or for those who ask for them, events as long as they listen."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Raises Overloaded where there are too many streams."""
        check_known(req.params)
        resp.set_headers({"cache-control": "no-store", "vary": "Accept"})
        if not quality_values(req.accept).get(EVENTS):
            resp.content_type = falcon.MEDIA_JSON
            resp.data = await self._publisher.document()
            return
        if len(self._publisher.streams) >= MOST_STREAMS:
            raise Overloaded(f"{MOST_STREAMS} consoles are open, as many as may be")
        resp.content_type = EVENTS
        resp.set_header("x-accel-buffering", "no")  # nginx keeps events back otherwise
        resp.stream = Stream(self._publisher)


async def joined(head: str, pieces: Iterator[str]) -> bytes:
    """A JSON document whose last member is open, with the pieces of that; requests go between."""
    parts = [head]
    for piece in pieces:
        parts.append(piece)
        await asyncio.sleep(0)
    return "".join([*parts, "}}"]).encode()


def event_of(name: str, document: bytes) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), document)
