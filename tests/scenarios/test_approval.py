"""People decide: before a call, and when the model asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from auteryn.policy.gates import ALLOW, DENY
from auteryn.schema import event as e
from auteryn.schema.run import Options, Run
from auteryn.testing.clock import skipping
from auteryn.testing.laws import mails
from auteryn.testing.scenarios import NO, SHOW, YES, delete, lookup
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from auteryn.tools.human import ask_approval, ask_input
from auteryn.tools.tool import Tool, ToolContext, tool

QUESTION = call("ask_approval", message="About to delete 1,000 records. Proceed?", options=[YES, NO, SHOW])


@pytest.mark.proves("P60", "P61")
@pytest.mark.parametrize(("answers", "result"), [([YES], "deleted"), ([NO], "left alone"), ([SHOW, YES], "deleted")])
def test_the_chosen_option_comes_back_verbatim(tmp_path: Path, answers: Sequence[str], result: str) -> None:
    def script(ask: Ask) -> Line:
        if ask.turn == 0:
            return QUESTION
        said = str(ask.request.contents[-1])
        if SHOW in said:
            return call("lookup", what="records")
        if "facts about records" in said:
            return QUESTION
        return "deleted" if YES in said else "left alone"

    async def story() -> None:
        async with World(tmp_path / "home", model=script, tools=[ask_approval, lookup]) as world:
            run = await world.start("Clean up")
            for value in answers:
                asked = await world.asked(run)
                assert asked.asks[0].options == (YES, NO, SHOW)
                await world.answer(run, value)
                await world.until(run, lambda now, seq=asked.seq: now.seq > seq)
            assert (await world.ended(run)).result == result

    skipping(story())


@pytest.mark.parametrize("tool", [ask_input, delete], ids=["question", "gate"])
def test_an_answer_wakes_its_run_by_one_commit(tmp_path: Path, tool: Tool) -> None:
    """Each commit waits for the disk: what was said, and what it answers or allows, become true together."""

    async def story() -> None:
        asked = {"ask_input": call("ask_input", message="Which?"), "delete": call("delete", table="old")}[tool.name]
        async with World(tmp_path, model=[asked, "over"], tools=[tool]) as world:
            run = await world.start("Clean up")
            before = (await world.asked(run)).seq
            await world.answer(run, ALLOW)
            await world.ended(run)
            first, *rest = await world.services.store.journal(run, after=before)
            said = [type(event) for event in first.events]
            assert said[1:3] == [e.AskAnswered, e.CallAnswered if tool is ask_input else e.CallAllowed]
            assert [type(event) for event in rest[-1].events] == [e.ModelAnswered, e.RunCompleted]

    skipping(story())


@pytest.mark.proves("P65")
def test_several_questions_are_open_at_once_and_answered_in_any_order(tmp_path: Path) -> None:
    async def story() -> None:
        questions = [call("ask_input", message=name) for name in ("first", "second", "third")]
        async with World(tmp_path, model=[questions, "thank you"], tools=[ask_input]) as world:
            run = await world.start("Ask three things")
            asks = {ask.message: ask.id for ask in (await world.asked(run)).asks}
            assert list(asks) == ["first", "second", "third"]
            for name in ("third", "first", "second"):
                assert await world.answer(run, f"to {name}", ask=asks[name])
                assert not await world.answer(run, "again", ask=asks[name])
                await world.after(timedelta(hours=1))
            await world.ended(run)
            answers = [event for event in await world.events(run) if isinstance(event, e.CallAnswered)]
            assert [event.output["answer"] for event in answers] == ["to third", "to first", "to second"]

    skipping(story())


@pytest.mark.proves("L14")
@pytest.mark.parametrize(("answer", "left"), [(ALLOW, 1), (DENY, 0)])
def test_a_gated_call_runs_only_if_it_was_allowed(tmp_path: Path, answer: str, left: int) -> None:
    async def story() -> None:
        async with World(tmp_path / "home", model=[call("delete", table="old"), "over"], tools=[delete]) as world:
            run = await world.start("Clean up")
            asked = await world.asked(run)
            assert asked.asks[0].subject and asked.asks[0].subject.args == {"table": "old"}
            assert mails(world.home) == []
            await world.answer(run, answer)
            assert (await world.ended(run)).status == "completed"
            assert len(mails(world.home)) == left

    skipping(story())


@pytest.mark.proves("L14")
def test_an_approval_is_used_once_and_a_grant_covers_one_target(tmp_path: Path) -> None:
    async def story() -> None:
        calls = [call("delete", table="old"), call("delete", table="old"), call("delete", table="new"), "over"]
        async with World(tmp_path / "home", model=calls, tools=[delete]) as world:
            run = await world.start("Clean up")
            asked = list[str]()
            while not (now := await world.asked(run)).terminal:
                assert now.asks[0].subject
                asked.append(now.asks[0].subject.target)
                await world.answer(run, ALLOW)
                await world.until(run, lambda found, seq=now.seq: found.terminal or found.seq > seq)
            assert asked == ["old", "old", "new"]

    skipping(story())


@pytest.mark.proves("L14")
def test_an_owner_who_allows_everything_beforehand_is_not_asked(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path / "home", model=[call("delete", table="old"), "over"], tools=[delete]) as world:
            ended = await world.ended(await world.start("Clean up", options=Options(approve="auto")))
            assert ended.status == "completed" and len(mails(world.home)) == 1

    skipping(story())


class Watching:
    """Sees every commit; `then` is called when a gate has opened."""

    def __init__(self, then: Callable[[], None]) -> None:
        self.then = then

    def committed(self, before: Run, run: Run, entry: e.Entry) -> None:
        if any(isinstance(event, e.CallAllowed) for event in entry.events):
            self.then()

    def trace(self, root: str) -> str:
        return ""

    async def close(self) -> None: ...


@pytest.mark.proves("L14")
def test_what_changes_between_the_answer_and_the_call_is_not_allowed(tmp_path: Path) -> None:
    made, seen = list[str](), ["as it was shown"]

    @tool(effect="once", permission="ask", preview=lambda args, files: seen[-1])
    async def send(ctx: ToolContext) -> str:
        """Send."""
        made.append(seen[-1])
        return "sent"

    async def story() -> None:
        async with World(tmp_path, model=[call("send"), "over"], tools=[send]) as world:
            world.host.engine.observer = Watching(lambda: seen.append("as it is now"))
            run = await world.start("Send")
            await world.asked(run)
            await world.answer(run, ALLOW)
            await world.ended(run)
            (answer,) = [event for event in await world.events(run) if isinstance(event, e.CallAnswered)]
            assert made == [] and answer.error == "denied" and "not what was allowed" in answer.output

    skipping(story())
