"""A scripted model behind Gemini's REST API: for processes that only know an address (`GOOGLE_GEMINI_BASE_URL`).

async with ScriptedGemini(["Hello!"]) as server:
    environ["GOOGLE_GEMINI_BASE_URL"] = server.url
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from auteryn.errors import AuterynError, ModelRefused, RateLimited
from auteryn.ports.model import Declaration, ModelRequest
from auteryn.schema.message import Reply
from auteryn.testing.scripted import Script, ScriptedModel

_FINISH = {
    "stop": "STOP",
    "max_tokens": "MAX_TOKENS",
    "safety": "SAFETY",
    "malformed_call": "MALFORMED_FUNCTION_CALL",
    "unexpected_call": "UNEXPECTED_TOOL_CALL",
    "empty": "STOP",
    "continuation": "CONTINUATION",
    "other": "OTHER",
}


class ScriptedGemini:
    """Listens from entering to leaving. Every process that asks shares one script and its counts."""

    def __init__(self, script: Script, *, before: Callable[[ModelRequest], Awaitable[None]] | None = None) -> None:
        """`before` is waited for with each request, before it is answered."""
        self._before = before
        self.model = ScriptedModel(script)
        self.asked = 0
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> ScriptedGemini:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._open.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while body := await _body(reader):
                    status, answer = await self._answer(body)
                    kind = "text/event-stream" if status == 200 else "application/json"
                    head = f"HTTP/1.1 {status} Said\r\nContent-Type: {kind}\r\nContent-Length: {len(answer)}\r\n\r\n"
                    writer.write(head.encode() + answer)
                    await writer.drain()
        finally:
            self._open.discard(task)
            writer.close()

    async def _answer(self, body: bytes) -> tuple[int, bytes]:
        self.asked += 1
        request = _request(json.loads(body))
        if self._before:
            await self._before(request)
        try:
            reply = await self.model.generate(request)
        except RateLimited as error:
            return 429, _refusal(429, "RESOURCE_EXHAUSTED", str(error), error.retry_after)
        except ModelRefused as error:
            return 400, _refusal(400, "INVALID_ARGUMENT", str(error))
        except AuterynError as error:
            return 503, _refusal(503, "UNAVAILABLE", str(error))
        except AssertionError as error:  # what the strict script demands of a request
            return 400, _refusal(400, "INVALID_ARGUMENT", str(error))
        return 200, b"data: " + json.dumps(_answered(reply)).encode() + b"\n\n"


def _request(wire: dict[str, Any]) -> ModelRequest:
    config: dict[str, Any] = wire.get("generationConfig", {})
    declared = [one for tool in wire.get("tools", []) for one in tool.get("functionDeclarations", [])]
    mode = wire.get("toolConfig", {}).get("functionCallingConfig", {}).get("mode")
    return ModelRequest(
        role="deep",
        system="".join(part.get("text", "") for part in wire.get("systemInstruction", {}).get("parts", [])),
        contents=wire["contents"],
        tools=tuple(_declared(one) for one in declared),
        tool_mode="none" if mode == "NONE" else "auto",
        include_thoughts=bool(config.get("thinkingConfig", {}).get("includeThoughts")),
        google_search=any("googleSearch" in tool for tool in wire.get("tools", [])),
        json_schema=config.get("responseJsonSchema"),
        attempts=1,
    )


def _declared(one: dict[str, Any]) -> Declaration:
    return Declaration(name=one["name"], description=one.get("description", ""), parameters=one.get("parametersJsonSchema", {}))


def _answered(reply: Reply) -> dict[str, Any]:
    thoughts = [{"text": reply.thoughts, "thought": True}] if reply.thoughts else []
    content = {"role": "model", "parts": [*thoughts, *reply.content["parts"]]}
    usage = {
        "promptTokenCount": reply.tokens.prompt,
        "candidatesTokenCount": reply.tokens.output,
        "thoughtsTokenCount": reply.tokens.thoughts,
        "totalTokenCount": reply.tokens.total,
    }
    candidate: dict[str, Any] = {"content": content, "finishReason": _FINISH[reply.finish], "index": 0}
    if reply.searched or reply.sources:
        candidate["groundingMetadata"] = {
            "webSearchQueries": list(reply.searched),
            "groundingChunks": [{"web": {"uri": one.url, "title": one.title}} for one in reply.sources],
            "groundingSupports": [
                {"segment": {"text": said}, "groundingChunkIndices": [at]}
                for at, one in enumerate(reply.sources)
                for said in one.says
            ],
        }
    return {
        "candidates": [candidate],
        "usageMetadata": usage,
        "modelVersion": reply.model,
    }


def _refusal(code: int, status: str, message: str, retry_after: timedelta | None = None) -> bytes:
    kind = "type.googleapis.com/google.rpc.RetryInfo"
    details = [{"@type": kind, "retryDelay": f"{retry_after.total_seconds():g}s"}] if retry_after else []
    return json.dumps({"error": {"code": code, "status": status, "message": message, "details": details}}).encode()


async def _body(reader: asyncio.StreamReader) -> bytes:
    """Of the next request; empty at the connection's end."""
    length, chunked, first = 0, False, await reader.readline()
    while first and (line := await reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        if name.lower() == "content-length":
            length = int(value)
        chunked = chunked or (name.lower() == "transfer-encoding" and "chunked" in value)
    if not chunked:
        return await reader.readexactly(length) if length else b""
    pieces = list[bytes]()
    while size := int(await reader.readline() or b"0", 16):
        pieces.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return b"".join(pieces)
