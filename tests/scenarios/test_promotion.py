"""A run that goes on with another model, and one that was summarised: nothing that was made, heard or said is lost."""

from __future__ import annotations

from base64 import b64decode
from datetime import timedelta
from pathlib import Path

import pytest

from auteryn.policy.budget import GO_ON_FAST
from auteryn.schema import event as e
from auteryn.schema.message import Image
from auteryn.schema.run import Options
from auteryn.testing.clock import skipping
from auteryn.testing.laws import broken_laws
from auteryn.testing.scenarios import lookup
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from auteryn.tools.tool import Result, ToolContext, tool


@tool(effect="read")
async def table() -> str:
    """A table of prices."""
    rows = [f"article {number}: {number * 7} EUR" for number in range(300)]
    return "\n".join(rows)


@tool(effect="read")
async def look(ctx: ToolContext, at: str) -> Result:
    """Look at something."""
    picture = Image(sha256=await ctx.blobs.put(at.encode()), media_type="image/png", name=f"{at}.png")
    return Result(output="seen", images=(picture,))


MADE = [
    call("file_write", path="draft.md", content="a first draft"),
    call("note_write", section="decisions", text="take the second supplier"),
    call("memory_save", text="the owner likes blue"),
    call("artifact_publish", path="draft.md", title="Draft"),
]


@pytest.mark.proves("P12", "P33", "L9", "L11")
@pytest.mark.parametrize("reopened", [False, True], ids=["at once", "in another process"])
def test_what_a_fast_run_made_heard_and_found_is_there_when_it_goes_on_as_deep(tmp_path: Path, reopened: bool) -> None:
    deep = list[str]()

    def script(ask: Ask) -> Line:
        if ask.request.role == "fast":
            question = call("ask_input", message="Which colour?", input_type="text")
            going = [call("ask_input", message="Which size?", input_type="text"), call("go_deep", reason="it is big")]
            return [[question], *([one] for one in MADE), [call("table")], going][ask.turn]
        deep.append(str(ask.request.contents))
        return [call("file_read", path="draft.md"), "deep result"][len(deep) - 1]

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[table], builtin=True) as world:
            run = await world.start("Choose a supplier", mode="fast")
            await world.say(run, "Not the green one, please")
            await world.asked(run)
            await world.answer(run, "teal")
            await world.until(run, lambda one: one.status == "waiting" and [a.message for a in one.asks] == ["Which size?"])
            if reopened:
                await world.reopen(timedelta(minutes=1))
            await world.answer(run, "large")
            ended = await world.ended(run)
            assert (ended.mode, ended.result, [one.path for one in ended.artifacts]) == ("deep", "deep result", ["draft.md"])
            asked = [event.ask.message for event in await world.events(run) if isinstance(event, e.AskOpened)]
            assert asked == ["Which colour?", "Which size?"]  # and never again
            for fact in ("Not the green one", "teal", "large", "take the second supplier", "owner likes blue"):
                assert fact in deep[0], fact
            assert all(f"article {number}: {number * 7} EUR" in deep[0] for number in range(300))
            assert "a first draft" in deep[1]
            assert ended.usage.llm_calls == world.model.calls == 9  # type: ignore[attr-defined]
            assert [memory.body["text"] for memory in await world.services.store.docs("memory", "local")] == [
                "the owner likes blue"
            ]
            assert await broken_laws(world, run) == []

    skipping(story())


@pytest.mark.proves("P12", "L9")
@pytest.mark.parametrize("reopened", [False, True], ids=["at once", "in another process"])
def test_the_pictures_a_fast_run_looked_at_stay_in_sight_when_it_goes_on_as_deep(tmp_path: Path, reopened: bool) -> None:
    shown = list[list[bytes]]()

    def script(ask: Ask) -> Line:
        parts = [part for content in ask.request.contents for part in content["parts"]]
        shown.append([b64decode(part["inlineData"]["data"]) for part in parts if "inlineData" in part])
        if ask.request.role == "fast":
            looks = [call("look", at=what) for what in ("white", "black", "white")]
            return [*looks, call("go_deep", reason="it is big")][ask.turn]
        return [call("wait", until="1h"), "seen"][len(shown) - 5]

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[look], builtin=True) as world:
            run = await world.start("Compare", mode="fast")
            if reopened:
                await world.waiting(run)
                await world.reopen(timedelta(minutes=1))
            assert (await world.ended(run)).result == "seen"

    skipping(story())
    assert shown[2] == [b"white", b"black"]
    assert shown[-2:] == [[b"black", b"white"]] * 2, "each once, what was looked at last behind"


@pytest.mark.proves("L9", "P35")
def test_what_was_summarised_before_is_still_known_when_the_run_goes_on_with_another_model(tmp_path: Path) -> None:
    thrifty = list[str]()

    def script(ask: Ask) -> Line:
        if "Summarise this transcript" in ask.last:
            return "the needle is in barn 7"
        if ask.request.role == "fast":
            thrifty.append(str(ask.request.contents))
            return "found"
        return call("lookup", what=f"{ask.turn} " + "x" * 2_000)

    async def story() -> None:
        small = {"compact_at_tokens": 2_500, "keep_tokens": 600}
        async with World(tmp_path, model=script, tools=[lookup], **small) as world:  # type: ignore[arg-type]
            run = await world.start("Find the needle", credits=300_000, options=Options(at_budget="ask"))
            await world.asked(run)
            assert "Compacted" in await world.outline(run)
            await world.answer(run, GO_ON_FAST)
            ended = await world.ended(run)
            assert ended.result == "found" and "the needle is in barn 7" in thrifty[0]

    skipping(story())


@pytest.mark.proves("L11", "P35")
def test_a_run_that_was_summarised_ends_at_its_limit_with_what_it_had_said_in_another_process_too(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        if ask.request.role == "fast":
            return [["first findings", call("go_deep", reason="it is big")]][ask.turn]
        return call("wait", until="8h")

    async def story() -> None:
        async with World(tmp_path, model=script, builtin=True) as world:
            run = await world.start("Look into it", mode="fast", max_duration=timedelta(days=1))
            await world.until(run, lambda one: one.mode == "deep" and one.status == "waiting")
            await world.reopen()
            await world.until(run, lambda one: one.over_time)
            await world.cancel(run)
            assert (await world.ended(run)).result == "first findings"

    skipping(story())
