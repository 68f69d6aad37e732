"""What the Gemini adapter sends, what it makes of each kind of weather, and what it hands on."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import timedelta
from typing import Any

import pytest

from auteryn.adapters.gcp.gemini_client import Access
from auteryn.adapters.gcp.gemini_events import BrokenAnswer, Events
from auteryn.adapters.gcp.model import GeminiModel
from auteryn.errors import Exhausted, Invalid, ModelRefused, RateLimited, Unavailable
from auteryn.policy.models import CHAINS, thinking_config
from auteryn.ports.model import Declaration
from auteryn.schema.message import Delta, Tokens
from unit.gemini.wire import BUSY, SIGNATURE, Status, Stream, asking, chunk, error, noted, over_quota, request, served, text

CALL = {"functionCall": {"name": "calculate", "args": {"expression": "1+1"}, "id": "c1"}, "thoughtSignature": SIGNATURE}
MALFORMED = Stream([chunk(finish="MALFORMED_FUNCTION_CALL", candidate={"finishMessage": "Malformed function call: print("})])
TOOL = Declaration(name="calculate", description="Works it out.", parameters={"type": "object", "properties": {}})


def ask(*answers: Stream | Status, **options: Any) -> tuple[Any, Any, Any]:
    """One `generate` against these answers: (reply or error, server, clock)."""

    async def once() -> tuple[Any, Any, Any]:
        listening = {name: options.pop(name) for name in ("on_delta", "spend") if name in options}
        built = {name: options.pop(name) for name in ("resolve", "thinking") if name in options}
        async with asking(*answers, **built) as (model, wire, clock):
            try:
                return await model.generate(request(**options), **listening), wire, clock
            except (RateLimited, Unavailable, ModelRefused, Exhausted) as failure:
                return failure, wire, clock

    return asyncio.run(once())


# ---- what is sent --------------------------------------------------------------------------------------------


@pytest.mark.proves("L9")
def test_the_history_goes_out_as_it_came_in_unknown_parts_included():
    strange = {"holograph": {"of": "tomorrow", "tiefe": 1.0}, "thoughtSignature": SIGNATURE}

    async def two_turns() -> tuple[Any, Any]:
        async with asking(Stream([chunk(strange, CALL, finish="STOP")]), text("done")) as (model, wire, _):
            reply = await model.generate(request())
            answer = {"functionResponse": {"name": "calculate", "id": "c1", "response": {"output": 2}}}
            contents = [*request().contents, reply.content, {"role": "user", "parts": [answer]}]
            await model.generate(request(contents=contents))
            return contents, wire.asked[1]["contents"]

    sent, arrived = asyncio.run(two_turns())
    assert arrived == sent
    assert sent[1] == {"role": "model", "parts": [strange, CALL]}


def test_everything_a_request_says_stands_in_the_body():
    _, wire, _ = ask(
        text("ok"),
        system="Be brief.",
        tools=(TOOL,),
        tool_mode="none",
        thinking_tokens=1_024,
        include_thoughts=True,
        max_output_tokens=500,
        thinking=thinking_config,
    )
    assert wire.asked == [
        {
            "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "tools": [
                {
                    "functionDeclarations": [
                        {
                            "name": "calculate",
                            "description": "Works it out.",
                            "parametersJsonSchema": {"type": "object", "properties": {}},
                        }
                    ]
                }
            ],
            "toolConfig": {"functionCallingConfig": {"mode": "NONE"}},
            "generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": True}, "maxOutputTokens": 500},
        }
    ]
    assert wire.paths == ["/v1beta/models/gemini-3-flash-preview:streamGenerateContent?alt=sse"]
    assert wire.headers[0]["x-goog-api-key"] == "test-key"
    assert wire.headers[0]["user-agent"].startswith("google-genai-sdk/")
    assert "x-server-timeout" not in wire.headers[0]


def test_a_structured_answer_is_asked_for_by_json_schema():
    schema = {"type": "object", "properties": {"mode": {"type": "string"}}}
    reply, wire, _ = ask(text('{"mode": "FAST"}'), json_schema=schema)
    assert wire.asked[0]["generationConfig"] == {"responseMimeType": "application/json", "responseJsonSchema": schema}
    assert json.loads(reply.text) == {"mode": "FAST"}


def test_a_model_that_cannot_think_gets_no_thinking_field():
    _, wire, _ = ask(text("ok"), include_thoughts=True, thinking=lambda model, tokens: None)
    assert "generationConfig" not in wire.asked[0]


def test_equal_requests_have_equal_bytes():
    async def twice() -> list[bytes]:
        from auteryn.adapters.gcp.gemini_request import encoded, wire_body

        return [encoded(wire_body(request(system="s", tools=(TOOL,)), "gemini-3-flash-preview", {})) for _ in range(2)]

    first, second = asyncio.run(twice())
    assert first == second


def test_vertex_is_asked_under_its_project_with_its_token():
    from google.oauth2.credentials import Credentials

    async def once() -> tuple[list[str], list[dict[str, str]]]:
        async with served(text("ok")) as wire:
            credentials = Credentials(token="t0ken")
            access = Access(vertex=True, project="p1", location="europe-west4", credentials=credentials, base_url=wire.base_url)
            model = GeminiModel(access=access)
            await model.generate(request())
            await model.close()
            return wire.paths, wire.headers

    paths, headers = asyncio.run(once())
    model = "publishers/google/models/gemini-3-flash-preview"
    assert paths == [f"/v1beta1/projects/p1/locations/europe-west4/{model}:streamGenerateContent?alt=sse"]
    assert headers[0]["authorization"] == "Bearer t0ken"


# ---- what is answered ----------------------------------------------------------------------------------------


@pytest.mark.proves("P27", "P28")
def test_thoughts_come_before_the_text_and_only_when_asked_for():
    thinking = Stream([chunk({"text": "**Hm**", "thought": True}), chunk({"text": "Yes"}), chunk({"text": "."}, finish="STOP")])
    heard: list[Delta] = []
    reply, _, _ = ask(thinking, include_thoughts=True, on_delta=heard.append)
    assert [(delta.kind, delta.text) for delta in heard] == [("thought", "**Hm**"), ("text", "Yes"), ("text", ".")]
    assert (reply.thoughts, reply.text) == ("**Hm**", "Yes.")
    assert reply.content == {"role": "model", "parts": [{"text": "Yes."}]}
    heard.clear()
    reply, wire, _ = ask(thinking, on_delta=heard.append)
    assert "Hm" not in repr((reply, heard))
    assert "generationConfig" not in wire.asked[0]


def test_parts_are_kept_in_order_and_only_plain_neighbouring_texts_are_joined():
    signed, empty_signed = {"text": "b", "thoughtSignature": SIGNATURE}, {"text": "", "thoughtSignature": SIGNATURE}
    parts = [{"text": "a"}, {"text": "A"}, signed, {"text": ""}, {"text": "c"}, CALL, {"text": "d"}, empty_signed]
    reply, _, _ = ask(Stream([*(chunk(part) for part in parts), chunk(finish="STOP")]))
    assert reply.content["parts"] == [{"text": "aA"}, signed, {"text": "c"}, CALL, {"text": "d"}, empty_signed]
    assert reply.text == "aAbcd"
    assert [(call.name, call.args, call.wire_id) for call in reply.calls] == [("calculate", {"expression": "1+1"}, "c1")]


@pytest.mark.proves("L9")
def test_a_thought_that_carries_a_signature_is_kept_for_it():
    signed = {"text": "**Hm**", "thought": True, "thoughtSignature": SIGNATURE}
    reply, _, _ = ask(Stream([chunk(signed, {"text": "Yes."}, finish="STOP")]), include_thoughts=True)
    assert reply.content["parts"] == [signed, {"text": "Yes."}]
    assert (reply.text, reply.thoughts) == ("Yes.", "**Hm**")


def test_the_last_chunks_usage_counts():
    stream = Stream([chunk({"text": "a"}, usage=(29, 1, 0)), chunk({"text": "b"}, usage=(257, 5, 11), finish="STOP")])
    reply, _, _ = ask(stream)
    assert (reply.tokens.prompt, reply.tokens.output, reply.tokens.thoughts) == (257, 5, 11)


@pytest.mark.parametrize("reason", ["SAFETY", "PROHIBITED_CONTENT", "SPII", "BLOCKLIST"])
def test_a_blocked_answer_is_a_reply_that_says_so(reason: str):
    rating = {"category": "HARM_CATEGORY_HARASSMENT", "probability": "HIGH", "blocked": True}
    reply, _, _ = ask(Stream([chunk(finish=reason, candidate={"safetyRatings": [rating]})]))
    assert (reply.finish, reply.attempts) == ("safety", 1)
    assert reply.finish_detail == f"{reason}: HARM_CATEGORY_HARASSMENT HIGH"


def test_a_blocked_prompt_is_a_reply_that_says_so():
    blocked = {"promptFeedback": {"blockReason": "MODEL_ARMOR", "blockReasonMessage": "jailbreak"}, "usageMetadata": {}}
    reply, _, _ = ask(Stream([blocked]))
    assert (reply.finish, reply.finish_detail, reply.calls) == ("safety", "MODEL_ARMOR: jailbreak", ())


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("MAX_TOKENS", "max_tokens"),
        ("CONTINUATION", "continuation"),
        ("UNEXPECTED_TOOL_CALL", "unexpected_call"),
        ("RECITATION", "other"),
        ("LANGUAGE", "other"),
    ],
)
def test_other_ends_are_named_and_not_repeated(reason: str, finish: str):
    reply, wire, _ = ask(Stream([chunk(CALL, finish=reason)]))
    assert (reply.finish, reply.calls[0].name, len(wire.asked)) == (finish, "calculate", 1)


def test_a_malformed_answer_is_repeated_once_and_then_handed_on():
    reply, wire, _ = ask(MALFORMED, MALFORMED, text("never asked for"))
    assert (reply.finish, reply.attempts, len(wire.asked)) == ("malformed_call", 2, 2)
    assert reply.finish_detail == "MALFORMED_FUNCTION_CALL: Malformed function call: print("
    reply, _, _ = ask(MALFORMED, text("better"))
    assert (reply.finish, reply.text, reply.attempts) == ("stop", "better", 2)
    once, _, _ = ask(text("better"))
    assert (reply.tokens, reply.wasted) == (once.tokens, Tokens(prompt=7, output=3)) and once.wasted == Tokens()


def test_an_empty_answer_is_repeated_once_and_then_handed_on():
    empty = Stream([chunk({"text": "", "thoughtSignature": SIGNATURE}, finish="STOP")])
    reply, wire, _ = ask(empty, empty)
    assert (reply.finish, reply.text, len(wire.asked)) == ("empty", "", 2)


# ---- weather -------------------------------------------------------------------------------------------------


@pytest.mark.proves("F31", "P48")
@pytest.mark.parametrize(
    "weather",
    [
        BUSY,
        error(500, "INTERNAL", "An internal error has occurred."),
        error(504, "DEADLINE_EXCEEDED", "Deadline expired."),
        error(408, "CANCELLED", "Timed out."),
        Status(502, "<html>Bad gateway</html>"),
        Status(200, "<html>please sign in</html>"),
        Status(200, ""),
        Stream([chunk({"text": "half"})], then="cut"),
        Stream([chunk({"text": "half"})]),
        Stream([chunk({"text": "half"}), {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}]),
        Stream([chunk({"text": "half"}), {"error": {"message": "no code"}}]),
        Stream([], then="cut"),
    ],
    ids=lambda weather: f"{type(weather).__name__}-{getattr(weather, 'code', '')}{getattr(weather, 'then', '')}",
)
def test_passing_weather_is_sat_out_and_every_request_counts(weather: Stream | Status):
    spent: list[int] = []
    why: list[str] = []
    reply, wire, clock = ask(weather, weather, text("sun"), spend=noted(spent, why))
    assert (reply.text, reply.attempts, spent, len(wire.asked)) == ("sun", 3, [1, 1, 1], 3)
    assert why[0] == "" and why[1] and why[1] == why[2]
    assert 1 <= clock.slept[0] <= 1.2 and 2 <= clock.slept[1] <= 2.4


@pytest.mark.proves("F31")
def test_lasting_weather_is_unavailable_after_the_last_try():
    failure, wire, clock = ask(BUSY, BUSY, BUSY, BUSY, attempts=3)
    assert isinstance(failure, Unavailable)
    assert "high demand" in str(failure) and failure.__cause__ is not None
    assert (len(wire.asked), len(clock.slept)) == (3, 2)


@pytest.mark.proves("F31")
def test_silence_breaks_the_call_and_it_is_repeated():
    for silence in (0.06, 1, 8):  # of a busy machine itself: the second answer may come too late for the shorter ones
        reply, _, _ = ask(
            Stream([chunk({"text": "ha"})], then="silence"), text("whole"), silence=timedelta(seconds=silence), attempts=3
        )
        if getattr(reply, "text", "") == "whole" and reply.attempts == 2:
            break
    assert (reply.text, reply.attempts) == ("whole", 2)
    failure, _, _ = ask(Stream([], then="silence"), silence=timedelta(milliseconds=60), attempts=1)
    assert isinstance(failure, Unavailable) and "silent for 0.06 s" in str(failure)


@pytest.mark.parametrize(
    "call",
    [{"name": "a", "args": ["x"]}, {"name": {"of": "a"}}, {"name": "a", "id": 7}, "a"],
    ids=["args", "name", "id", "call"],
)
def test_a_call_that_could_not_be_read_back_is_a_broken_answer(call: Any):
    reply, wire, _ = ask(Stream([chunk({"functionCall": call}, finish="STOP")]), text("right"))
    assert (reply.text, reply.attempts, len(wire.asked)) == ("right", 2, 2)


def test_a_broken_try_is_told_before_the_deltas_of_the_next():
    heard: list[str] = []

    async def spend(count: int, why: str) -> None:
        heard.append("broke" if why else "asked")

    broken = Stream([chunk({"text": "ha"}), chunk({"text": "lf"})], then="cut")
    reply, _, _ = ask(BUSY, broken, text("who", "le"), on_delta=lambda delta: heard.append(delta.text), spend=spend)
    assert heard == ["asked", "broke", "ha", "lf", "broke", "who", "le"]
    assert reply.text == "whole"


@pytest.mark.proves("F31", "P45")
def test_a_short_wait_that_the_api_asks_for_is_sat_out():
    reply, _, clock = ask(over_quota("7.5s"), text("ok"))
    assert (reply.attempts, clock.slept) == (2, [7.5])


@pytest.mark.proves("F31", "P45")
@pytest.mark.parametrize(
    ("refusal", "seconds", "per_day"),
    [
        (over_quota("3600s"), 3600, False),
        (over_quota("4s", quota_id="GenerateRequestsPerDayPerProjectPerModel-FreeTier"), 4, True),
        (error(429, "RESOURCE_EXHAUSTED", "Too many. Please retry in 48.939935699s."), 48.939936, False),
        (Status(429, {"error": {"code": 429, "message": "slow"}}, {"retry-after": "77"}), 77, False),
    ],
    ids=["long", "per day", "in the message", "in the header"],
)
def test_a_long_wait_is_raised_with_its_length(refusal: Status, seconds: float, per_day: bool):
    failure, wire, clock = ask(refusal, text("never"))
    assert isinstance(failure, RateLimited)
    assert failure.retry_after is not None
    assert (failure.retry_after.total_seconds(), failure.per_day) == (pytest.approx(seconds), per_day)
    assert (len(wire.asked), clock.slept) == (1, [])


@pytest.mark.proves("F31")
def test_a_quota_without_a_delay_is_tried_again_with_backoff():
    reply, _, clock = ask(error(429, "RESOURCE_EXHAUSTED", "Resource exhausted."), text("ok"))
    assert reply.attempts == 2 and 1 <= clock.slept[0] <= 1.2


TOKENS = {"metric": "generate_content_paid_tier_input_token_count", "quota_id": "InputTokensPerModelPerMinute"}


def test_a_prompt_larger_than_the_quota_must_be_compacted_not_waited_for():
    long = [{"role": "user", "parts": [{"text": "word " * 1_000, "thoughtSignature": "s" * 90_000}]}]
    failure, _, _ = ask(over_quota("5s", limit="1000", **TOKENS), contents=long)
    assert isinstance(failure, ModelRefused) and failure.reason == "too_long"
    reply, _, _ = ask(over_quota("5s", limit="2000", **TOKENS), text("ok"), contents=long)
    assert reply.text == "ok"


def bad(message: str, *details: dict[str, Any]) -> Status:
    return error(400, "INVALID_ARGUMENT", message, *details)


@pytest.mark.parametrize(
    ("answer", "reason", "says"),
    [
        (bad("The input token count (1250060) exceeds the maximum number of tokens allowed (1048575)."), "too_long", "1250060"),
        (bad("Request payload size exceeds the limit: 20971520 bytes."), "too_long", "payload"),
        (error(413, "", "Request Entity Too Large"), "too_long", "413"),
        (bad("API key not valid. Please pass a valid API key."), "no_key", "GEMINI_API_KEY"),
        (bad("No.", {"@type": "x/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}), "no_key", "GEMINI_API_KEY"),
        (error(401, "UNAUTHENTICATED", "Who?"), "no_key", "401"),
        (error(403, "PERMISSION_DENIED", "Consumer 'api_key:AIzaSyD-secret' has been suspended."), "no_key", "suspended"),
        (bad("Function call is missing a thought_signature in functionCall parts."), "signature", "thought_signature"),
        (bad("Corrupted thought signature."), "signature", "Corrupted"),
        (bad("You can only set only one of thinking budget and thinking level."), "bad_request", "only one"),
        (Stream([chunk(finish="MISSING_THOUGHT_SIGNATURE")]), "signature", "MISSING_THOUGHT_SIGNATURE"),
    ],
)
def test_what_will_be_refused_again_is_raised_at_once(answer: Stream | Status, reason: str, says: str):
    failure, wire, _ = ask(answer, text("never"))
    assert isinstance(failure, ModelRefused)
    assert failure.reason == reason and says in str(failure) and "secret" not in str(failure)
    assert len(wire.asked) == 1


# ---- models that are gone ------------------------------------------------------------------------------------

GONE = error(404, "NOT_FOUND", "models/x is not found for API version v1beta.")


@pytest.mark.proves("P9", "P15")
def test_a_model_that_is_gone_is_passed_over_from_then_on():
    async def thrice() -> tuple[Any, Any]:
        async with asking(GONE, text("one"), text("two"), resolve=lambda role: ("old", "new")) as (model, wire, _):
            assert model.model_id("deep") == "old"
            first = await model.generate(request())
            await model.generate(request())
            return (first.attempts, model.model_id("deep")), [path.split(":")[0].rsplit("/", 1)[1] for path in wire.paths]

    assert asyncio.run(thrice()) == ((2, "new"), ["old", "new", "new"])


def test_where_no_model_of_the_chain_exists_the_refusal_says_so():
    failure, wire, _ = ask(GONE, GONE, resolve=lambda role: ("old", "older"))
    assert isinstance(failure, ModelRefused) and failure.reason == "no_model"
    assert len(wire.asked) == 2


def test_a_model_without_any_quota_on_this_plan_is_passed_over():
    none = over_quota("30s", metric="generate_content_free_tier_requests", limit="0")
    reply, _, clock = ask(none, text("ok"), resolve=lambda role: CHAINS["deep"])
    assert (reply.text, clock.slept) == ("ok", [])


def test_with_one_attempt_the_next_call_asks_the_next_model():
    failure, _, _ = ask(GONE, attempts=1, resolve=lambda role: ("old", "new"))
    assert isinstance(failure, Unavailable) and "'new'" in str(failure)


# ---- budget, cancel, access ----------------------------------------------------------------------------------


@pytest.mark.proves("L11")
def test_an_exhausted_budget_stops_before_anything_is_sent():
    async def refuse(calls: int, _: str) -> None:
        raise Exhausted("llm_call_limit", "500 of 500 calls are used")

    failure, wire, _ = ask(text("never"), spend=refuse)
    assert isinstance(failure, Exhausted) and wire.asked == []


@pytest.mark.proves("L10", "P92")
def test_cancelling_closes_the_connection_at_once():
    async def cancel() -> None:
        async with asking(Stream([chunk({"text": "…"})], then="silence")) as (model, wire, _):
            asked = asyncio.create_task(model.generate(request()))
            await wire.streaming.wait()
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
            async with asyncio.timeout(5):
                await wire.hung_up.wait()

    asyncio.run(cancel())


def test_without_a_key_the_refusal_says_what_to_set_and_nothing_is_spent():
    spent: list[int] = []
    with pytest.raises(ModelRefused, match="GEMINI_API_KEY") as caught:
        asyncio.run(GeminiModel().generate(request(), spend=noted(spent)))
    assert caught.value.reason == "no_key" and spent == []


@pytest.mark.parametrize(
    ("env", "access"),
    [
        ({"GEMINI_API_KEY": "g", "GOOGLE_API_KEY": "x"}, Access(api_key="g")),
        ({"GOOGLE_API_KEY": " x\n", "GOOGLE_CLOUD_PROJECT": "p"}, Access(api_key="x")),
        ({"GEMINI_API_KEY": "g", "GOOGLE_GEMINI_BASE_URL": "http://b"}, Access(api_key="g", base_url="http://b")),
        ({"GOOGLE_GENAI_USE_VERTEXAI": "true", "GOOGLE_CLOUD_PROJECT": "p"}, Access(vertex=True, project="p")),
        (
            {
                "GOOGLE_GENAI_USE_ENTERPRISE": "1",
                "GOOGLE_CLOUD_PROJECT": "p",
                "GOOGLE_CLOUD_LOCATION": "eu",
                "GEMINI_API_KEY": "g",
            },
            Access(vertex=True, project="p", location="eu"),
        ),
        ({"GOOGLE_GENAI_USE_VERTEXAI": "true", "GEMINI_API_KEY": "express"}, Access(vertex=True, api_key="express")),
    ],
)
def test_access_is_read_from_the_environment(env: dict[str, str], access: Access):
    assert Access.from_environment(env) == access


def test_a_key_is_never_shown():
    assert "s3cret" not in repr(Access(api_key="s3cret"))


def test_a_key_that_cannot_be_one_is_refused_without_showing_it():
    with pytest.raises(Invalid, match="api_key") as caught:
        GeminiModel("s3cret\u2026")
    assert "s3cret" not in str(caught.value)


def test_the_transport_stays_httpx2_where_aiohttp_is_installed(monkeypatch: pytest.MonkeyPatch):
    from google.genai import _api_client

    monkeypatch.setattr(_api_client, "has_aiohttp", True)
    reply, _, _ = ask(text("ok"))
    assert reply.text == "ok"


def test_a_base_url_must_be_a_url():
    with pytest.raises(Invalid, match="base_url"):
        GeminiModel("key", "127.0.0.1:8600")


def test_nobody_listening_is_unavailable():
    async def once() -> None:
        model = GeminiModel("key", "http://127.0.0.1:1")
        try:
            await model.generate(request(attempts=1))
        finally:
            await model.close()

    with pytest.raises(Unavailable, match="no connection"):
        asyncio.run(once())


def test_one_model_serves_several_event_loops():
    async def once(model: GeminiModel) -> str:
        async with served(text("ok")) as wire:
            model._clients.access = Access(api_key="k", base_url=wire.base_url)  # pyright: ignore[reportPrivateUsage]
            reply = await model.generate(request())
            await model.close()
            return reply.text

    model = GeminiModel("k")
    assert [asyncio.run(once(model)) for _ in range(2)] == ["ok", "ok"]


def test_importing_the_adapter_does_not_import_the_sdk():
    import subprocess

    code = "import sys, auteryn.adapters.gcp.model; print('google.genai' in sys.modules, 'httpx2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False False\n"


# ---- reading -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frame", ["data: {}\r\n\r\n", "data:{}\n\n", ": hi\nevent: x\nid: 7\ndata: {}\n\ndata: [DONE]\n\n", "{}", "[{}]", "\n{}\n"]
)
@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
def test_every_framing_is_read_whatever_the_cuts(frame: str, size: int):
    said = {"text": 'ü \u2028 data: }{ \\ "', "new": [1.0, None]}
    whole = json.dumps(chunk(said, finish="STOP"), ensure_ascii=False, indent=1 if frame[0] in "[{\n" else None)
    raw, events = frame.replace("{}", whole).encode(), Events()
    found = [each for at in range(0, len(raw), size) for each in events.feed(raw[at : at + size])] + events.end()
    assert [each.candidates[0].content.parts for each in found if each.candidates and each.candidates[0].content] == [[said]]


@pytest.mark.parametrize("raw", [b'data: {"candidates": [\n\n', b'data: {"candidates": 7}\n\n', b"<html>", b"\xff\xfe"])
def test_what_is_not_the_apis_json_is_a_broken_answer(raw: bytes):
    events = Events()
    with pytest.raises(BrokenAnswer):
        events.feed(raw)
        events.end()


def test_half_a_surrogate_pair_is_a_sign_that_is_missing_and_no_broken_answer():
    said = {"functionCall": {"name": "note", "args": {"text": "whole 😀, half \ud83d."}}}
    raw = f"data: {json.dumps(chunk(said, finish='STOP'))}\n\n".encode()
    (read,) = Events().feed(raw)
    assert read.candidates and read.candidates[0].content
    assert read.candidates[0].content.parts == [{"functionCall": {"name": "note", "args": {"text": "whole 😀, half \ufffd."}}}]
