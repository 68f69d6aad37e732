"""The laws of `ports.model.Model`, kept by every model: Gemini (over its wire), the scripted one, and the cassette."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from auteryn.adapters.gcp.model import GeminiModel
from auteryn.errors import Exhausted, ModelRefused, RateLimited, Unavailable
from auteryn.ports.model import Declaration, Model, ModelRequest
from auteryn.schema.message import Call, Reply
from auteryn.testing.cassette import CassetteModel
from auteryn.testing.scripted import Line, Say, ScriptedModel, call, malformed, safety, silence
from unit.gemini.wire import BUSY, SIGNATURE, NoWaiting, Status, Stream, chunk, error, noted, over_quota, served

Open = Callable[..., Any]


def on_the_wire(line: Line) -> Stream | Status:
    """A scripted line as the Gemini API would send it."""
    match line:
        case RateLimited():
            quota = "RequestsPerDayPerProject" if line.per_day else "RequestsPerMinutePerProject"
            assert line.retry_after is not None
            return over_quota(f"{line.retry_after.total_seconds():g}s", quota_id=quota)
        case Unavailable():
            return BUSY
        case ModelRefused():
            return error(400, "INVALID_ARGUMENT", str(line))
        case Exception():
            return Stream([], then="silence")
        case Say(finish="malformed_call"):
            return Stream([chunk(finish="MALFORMED_FUNCTION_CALL")])
        case Say(finish="safety"):
            return Stream([chunk(finish="SAFETY")])
        case _:
            return Stream(list(_answer(line)))


def _answer(line: Any) -> list[dict[str, Any]]:
    pieces = line if isinstance(line, list) else [line]
    said = [line] if isinstance(line, Say) else [Say(text=piece) for piece in pieces if isinstance(piece, str)]
    calls = [
        {"functionCall": {"name": each.name, "args": each.args, "id": f"c{at}"}}
        for at, each in enumerate(pieces)
        if isinstance(each, Call)
    ]
    thoughts = [chunk({"text": each.thoughts, "thought": True}) for each in said if each.thoughts]
    halves = [chunk({"text": half}) for each in said for half in (each.text[:3], each.text[3:]) if half]
    first = {"thoughtSignature": SIGNATURE}
    last = [{**calls[0], **first}, *calls[1:]] if calls else [{"text": "", **first}] if said and said[0].text else []
    return [*thoughts, *halves, chunk(*last, finish="STOP")]


@asynccontextmanager
async def gemini(folder: Path, clock: NoWaiting, *script: Line) -> AsyncIterator[Model]:
    async with served(*map(on_the_wire, script)) as wire:
        model = GeminiModel("key", wire.base_url, clock=clock)
        try:
            yield model
        finally:
            await model.close()


@asynccontextmanager
async def scripted(folder: Path, clock: NoWaiting, *script: Line) -> AsyncIterator[Model]:
    yield in_order(clock, *script)


@asynccontextmanager
async def cassette(folder: Path, clock: NoWaiting, *script: Line) -> AsyncIterator[Model]:
    yield CassetteModel(folder / "tape.jsonl", mode="auto", inner=in_order(clock, *script))


def in_order(clock: NoWaiting, *script: Line) -> ScriptedModel:
    """Line by line for each request, as a server answers; `ScriptedModel`'s own lists go by turns."""
    lines = list(script)
    return ScriptedModel(lambda ask: lines.pop(0), clock=clock)


@pytest.fixture(params=[gemini, scripted, cassette], ids=lambda backend: backend.__name__)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    return lambda clock, *script: request.param(tmp_path, clock, *script)


TOOL = Declaration(name="calculate", description="Works it out.", parameters={"type": "object", "properties": {}})
START = {"role": "user", "parts": [{"text": "one and one?"}]}


def asking(contents: list[Any] | None = None, **options: Any) -> ModelRequest:
    return ModelRequest(**{"role": "fast", "system": "s", "contents": contents or [START], "tools": (TOOL,), **options})


def run(backend: Open, *script: Line, **how: Any) -> tuple[Any, list[str], list[int], NoWaiting]:
    """One answer: the reply or the error, what was heard, what was spent, and the clock."""
    heard: list[str] = []
    spent: list[int] = []
    clock = NoWaiting()

    async def once() -> Any:
        async with backend(clock, *script) as model:
            try:
                return await model.generate(
                    asking(**how),
                    on_delta=lambda delta: heard.append(f"{delta.kind}:{delta.text}"),
                    spend=noted(spent),
                )
            except (RateLimited, Unavailable, ModelRefused) as failure:
                return failure

    return asyncio.run(once()), heard, spent, clock


@pytest.mark.proves("L9")
def test_m1_a_reply_sent_back_as_it_is_is_taken(backend: Open):
    async def two_turns() -> Reply:
        async with backend(
            NoWaiting(), ["Let me see.", call("calculate", expression="1+1"), call("calculate", expression="2+2")], "Two."
        ) as model:
            reply = await model.generate(asking())
            answers = [{"name": each.name, "id": each.wire_id, "response": {"output": 2}} for each in reply.calls]
            told = {"role": "user", "parts": [{"functionResponse": answer} for answer in answers]}
            return await model.generate(asking([START, reply.content, told]))

    assert asyncio.run(two_turns()).text == "Two."


