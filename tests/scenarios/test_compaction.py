"""A conversation may be summarised as often as it likes: the ledger is not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from auteryn.errors import ModelRefused
from auteryn.policy.limits import CHARS_PER_TOKEN, DELIVERABLE_REMINDERS
from auteryn.schema import event as e
from auteryn.schema.plan import StepDraft
from auteryn.schema.run import FileCheck, Options
from auteryn.service.desk import Desk
from auteryn.service.new import NewRun
from auteryn.testing.clock import skipping
from auteryn.testing.scenarios import given, lookup
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from auteryn.tools.notes import note_write
from auteryn.tools.time import wait
from auteryn.tools.tool import ToolContext, tool

SMALL = {"compact_at_tokens": 2_500, "keep_tokens": 600}


def summarises(ask: Ask) -> bool:
    return "Summarise this transcript" in ask.last


@pytest.mark.proves("P35", "P38", "L8")
def test_fifty_compactions_keep_constraints_decisions_and_the_plan(tmp_path: Path) -> None:
    shown = list[str]()
    notes = [("constraints", "never call it blue"), ("decisions", "use the second supplier")]

    def script(ask: Ask) -> Line:
        if given(ask).startswith("part"):
            return "part done"
        if summarises(ask):
            return f"summary {len(shown)}"
        if len(shown) < 2 and not ask.turn:
            return [call("note_write", section=section, text=text) for section, text in notes]
        ledger = next(
            part["text"] for part in ask.request.contents[-1]["parts"] if "[Where things stand]" in part.get("text", "")
        )
        shown.append(ledger)
        assert given(ask) == "Talk for long"
        return "over" if len(shown) == 260 else call("lookup", what=f"{len(shown)} " + "x" * 2_000)

    async def story() -> None:
        plan = [StepDraft(description="part one"), StepDraft(description="part two")]
        async with World(tmp_path, model=script, tools=[lookup, note_write], **SMALL) as world:
            run = await world.start("Talk for long", plan=plan)
            ended = await world.ended(run)
            assert ended.status == "completed", ended.failure
            assert (await world.outline(run)).count("Compacted") >= 50
            assert len(set(shown)) == 1
            assert all(text in shown[0] for _, text in notes) and "1 completed: part one" in shown[0]
            assert [s.attempt for s in ended.plan.steps] == [1, 1] if ended.plan else False

    skipping(story())


@pytest.mark.proves("P38", "L8")
def test_each_turn_is_summarised_once_or_kept_and_as_many_are_kept_as_fit(tmp_path: Path) -> None:
    summarised, just_now, room = list[str](), list[bool](), SMALL["keep_tokens"] * CHARS_PER_TOKEN

    def pages(said: object) -> list[str]:
        return sorted(set(re.findall(r"page (\d+) x", json.dumps(said))))

    def script(ask: Ask) -> Line:
        if summarises(ask):
            summarised.extend(pages(ask.last))
            just_now.append(True)
            return "a summary"
        turns = ask.request.contents[1:]
        assert [*summarised, *pages(turns)] == [f"{number:03}" for number in range(ask.turn)]
        if just_now:
            just_now.clear()
            kept, one = len(json.dumps(turns)), len(json.dumps(turns[:2]))
            assert kept <= room < kept + one
        return "over" if ask.turn == 40 else call("lookup", what=f"page {ask.turn:03} " + "x" * 300)

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[lookup], **SMALL) as world:
            ended = await world.ended(await world.start("Talk for long"))
            assert (ended.status, ended.result) == ("completed", "over") and len(summarised) > 30

    skipping(story())


def test_whoever_watches_hears_the_agent_and_not_its_summaries(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        if summarises(ask):
            return "a summary"
        return "over" if ask.turn == 20 else ["I look. ", call("lookup", what=f"{ask.turn} " + "x" * 500)]

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[lookup], **SMALL) as world:
            desk = Desk(world.host.engine)
            run = await desk.create(NewRun(input="Talk for long", mode="fast"))
            heard = {event.data["text"] async for event in desk.events(run.id) if event.delta}
            assert "Compacted" in await world.outline(run.id)
            assert heard == {"I look. ", "over"}

    skipping(story())


@pytest.mark.proves("L9")
def test_what_is_kept_after_a_compaction_comes_back_verbatim(tmp_path: Path) -> None:
    from auteryn.testing.scripted import ScriptedModel

    def script(ask: Ask) -> Line:
        if summarises(ask):
            return "a summary"
        return "over" if ask.turn == 60 else call("lookup", what=f"{ask.turn} " + "x" * 500)

    async def story() -> None:
        async with World(tmp_path, model=ScriptedModel(script, strict=True), tools=[lookup], **SMALL) as world:
            run = await world.start("Talk for long")
            ended = await world.ended(run)
            assert (ended.status, ended.result) == ("completed", "over")
            assert (await world.outline(run)).count("Compacted") > 5

    skipping(story())


@pytest.mark.proves("P38", "L8")
def test_a_new_process_sees_the_same_conversation_after_a_compaction(tmp_path: Path) -> None:
    seen = dict[int, str]()

    def script(ask: Ask) -> Line:
        if summarises(ask):
            return "a summary"
        seen[ask.turn] = repr(ask.request.contents[:-1])
        return "over" if ask.turn == 40 else [call("lookup", what=f"{ask.turn} " + "x" * 500), call("wait", until="1m")]

    async def told(home: Path, reopened: bool) -> dict[int, str]:
        seen.clear()
        async with World(home, model=script, tools=[lookup, wait], **SMALL) as world:
            run = await world.start("Talk for long", key="same")
            for turn in range(8, 40, 8) if reopened else ():
                await world.until(run, lambda found, turn=turn: found.turns >= turn and found.status == "waiting")
                await world.reopen()
            assert (await world.ended(run)).result == "over"
            assert "Compacted" in await world.outline(run)
        return dict(seen)

    once = skipping(told(tmp_path / "once", reopened=False))
    often = skipping(told(tmp_path / "often", reopened=True))
    assert once == often


@pytest.mark.proves("L9")
def test_a_run_raised_from_fast_to_deep_keeps_what_was_said(tmp_path: Path) -> None:
    from auteryn.tools.mode import go_deep

    def script(ask: Ask) -> Line:
        if ask.request.role == "fast":
            return (
                call("go_deep", reason="it is big")
                if "facts about" in repr(ask.request.contents)
                else call("lookup", what="it")
            )
        assert "facts about it" in repr(ask.request.contents)
        return "deep result"

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[lookup, go_deep]) as world:
            run = await world.start("Something", mode="fast")
            ended = await world.ended(run)
            assert (ended.mode, ended.result, ended.limits.llm_calls) == ("deep", "deep result", 5_000)
            assert any(isinstance(event, e.ModeRaised) for event in await world.events(run))

    skipping(story())


@pytest.mark.proves("P35", "P38")
def test_what_the_model_was_told_is_not_told_again_after_a_compaction_in_another_process(tmp_path: Path) -> None:
    """Neither the report of the ended plan nor the reminder of a missing deliverable."""

    def script(ask: Ask) -> Line:
        if given(ask) == "part":
            return "part done"
        if summarises(ask):
            return "summary"
        said = str(ask.request.contents)
        if "What has happened so far" in said:
            return "I am done." if "woke_at" in said else call("wait", until="1h")
        return call("lookup", what=f"{ask.turn} " + "x" * 2_000) if "are not there yet" in said else "I am done."

    async def story() -> None:
        options = Options(deliverables=(FileCheck(path="never.txt"),))
        async with World(tmp_path, model=script, tools=[lookup, wait], **SMALL) as world:
            run = await world.start("Talk for long", plan=["part"], options=options)
            await world.until(run, lambda found: found.context_seq > 1 and found.status == "waiting")
            await world.reopen()
            ended = await world.ended(run)
            told = [event.why for event in await world.events(run) if isinstance(event, e.Told)]
            assert ended.failure and ended.failure.reason == "deliverable_missing"
            assert told.count("report") == 1 and told.count("deliverables") == DELIVERABLE_REMINDERS

    skipping(story())


@pytest.mark.proves("L9")
def test_where_a_model_refuses_the_signatures_of_another_the_conversation_goes_on_as_text(tmp_path: Path) -> None:
    asked = list[str]()

    def script(ask: Ask) -> Line:
        asked.append(json.dumps(ask.request.contents))
        match len(asked):
            case 3:
                return ModelRefused("signature", "Corrupted thought signature.")
            case 5:
                return "read"
            case number:
                return call("lookup", what=f"page {number}")

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[lookup]) as world:
            ended = await world.ended(await world.start("Read"))
            assert (ended.result, ended.usage.llm_calls) == ("read", 5)
            assert [text.count("thoughtSignature") for text in asked] == [0, 1, 2, 0, 1]
            assert "facts about page 2" in asked[3]

    skipping(story())


def test_a_model_that_refuses_even_a_text_without_signatures_ends_the_run(tmp_path: Path) -> None:
    asked = list[Ask]()

    def script(ask: Ask) -> Line:
        asked.append(ask)
        return ModelRefused("signature", "Corrupted thought signature.") if asked[1:] else call("lookup", what="page")

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[lookup]) as world:
            ended = await world.ended(await world.start("Read"))
            assert ended.failure and (ended.failure.reason, ended.usage.llm_calls) == ("model_refused", 3)

    skipping(story())


@pytest.mark.parametrize("reopened", [False, True], ids=["one process", "another process"])
def test_signatures_that_are_always_lost_on_the_way_end_the_run(tmp_path: Path, reopened: bool) -> None:
    """Each answer is refused one request later, as behind a proxy that drops signatures: its calls are no progress."""
    asked = list[Ask]()

    def script(ask: Ask) -> Line:
        asked.append(ask)
        if "thoughtSignature" in json.dumps(ask.request.contents):
            return ModelRefused("signature", "a signature is missing")
        return [call("lookup", what=f"page {len(asked)}"), call("wait", until="1m")]

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[lookup, wait]) as world:
            run = await world.start("Read")
            for turns in (2, 4) if reopened else ():
                await world.until(run, lambda found, turns=turns: found.turns >= turns and found.status == "waiting")
                await world.reopen()
            ended = await world.ended(run)
            assert ended.failure and ended.failure.reason == "model_refused"
            assert "6th time in a row" in ended.failure.message and len(asked) == 12

    skipping(story())


@pytest.mark.proves("L14", "P38")
@pytest.mark.parametrize("reopened", [False, True], ids=["one process", "another process"])
def test_whom_the_owner_named_in_a_message_stays_known_after_compactions(tmp_path: Path, reopened: bool) -> None:
    """Nobody is asked about what the owner has said, though the message itself is in no summary."""
    sent, asked = list[str](), list[Ask]()

    @tool(effect="once", sends=True, permission="ask", recipients=lambda args: [args["to"]])
    async def letter(ctx: ToolContext, to: str) -> str:
        """Send a letter."""
        sent.append(to)
        return "sent"

    def script(ask: Ask) -> Line:
        if summarises(ask):
            return "summary"
        asked.append(ask)
        match len(asked):
            case turn if turn < 12:
                return [call("lookup", what=f"{turn} " + "x" * 2_000), call("wait", until="1m")]
            case 12:
                return call("letter", to="ann@corp.test")
            case _:
                return "over"

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[lookup, wait, letter], **SMALL) as world:
            run = await world.start("Talk for long")
            await world.until(run, lambda found: found.status == "waiting")
            await world.say(run, "It is going well. Send the result to ann@corp.test, please! Thanks")
            for turns in (5, 10) if reopened else ():
                await world.until(run, lambda found, turns=turns: found.turns >= turns and found.status == "waiting")
                await world.reopen()
            ended = await world.ended(run)
            cuts = [event for event in await world.events(run) if isinstance(event, e.Compacted)]
            assert ended.result == "over" and sent == ["ann@corp.test"] and len(cuts) > 2
            assert cuts[-1].said == ("Send the result to ann@corp.test, please!",)

    skipping(story())


@pytest.mark.proves("P5")
def test_a_request_that_is_too_long_is_summarised_and_sent_again(tmp_path: Path) -> None:
    asked = list[Ask]()

    def script(ask: Ask) -> Line:
        asked.append(ask)
        if summarises(ask):
            return "it was looked twice"
        if len(asked) == 3:
            raise ModelRefused("too_long", "the prompt is too long")
        return "done" if len(asked) > 3 else call("lookup", what="x")

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[lookup]) as world:
            run = await world.ended(await world.start("Look"))
            kinds = [type(event) for event in await world.events(run.id)]
            assert run.result == "done" and kinds.count(e.Compacted) == 1
            assert kinds.index(e.ModelFailed) < kinds.index(e.Compacted)
            assert run.usage.llm_calls == len(asked)

    skipping(story())
