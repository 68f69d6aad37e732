"""The adapter gets out of recorded traffic what an independent reading of the same bytes gets."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from contextvars import ContextVar
from functools import cache
from typing import Any

import pytest
from google.oauth2.credentials import Credentials

from auteryn.adapters.gcp.gemini_answer import Answer
from auteryn.adapters.gcp.gemini_client import Access
from auteryn.adapters.gcp.gemini_events import Events
from auteryn.adapters.gcp.gemini_request import encoded, wire_body
from auteryn.adapters.gcp.model import GeminiModel
from auteryn.errors import AuterynError, ModelRefused, RateLimited
from auteryn.ports.model import ModelRequest
from auteryn.schema.message import Reply
from shared_data import shared
from unit.gemini.checks import programs

GENERATES = ("generateContent", "streamGenerateContent")
AT_ONCE = 4
"""The check's server listens with a backlog of 5; more connections at once are reset by the kernel."""
asked: ContextVar[str] = ContextVar("asked")
"""The model id of the current task: every recorded exchange is served under one of its own."""


def replay() -> tuple[Any, ...]:
    return programs("gemini_replay", "recordings", "server")


@cache
def exchanges() -> list[dict[str, Any]]:
    """Every recorded answer as a stream under a model id of its own, with what a correct client reads out of it.

    Our adapter only streams: an answer recorded whole is served as a stream of one event, which is what the API sends for a
    short answer.
    """
    reading, _ = replay()
    found: list[dict[str, Any]] = []
    for recording in reading.load(shared("recordings/gemini")).values():
        for exchange in recording["exchanges"]:
            if reading.operation(exchange["request"]["path"]) not in GENERATES:
                continue
            response = dict(exchange["response"])
            if response["status"] == 200 and not reading.is_stream(exchange):
                response["body"] = f"data: {json.dumps(json.loads(response['body']), ensure_ascii=False)}\r\n\r\n"
                response["headers"] = {"content-type": "text/event-stream"}
            model = f"{reading.model_of(exchange['request']['path'])}.{len(found)}"
            path = f"/v1beta/models/{model}:streamGenerateContent"
            found.append(
                {
                    "recording": recording["id"],
                    "vertex": exchange["request"]["api"] == "vertex",
                    "model": model,
                    "streamed": reading.is_stream(exchange),
                    "request": {**exchange["request"], "path": path},
                    "response": response,
                    "expected": reading.expected(exchange),
                }
            )
    return found


async def drive(chunk: str, wanted: list[dict[str, Any]]) -> list[str]:
    """Ask for every answer once; the differences, one line each."""
    _, serving = replay()
    server, port = serving.start({"all": {"id": "all", "exchanges": wanted}})
    models = {vertex: model_for(f"http://127.0.0.1:{port}/r/all;chunk={chunk}/{vertex}/", vertex) for vertex in (False, True)}
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(exchange: dict[str, Any]) -> list[str]:
        asked.set(exchange["model"])
        async with gate:
            got = await answer(models[exchange["vertex"]], exchange)
        differences = {
            name: (exchange["expected"][name], value) for name, value in got.items() if exchange["expected"][name] != value
        }
        return [
            f"{exchange['recording']}: {name} should be {want!r}, is {have!r}" for name, (want, have) in differences.items()
        ]

    try:
        return [line for lines in await asyncio.gather(*map(one, wanted)) for line in lines]
    finally:
        for model in models.values():
            await model.close()
        server.shutdown()
        server.server_close()


def model_for(base_url: str, vertex: bool) -> GeminiModel:
    if not vertex:
        return GeminiModel(api_key="replay", base_url=base_url, resolve=lambda role: (asked.get(),))
    credentials = Credentials(token="replay")
    access = Access(vertex=True, project="PROJECT", location="LOCATION", credentials=credentials, base_url=base_url)
    return GeminiModel(access=access, resolve=lambda role: (asked.get(),))


async def answer(model: GeminiModel, exchange: dict[str, Any]) -> dict[str, Any]:
    """The adapter's answer in the words of `recordings.expected`, as far as our types carry them."""
    deltas: list[Any] = []
    contents = [{"role": "user", "parts": [{"text": "hello"}]}]
    request = ModelRequest(role="fast", system="", contents=contents, include_thoughts=True, attempts=1)
    try:
        reply = await model.generate(request, on_delta=deltas.append)
    except AuterynError as error:
        return {"error": read_error(error)}
    for kind, whole in (("text", reply.text), ("thought", reply.thoughts)):
        assert "".join(delta.text for delta in deltas if delta.kind == kind) == whole
    return read_reply(reply, exchange)


def read_error(error: AuterynError) -> dict[str, Any]:
    cause: Any = error.__cause__
    delay = error.retry_after.total_seconds() if isinstance(error, RateLimited) and error.retry_after else None
    return {"code": cause.code, "status": cause.status, "message": cause.message, "retry_delay": delay}


