"""A small Gemini on loopback that answers by a list: what it was asked is in `asked`. Only what the tests need."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from auteryn.adapters.gcp.model import GeminiModel
from auteryn.ports.model import ModelRequest, Spend

SIGNATURE = "EvsDCvgDAdHtim9kz+0f9d1tcTDxGa3rUrbVwIT5Wg=="


@dataclass(frozen=True)
class Stream:
    """Server-sent events; after the last one the stream ends as `then` says."""

    chunks: Sequence[dict[str, Any]]
    then: str = "end"
    """`end` · `cut` (the connection is dropped) · `silence` (nothing more comes)."""


@dataclass(frozen=True)
class Status:
    """An HTTP answer other than a stream."""

    code: int
    body: dict[str, Any] | str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Wire:
    """The server: requests so far, and whether a client went away before its answer was complete."""

    base_url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    streaming: asyncio.Event = field(default_factory=asyncio.Event)


class NoWaiting:
    """A clock whose sleeps are only noted."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC)

    async def sleep(self, span: timedelta) -> None:
        if span:
            self.slept.append(span.total_seconds())

    async def sleep_until(self, moment: datetime) -> None:
        await self.sleep(moment - self.now())


def chunk(*parts: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One `GenerateContentResponse`; `usage=` is (prompt, output, thoughts)."""
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    candidate |= more.pop("candidate", {})
    prompt, output, thoughts = more.pop("usage", (7, 3, 0))
    usage = {"promptTokenCount": prompt, "candidatesTokenCount": output, "thoughtsTokenCount": thoughts}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-3-flash-preview", **more}


def text(*pieces: str, finish: str = "STOP") -> Stream:
    """An answer in pieces, its signature on a last empty text as Gemini 3 streams it."""
    return Stream(
        [*(chunk({"text": piece}) for piece in pieces), chunk({"text": "", "thoughtSignature": SIGNATURE}, finish=finish)]
    )


def error(code: int, status: str, message: str, *details: dict[str, Any]) -> Status:
    return Status(code, {"error": {"code": code, "status": status, "message": message, "details": list(details)}})


def over_quota(
    delay: str, *, quota_id: str = "GenerateRequestsPerMinutePerProjectPerModel", metric: str = "requests", limit: str = "60"
):
    """A 429 as recorded."""
    violation = {"quotaMetric": f"generativelanguage.googleapis.com/{metric}", "quotaId": quota_id, "quotaValue": limit}
    return error(
        429,
        "RESOURCE_EXHAUSTED",
        f"You exceeded your current quota. \nPlease retry in {delay}.",
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay},
    )


BUSY = error(503, "UNAVAILABLE", "This model is currently experiencing high demand.")


@asynccontextmanager
async def served(*answers: Stream | Status) -> AsyncIterator[Wire]:
    """Answers one request after the other from the list; a request past its end is a 500 that says so."""
    wire, left = Wire(), list(answers)
    past_end = error(500, "INTERNAL", "the test's list of answers is used up")
    talking: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talking.add(asyncio.current_task())  # pyright: ignore[reportArgumentType]
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await _one(reader, writer, wire, lambda: left.pop(0) if left else past_end)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    wire.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield wire
    finally:
        server.close()
        if talking:  # they end with the client's connections, which whoever asked has closed
            await asyncio.wait(talking, timeout=5)


@asynccontextmanager
async def asking(*answers: Stream | Status, **options: Any) -> AsyncIterator[tuple[GeminiModel, Wire, NoWaiting]]:
    """A `GeminiModel` in front of such a server, with a clock that never waits."""
    clock = NoWaiting()
    async with served(*answers) as wire:
        model = GeminiModel("test-key", wire.base_url, clock=clock, **options)
        try:
            yield model, wire, clock
        finally:
            await model.close()


def noted(spent: list[int], whys: list[str] | None = None) -> Spend:
    """Keeps what is counted before each request, and why the one before it brought nothing."""

    async def spend(count: int, why: str) -> None:
        spent.append(count)
        if whys is not None:
            whys.append(why)

    return spend


def request(*said: str, **options: Any) -> ModelRequest:
    contents = [{"role": "user", "parts": [{"text": piece}]} for piece in said or ("hello",)]
    return ModelRequest(**{"role": "fast", "system": "", "contents": contents, **options})


async def _one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wire: Wire, answer: Any) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *rows = head.strip().split("\r\n")
    headers = {name.lower(): value for name, value in (row.split(": ", 1) for row in rows)}
    wire.paths.append(line.split(" ")[1])
    wire.headers.append(headers)
    wire.asked.append(json.loads(await reader.readexactly(int(headers["content-length"]))))
    match answer():
        case Status(code, body, extra):
            raw = (body if isinstance(body, str) else json.dumps(body)).encode()
            rows = "".join(f"{name}: {value}\r\n" for name, value in extra.items())
            writer.write(f"HTTP/1.1 {code} X\r\n{rows}content-length: {len(raw)}\r\n\r\n".encode() + raw)
            await writer.drain()
        case Stream(chunks, then):
            await _stream(reader, writer, wire, chunks, then)


async def _stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wire: Wire, chunks: Any, then: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    for each in chunks:
        event = f"data: {json.dumps(each)}\r\n\r\n".encode()
        writer.write(b"%x\r\n%s\r\n" % (len(event), event))
        await writer.drain()
    wire.streaming.set()
    if then == "end":
        writer.write(b"0\r\n\r\n")
        await writer.drain()
    elif then == "cut":
        writer.transport.abort()
        raise ConnectionResetError
    else:
        await reader.read(1)  # the client sends nothing more: this returns when it hangs up
        wire.hung_up.set()
        raise ConnectionResetError
