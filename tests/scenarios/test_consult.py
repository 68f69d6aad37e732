"""A tool that asks the model: its requests count and cost like any others, and nothing of it enters the conversation."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest
from msgspec.structs import replace

from auteryn.ports.model import ModelRequest
from auteryn.schema import event as e
from auteryn.schema.message import Reply, Source, Tokens
from auteryn.testing.clock import skipping
from auteryn.testing.laws import broken_laws
from auteryn.testing.scripted import Ask, Line, ScriptedModel, call
from auteryn.testing.world import World
from auteryn.tools.search_web import PROVIDERS, web_search
from auteryn.tools.tool import ToolContext, tool


@tool(effect="read")
async def oracle(ctx: ToolContext, question: str) -> str:
    """Ask somebody."""
    reply = await ctx.consult(
        ModelRequest(role="fast", system="", contents=[{"role": "user", "parts": [{"text": f"oracle: {question}"}]}])
    )
    return reply.text


@tool(effect="read")
async def oracles(ctx: ToolContext, questions: list[str]) -> list[str]:
    """Ask several at once."""
    return await asyncio.gather(*(oracle.fn(ctx, question) for question in questions))


def script(ask: Ask) -> Line:
    if ask.task.startswith("oracle: "):
        return f"{ask.task}? Yes."
    return [call("oracle", question="one"), call("oracle", question="two")] if not ask.turn else "done"


@pytest.mark.proves("L11")
def test_what_tools_ask_the_model_is_counted_in_the_run(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=script, tools=[oracle]) as world:
            run = await world.ended(await world.start("Ask twice", key="a"))
            events = await world.events(run.id)
            said = [event.output for event in events if isinstance(event, e.CallAnswered)]
            assert said == ["oracle: one? Yes.", "oracle: two? Yes."]
            assert run.usage.llm_calls == 4 and run.turns == 2 and run.result == "done"
            assert sum(isinstance(event, e.ModelConsulted) for event in events) == 2
            assert not any(isinstance(event, e.ModelFailed) for event in events)
            assert await broken_laws(world, run.id) == []

    skipping(story())


def searching(ask: Ask) -> Line:
    if not ask.request.google_search:
        return call("web_search", query="chairs") if not ask.turn else "done"
    page = Source(url="https://shop.test/", title="shop.test", says=("A chair costs 49.90 EUR.",))
    said = {"role": "model", "parts": [{"text": page.says[0]}]}
    return Reply(
        model="gemini-3-flash-preview",
        content=said,
        finish="stop",
        text=page.says[0],
        tokens=Tokens(searches=2),
        searched=("chairs", "prices of chairs"),
        sources=(page,),
    )


@pytest.mark.proves("L11", "P87")
def test_searches_of_the_model_are_paid_by_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in PROVIDERS:
        monkeypatch.delenv(provider.setting, raising=False)

    async def story() -> None:
        async with World(tmp_path, model=searching, tools=[replace(web_search, missing=None)]) as world:
            run = await world.ended(await world.start("What does a chair cost?"))
            events = await world.events(run.id)
            found = next(event.output for event in events if isinstance(event, e.CallAnswered))
            assert found["results"] == [
                {"title": "shop.test", "url": "https://shop.test/", "snippet": "A chair costs 49.90 EUR."}
            ]
            consulted = next(event for event in events if isinstance(event, e.ModelConsulted))
            assert consulted.tokens.searches == 2 and consulted.credits == 28_000  # 28 credits of a tenth of a cent
            assert run.usage.credits.llm >= 28_000 and run.usage.llm_calls == 3

    skipping(story())


@pytest.mark.proves("L11")
def test_a_tool_cannot_ask_more_than_the_run_may(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=script, tools=[oracle]) as world:
            run = await world.ended(await world.start("Ask twice", llm_calls=2))
            assert run.usage.llm_calls <= 2

    skipping(story())


@pytest.mark.proves("L11")
@pytest.mark.parametrize("cap", [10, 3])
def test_what_one_tool_asks_at_once_is_counted_one_by_one(tmp_path: Path, cap: int) -> None:
    def script(ask: Ask) -> Line:
        if ask.task.startswith("oracle: "):
            return "Yes."
        return call("oracles", questions=["one", "two", "three", "four"]) if not ask.turn and ask.tools else "done"

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[oracles]) as world:
            run = await world.ended(await world.start("Ask them all", llm_calls=cap))
            asked = [event for event in await world.events(run.id) if isinstance(event, e.ModelAsked)]
            model = cast("ScriptedModel", world.model)
            assert (len(asked), run.usage.llm_calls, model.calls) == ((4, 6, 6) if cap == 10 else (2, 3, 3))
            assert await broken_laws(world, run.id) == []

    skipping(story())
