"""A scripted model behind Gemini's REST API: for processes that only know an address (`GOOGLE_GEMINI_BASE_URL`).

async with ScriptedGemini(["Hello!"]) as server:
    environ["GOOGLE_GEMINI_BASE_URL"] = server.url
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from auteryn.errors import AuterynError, ModelRefused, RateLimited
from auteryn.ports.model import Declaration, ModelRequest
from auteryn.schema.message import Reply
from auteryn.testing.loopback import Loopback, Request, Said
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


class ScriptedGemini(Loopback):
    """Every process that asks shares one script and its counts."""

    def __init__(self, script: Script, *, before: Callable[[ModelRequest], Awaitable[None]] | None = None) -> None:
        """`before` is waited for with each request, before it is answered."""
        super().__init__()
        self._before = before
        self.model = ScriptedModel(script)
        self.asked = 0

    async def said(self, request: Request) -> Said:
        if not request.body:
            return _refusal(404, "NOT_FOUND", "only contents are generated here")
        self.asked += 1
        wanted = _request(json.loads(request.body))
        if self._before:
            await self._before(wanted)
        try:
            reply = await self.model.generate(wanted)
        except RateLimited as error:
            return _refusal(429, "RESOURCE_EXHAUSTED", str(error), error.retry_after)
        except ModelRefused as error:
            return _refusal(400, "INVALID_ARGUMENT", str(error))
        except AuterynError as error:
            return _refusal(503, "UNAVAILABLE", str(error))
        except AssertionError as error:  # what the strict script demands of a request
            return _refusal(400, "INVALID_ARGUMENT", str(error))
        return Said(200, b"data: " + json.dumps(_answered(reply)).encode() + b"\n\n", "text/event-stream")


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


def _refusal(code: int, status: str, message: str, retry_after: timedelta | None = None) -> Said:
    kind = "type.googleapis.com/google.rpc.RetryInfo"
    details = [{"@type": kind, "retryDelay": f"{retry_after.total_seconds():g}s"}] if retry_after else []
    return Said(code, json.dumps({"error": {"code": code, "status": status, "message": message, "details": details}}).encode())
