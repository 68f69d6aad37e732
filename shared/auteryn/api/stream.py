"""Server-sent events (L12). The journal is the queue: an event is read from it when the client has taken the one before, so a
slow client costs one socket buffer, and whoever was cut off comes back with `Last-Event-ID`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import msgspec
from msgspec import Struct
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from auteryn.errors import AuterynError
from auteryn.schema.record import to_json
from auteryn.service.delivery import Batch, StreamEvent
from auteryn.service.logs import LogLine

RETRY = b"retry: 2000\n\n"
BEAT = b": still here\n\n"
PIECES = 250
"""Frames are sent in pieces of this part of what one stream may carry: it is never passed by much."""


class Pace(Struct, frozen=True):
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
        self._at, self._under_way = 0.0, False
        """Since when nothing was sent, or the frame under way has been sent."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        work = [asyncio.create_task(self._send(send)), asyncio.create_task(_gone(receive))]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sent, _ = await _ended(*work)
            await self._frames.aclose()
        if isinstance(sent, Exception) and not isinstance(sent, OSError | TimeoutError):
            raise sent

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send(_body(RETRY))
        pouring, closed = asyncio.create_task(self._pour(send)), asyncio.create_task(self._closing.wait())
        try:
            await self._watched(send, pouring, closed)
        finally:
            poured, _ = await _ended(pouring, closed)
        if isinstance(poured, Exception):
            raise poured
        async with asyncio.timeout(self._pace.patience.total_seconds()):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pour(self, send: Send) -> None:
        """Each frame when the one before has been taken: a client that takes nothing holds up its own stream and no other."""
        loop, left = asyncio.get_running_loop(), self._pace.most_bytes
        async for frame in self._frames:
            self._at, self._under_way = loop.time(), True
            await send(_body(frame))
            self._at, self._under_way = loop.time(), False
            left -= len(frame)
            if left <= 0:
                return

    async def _watched(self, send: Send, *ends: asyncio.Task[Any]) -> None:
        """Back when one of them has ended or it is time to rotate; beats meanwhile. Raises `TimeoutError` where a frame is not
        taken: then nothing more can be said to this client."""
        loop = asyncio.get_running_loop()
        beat, patience = self._pace.beat.total_seconds(), self._pace.patience.total_seconds()
        self._at = loop.time()
        end_at = self._at + self._pace.rotation.total_seconds()
        while (now := loop.time()) < end_at:
            look_at = self._at + patience if self._under_way else min(self._at + beat, now + patience)
            done, _ = await asyncio.wait(ends, timeout=min(look_at, end_at) - now, return_when=asyncio.FIRST_COMPLETED)
            if done:
                return
            quiet = loop.time() - self._at
            if self._under_way and quiet >= patience:
                raise TimeoutError
            if not self._under_way and quiet >= beat:
                self._at = loop.time()
                async with asyncio.timeout(patience):
                    await send(_body(BEAT))


def _body(piece: bytes) -> Message:
    return {"type": "http.response.body", "body": piece, "more_body": True}


async def _ended(*tasks: asyncio.Task[Any]) -> Sequence[Any]:
    """What became of them, those that were still at work stopped."""
    for task in tasks:
        task.cancel()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


# ---- frames --------------------------------------------------------------------------------------------------


async def event_frames(batches: AsyncGenerator[Batch], pace: Pace) -> AsyncGenerator[bytes]:
    """One frame an event, those that are there at once together; what many clients are sent is written once."""
    try:
        async for batch in batches:
            batch.wire = batch.wire or tuple(_pieces(map(_event_frame, batch), pace))
            for piece in batch.wire:
                yield piece
    except AuterynError as error:  # the status line is long out: the client comes back and is told properly
        yield b": " + type(error).code.encode() + b"\n\n"
    finally:
        await batches.aclose()


def _pieces(frames: Iterable[bytes], pace: Pace) -> Iterator[bytes]:
    """As many frames in one piece as fit into a part of what a stream may carry."""
    most, held, size = pace.most_bytes // PIECES, list[bytes](), 0
    for one in frames:
        if held and size + len(one) > most:
            yield b"".join(held)
            held, size = list[bytes](), 0
        held.append(one)
        size += len(one)
    if held:
        yield b"".join(held)


def _event_frame(event: StreamEvent) -> bytes:
    """Its data are the event's own fields, and after them `run_id`, `at`, `seq` and `delta`."""
    more = {"run_id": event.run, "at": event.at, "seq": event.seq, "delta": event.delta}
    return frame(event.id, event.kind, {**event.data, **more})


async def log_frames(pages: AsyncGenerator[list[LogLine]], pace: Pace, after: int, skip: int) -> AsyncGenerator[bytes]:
    """One frame a line, those that are there at once together. The id says the entry and how many of its lines were sent:
    `skip` were, of the first one."""
    seq, index = after + 1, 0
    async with aclosing(pages):
        async for lines in pages:
            found = list[bytes]()
            for line in lines:
                seq, index = line.seq, (index + 1 if line.seq == seq else 1)
                if seq > after + 1 or index > skip:
                    found.append(frame(f"{seq}.{index}", "log", msgspec.to_builtins(line)))
            for piece in _pieces(found, pace):
                yield piece


def log_cursor(text: str) -> tuple[int, int] | None:
    """(entries that were sent whole, lines of the next that were sent), or None for what is no id of a line."""
    seq, _, index = text.partition(".")
    if not (seq.isdecimal() and index.isdecimal() and seq.isascii() and index.isascii() and len(text) < 24 and int(seq)):
        return None
    return int(seq) - 1, int(index)


def frame(event_id: str, kind: str, data: object) -> bytes:
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (event_id.encode(), kind.encode(), to_json(data))