def test_m2_deltas_join_up_to_the_answer_thoughts_first(backend: Open):
    reply, heard, _, _ = run(backend, Say(text="A long answer.", thoughts="**Hm**"), include_thoughts=True)
    assert heard[0].startswith("thought:")
    for kind, whole in (("thought", reply.thoughts), ("text", reply.text)):
        assert "".join(each.partition(":")[2] for each in heard if each.startswith(f"{kind}:")) == whole
    assert (reply.text, reply.thoughts) == ("A long answer.", "**Hm**")


@pytest.mark.proves("F31")
def test_m3_passing_failures_are_repeated_here_and_every_request_is_spent(backend: Open):
    reply, _, spent, _ = run(backend, Unavailable("busy"), Unavailable("busy"), "done")
    assert (reply.text, reply.attempts, spent) == ("done", 3, [1, 1, 1])


@pytest.mark.proves("F31")
def test_m3_a_wait_within_patience_is_sat_out(backend: Open):
    reply, _, _, clock = run(backend, RateLimited("slow", retry_after=timedelta(seconds=19)), "done")
    assert (reply.attempts, sum(clock.slept)) == (2, 19)


def test_m3_an_answer_that_broke_the_format_is_repeated_once(backend: Open):
    assert run(backend, malformed(), "done")[0].text == "done"
    reply, _, spent, _ = run(backend, malformed(), malformed(), "never", system="again")
    assert (reply.finish, reply.attempts, spent) == ("malformed_call", 2, [1, 1])


def test_m3_an_empty_answer_is_repeated_once(backend: Open):
    reply, _, spent, _ = run(backend, "", "", "never")
    assert (reply.finish, reply.calls, spent) == ("empty", (), [1, 1])


@pytest.mark.proves("L11")
def test_m3_nothing_is_sent_on_an_exhausted_budget(backend: Open):
    left = [1]

    async def spend(calls: int, _: str) -> None:
        if not left:
            raise Exhausted("llm_call_limit", "500 of 500 model calls are used")
        left.pop()

    async def once() -> None:
        async with backend(NoWaiting(), Unavailable("busy"), "never") as model:
            await model.generate(asking(), spend=spend)

    with pytest.raises(Exhausted):
        asyncio.run(once())


@pytest.mark.proves("F31", "P45")
def test_m4_a_wait_past_patience_is_raised_with_its_length(backend: Open):
    limited, _, spent, clock = run(backend, RateLimited("slow", retry_after=timedelta(hours=1)), "never")
    assert (type(limited), limited.retry_after, limited.per_day) == (RateLimited, timedelta(hours=1), False)
    assert (spent, clock.slept) == ([1], [])


@pytest.mark.proves("F31")
def test_m4_a_daily_quota_is_never_waited_for(backend: Open):
    limited, _, spent, _ = run(backend, RateLimited("out", retry_after=timedelta(seconds=1), per_day=True), "never")
    assert (type(limited), limited.per_day, spent) == (RateLimited, True, [1])


@pytest.mark.proves("F31")
def test_m4_lasting_trouble_is_unavailable_after_the_last_attempt(backend: Open):
    failure, _, spent, _ = run(backend, *[Unavailable("busy")] * 4, attempts=3)
    assert (type(failure), spent) == (Unavailable, [1, 1, 1])


@pytest.mark.proves("F31")
def test_m4_silence_counts_as_trouble(backend: Open):
    failure, _, spent, _ = run(backend, silence(), attempts=1, silence=timedelta(milliseconds=50))
    assert (type(failure), spent) == (Unavailable, [1])


def test_m4_a_refusal_is_not_repeated(backend: Open):
    failure, _, spent, _ = run(backend, ModelRefused("bad_request", "no"), "never")
    assert (type(failure), failure.reason, spent) == (ModelRefused, "bad_request", [1])


def test_a_blocked_answer_is_a_reply_that_says_so(backend: Open):
    reply, _, spent, _ = run(backend, safety())
    assert (reply.finish, reply.text, spent) == ("safety", "", [1])


@pytest.mark.proves("L10")
def test_m5_a_cancelled_call_ends_at_once(backend: Open):
    class Stuck(NoWaiting):
        async def sleep(self, span: timedelta) -> None:
            await asyncio.Event().wait()

    async def cancel() -> None:
        async with backend(Stuck(), silence()) as model:
            begun = asyncio.Event()

            async def sent(_: int, __: str) -> None:
                begun.set()

            asked = asyncio.create_task(model.generate(asking(), spend=sent))
            await begun.wait()
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked

    asyncio.run(cancel())


@pytest.mark.proves("P27")
def test_m6_thoughts_appear_nowhere_unless_asked_for(backend: Open):
    reply, heard, _, _ = run(backend, Say(text="Yes.", thoughts="secret musings"))
    assert reply.text == "Yes."
    assert "musings" not in repr((reply, heard))


def test_a_role_has_a_model_id(backend: Open):
    async def once() -> list[str]:
        async with backend(NoWaiting()) as model:
            return [model.model_id(role) for role in ("fast", "deep", "classifier")]

    assert all(asyncio.run(once()))
