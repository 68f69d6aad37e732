"""Server-sent events (L12). The journal is the queue: an event is read from it when the client has taken the one before, so a
slow client costs one socket buffer, and whoever was cut off comes back with `Last-Event-ID`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from auteryn.errors import AuterynError
from auteryn.schema.record import to_json
from auteryn.service.delivery import Batch, StreamEvent
from auteryn.service.logs import LogLine

RETRY = b"retry: 2000\n\n"
BEAT = b": still here\n\n"
PIECE = 64_000
"""Bytes of frames that are ready together and go out in one piece."""
PIECES = 250
"""Frames are sent in pieces of this part of what one stream may carry: it is never passed by much."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Of one stream."""

    beat: timedelta = timedelta(seconds=15)
    """Between two signs of life: proxies drop what is silent."""
    rotation: timedelta = timedelta(minutes=10)
    most_bytes: int = 8_000_000
    """Below the 10 MB a function may stream."""
    patience: timedelta = timedelta(seconds=30)
    """For a client that does not read: then it is cut off, and resumes. And for one whose request's body does not come."""


class EventStream(Response):
    """The frames, until they end, it is time to rotate, or the client is gone or too slow. Ending it ends nothing else."""

    def __init__(
        self,
        frames: AsyncGenerator[bytes],
        pace: Pace,
        closing: asyncio.Event,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> None:
        """`closing`: the server stops, and so do its streams."""
        super().__init__(None, status, {"Cache-Control": "no-store", "X-Accel-Buffering": "no", **(headers or {})})
        self.headers["content-type"] = "text/event-stream; charset=utf-8"
        del self.headers["content-length"]
        self._frames, self._pace, self._closing = frames, pace, closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        work = [asyncio.create_task(self._send(send)), asyncio.create_task(_gone(receive))]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in work:
                task.cancel()
            sent, _ = await asyncio.gather(*work, return_exceptions=True)
            await self._frames.aclose()
        if isinstance(sent, Exception) and not isinstance(sent, OSError | TimeoutError):
            raise sent

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for chunk in _paced(self._frames, self._pace, self._closing):
            async with asyncio.timeout(self._pace.patience.total_seconds()):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _paced(frames: AsyncGenerator[bytes], pace: Pace, closing: asyncio.Event) -> AsyncIterator[bytes]:
    """The frames, those that are ready together in one piece, and the beats between; as long and as much as a stream may."""
    loop = asyncio.get_running_loop()
    end_at, sent = loop.time() + pace.rotation.total_seconds(), 0
    held, room, waiter = bytearray(), asyncio.Event(), loop.create_future()

    def wake(_: object = None) -> None:
        if not waiter.done():
            waiter.set_result(None)

    async def fill() -> None:
        """Read on while there is room: a client that takes nothing holds up its own stream and no other."""
        async for frame in frames:
            held.extend(frame)
            wake()
            if len(held) >= min(PIECE, pace.most_bytes - sent):
                room.clear()
                await room.wait()

    filling, closed = asyncio.ensure_future(fill()), asyncio.ensure_future(closing.wait())
    for task in (filling, closed):
        task.add_done_callback(wake)
    yield RETRY
    try:
        while sent < pace.most_bytes and (left := end_at - loop.time()) > 0 and not closed.done():
            if not held and not filling.done():
                waiter = loop.create_future()
                timer = loop.call_later(min(left, pace.beat.total_seconds()), wake)
                await waiter
                timer.cancel()
            if held:
                piece = bytes(held)
                held.clear()
                room.set()
                sent += len(piece)
                yield piece
            elif filling.done():
                filling.result()
                return
            elif not closed.done():
                yield BEAT
    finally:
        for task in (filling, closed):
            task.cancel()
        await asyncio.gather(filling, closed, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


# ---- frames --------------------------------------------------------------------------------------------------


async def event_frames(batches: AsyncGenerator[Batch], pace: Pace) -> AsyncGenerator[bytes]:
    """One frame an event, those that are there at once together; what many clients are sent is written once."""
    try:
        async for batch in batches:
            batch.wire = batch.wire or tuple(_pieces(batch, pace.most_bytes // PIECES))
            for piece in batch.wire:
                yield piece
    except AuterynError as error:  # the status line is long out: the client comes back and is told properly
        yield b": " + type(error).code.encode() + b"\n\n"
    finally:
        await batches.aclose()


def _pieces(batch: Batch, most: int) -> Iterator[bytes]:
    """Their frames, as many in one piece as fit into so many bytes."""
    held, size = list[bytes](), 0
    for one in map(_event_frame, batch):
        if held and size + len(one) > most:
            yield b"".join(held)
            held, size = list[bytes](), 0
        held.append(one)
        size += len(one)
    yield b"".join(held)


def _event_frame(event: StreamEvent) -> bytes:
    """Its data are the event's own fields, and after them `run_id`, `at`, `seq` and `delta`."""
    more = {"run_id": event.run, "at": event.at, "seq": event.seq, "delta": event.delta}
    return frame(event.id, event.kind, {**event.data, **more})


async def log_frames(lines: AsyncIterator[LogLine], after: int, skip: int) -> AsyncGenerator[bytes]:
    """One frame a line. The id says the entry and how many of its lines were sent: `skip` were, of the first one."""
    seq, index = after + 1, 0
    try:
        async for line in lines:
            seq, index = line.seq, (index + 1 if line.seq == seq else 1)
            if seq > after + 1 or index > skip:
                yield frame(f"{seq}.{index}", "log", msgspec.to_builtins(line))
    finally:
        await _closed(lines)


def log_cursor(text: str) -> tuple[int, int] | None:
    """(entries that were sent whole, lines of the next that were sent), or None for what is no id of a line."""
    seq, _, index = text.partition(".")
    if not (seq.isdecimal() and index.isdecimal() and seq.isascii() and index.isascii() and len(text) < 24 and int(seq)):
        return None
    return int(seq) - 1, int(index)


def frame(event_id: str, kind: str, data: object) -> bytes:
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (event_id.encode(), kind.encode(), to_json(data))


async def _closed(found: AsyncIterator[object]) -> None:
    if isinstance(found, AsyncGenerator):
        await found.aclose()