def read_reply(reply: Reply, exchange: dict[str, Any]) -> dict[str, Any]:
    want, parts = exchange["expected"], reply.content["parts"]
    names = (
        "promptTokenCount",
        "cachedContentTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
        "toolUsePromptTokenCount",
    )
    counts = (reply.tokens.prompt, reply.tokens.cached, reply.tokens.output, reply.tokens.thoughts, reply.tokens.tool_use)
    usage = {name: count for name, count in zip(names, counts, strict=True) if count or name in want["usage"]}
    if "totalTokenCount" in want["usage"]:
        usage["totalTokenCount"] = want["usage"]["totalTokenCount"]  # a sum of the others, in our own type too
    reason = "block_reason" if want["block_reason"] else "finish_reason"
    others = ("executableCode", "codeExecutionResult", "inlineData", "toolCall", "toolResponse")
    return {
        "error": None,
        "text": reply.text,
        "thoughts": reply.thoughts,
        "function_calls": [{"name": call.name, "args": call.args, "id": call.wire_id} for call in reply.calls],
        "signatures": [signature(part["thoughtSignature"]) for part in parts if part.get("thoughtSignature")],
        "usage": usage,
        "model_version": reply.model if want["model_version"] else None,
        "other_parts": [name for part in parts for name in others if name in part],
        reason: reply.finish_detail.split(":")[0],
    }


def signature(text: str) -> str:
    plain = text.replace("-", "+").replace("_", "/")
    return base64.b64decode(plain + "=" * (-len(plain) % 4)).hex()[:64]


@pytest.mark.proves("L9")
def test_every_recorded_answer_is_read_as_an_independent_parse_reads_it():
    wanted = exchanges()
    assert len(wanted) == 541
    assert asyncio.run(drive("event", wanted)) == []


@pytest.mark.proves("L9")
def test_every_recorded_answer_cut_into_single_bytes_is_read_the_same():
    assert asyncio.run(drive("1", exchanges())) == []


@pytest.mark.proves("L9")
def test_every_recorded_part_but_thoughts_comes_back_as_it_was():
    reading, _ = replay()
    for exchange in (exchange for exchange in exchanges() if exchange["response"]["status"] == 200):
        body = reading.as_sse(exchange["response"]["body"])
        sent = [part for chunk in reading.json_chunks(body) for part in parts_of(chunk) if not part.get("thought")]
        events, answer_ = Events(), Answer(include_thoughts=False)
        for chunk in [*events.feed(body.encode()), *events.end()]:
            answer_.add(chunk)
        reply = answer_.reply("asked", 1)
        assert joined(reply.content["parts"]) == joined(sent), exchange["recording"]
        assert reply.thoughts == ""


@pytest.mark.proves("L9")
def test_every_recorded_history_goes_out_as_it_was():
    bodies = [exchange["request"]["body"] for exchange in exchanges()]
    histories = [body["contents"] for body in bodies if isinstance(body, dict) and isinstance(body.get("contents"), list)]
    assert len(histories) > 400
    for contents in histories:
        request = ModelRequest(role="fast", system="", contents=contents)
        assert json.loads(encoded(wire_body(request, "gemini-3-flash-preview", None))) == {"contents": contents}


def parts_of(chunk: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        part
        for candidate in (chunk.get("candidates") or [])[:1]
        for part in (candidate.get("content") or {}).get("parts") or []
    ]


def joined(parts: list[dict[str, Any]]) -> str:
    """The parts with neighbouring plain texts run together: the one change that is allowed."""
    return re.sub(r'"\}\n\{"text": "', "", "\n".join(json.dumps(part) for part in parts if part != {"text": ""}))


@pytest.mark.proves("F31")
def test_recorded_refusals_become_our_own_errors():
    found: dict[str, str] = {}

    async def ask_all() -> None:
        _, serving = replay()
        wanted = [exchange for exchange in exchanges() if exchange["response"]["status"] != 200]
        server, port = serving.start({"all": {"id": "all", "exchanges": wanted}})
        model = model_for(f"http://127.0.0.1:{port}/r/all/s/", vertex=False)
        for exchange in wanted:
            asked.set(exchange["model"])
            with pytest.raises((RateLimited, ModelRefused)) as caught:
                request = ModelRequest(
                    role="fast", system="", contents=[{"role": "user", "parts": [{"text": "x"}]}], attempts=1
                )
                await model.generate(request)
            found[exchange["expected"]["error"]["message"][:24]] = getattr(caught.value, "reason", caught.value.code)
        await model.close()
        server.shutdown()
        server.server_close()

    asyncio.run(ask_all())
    assert found == {
        "API key not valid. Pleas": "no_key",
        "You exceeded your curren": "rate_limited",
        "The input token count (1": "too_long",
        "Cannot fetch content fro": "bad_request",
        "You can only set only on": "bad_request",
    }
