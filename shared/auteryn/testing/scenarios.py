"""Small stories with everything in them that must survive: plans, waits, people, money, effects.

A scenario is played by the process that is alive. After a crash the next process plays it again from its beginning, so
each `play` says only what may be said twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from auteryn.schema.plan import StepDraft
from auteryn.testing.scripted import Ask, Line, ScriptedModel, call
from auteryn.testing.world import World
from auteryn.tools.deliver import artifact_publish
from auteryn.tools.files import file_write
from auteryn.tools.human import ask_approval
from auteryn.tools.notes import note_write
from auteryn.tools.plan import plan_create
from auteryn.tools.time import schedule, wait
from auteryn.tools.tool import Tool, ToolContext, tool

KEY = "scenario"
"""Of every scenario's run: starting it again finds it."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A story, the model's part in it, the tools, and what it must come to."""

    name: str
    about: str
    script: Callable[[Ask], Line]
    play: Callable[[World], Awaitable[str]]
    """Plays everybody but the model, to the end; gives the run's id."""
    more_tools: tuple[Tool, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict[str, Any])

    def model(self) -> ScriptedModel:
        return ScriptedModel(self.script)

    @property
    def tools(self) -> tuple[Tool, ...]:
        return (*TOOLS, *self.more_tools)


MAILS = "mails.txt"


def outside(home: Path) -> Path:
    """Where the effects of this home's tools lie: beside it, where no crash undoes them."""
    return home.with_name(f"{home.name}.outside")


def _happened(ctx: ToolContext, what: str) -> None:
    place = outside(ctx.files.root.parents[1])
    place.mkdir(exist_ok=True)
    with (place / MAILS).open("a") as box:
        box.write(f"{ctx.run.id} {ctx.call} {what}\n")


@tool(effect="read")
async def lookup(ctx: ToolContext, what: Annotated[str, "What to look up"]) -> str:
    """Look something up."""
    return f"facts about {what}"


@tool(effect="once")
async def mail(ctx: ToolContext, to: Annotated[str, "Recipient"]) -> str:
    """Send a mail. It cannot be called back."""
    _happened(ctx, to)
    return f"sent to {to}"


@tool(effect="once", permission="ask", target=lambda args: args["table"])
async def delete(ctx: ToolContext, table: Annotated[str, "What to empty"]) -> str:
    """Delete all records of a table."""
    _happened(ctx, f"delete {table}")
    return f"deleted {table}"


TOOLS = (lookup, mail, delete)


def given(ask: Ask) -> str:
    """The task in its own words, without what it came with."""
    return ask.request.contents[0]["parts"][0]["text"]


# ---- a plan with parallel steps and a join ---------------------------------------------------------------------


def _plan_script(ask: Ask) -> Line:
    if ask.task.startswith("Compare"):
        if ask.turn == 0:
            steps: list[dict[str, Any]] = [
                {"description": "Search A"},
                {"description": "Search B"},
                {"description": "Join both", "depends_on": [1, 2]},
            ]
            return call("plan_create", goal="Compare", steps=steps)
        return "A and B were compared."
    if ask.task.startswith("Search"):
        if ask.turn == 0:
            return [call("lookup", what=ask.task), call("note_write", section="findings", text=ask.task)]
        return f"found: {ask.task}"
    match ask.turn:
        case 0:
            return call("file_write", path="report.md", content="# A and B\n")
        case 1:
            return call("artifact_publish", path="report.md", title="Report")
        case _:
            return "joined"


async def _to_the_end(world: World, text: str, **how: Any) -> str:
    run = await world.start(text, key=KEY, **how)
    await world.ended(run)
    return run


async def _play_plan(world: World) -> str:
    return await _to_the_end(world, "Compare A and B")


# ---- waits -----------------------------------------------------------------------------------------------------


def _wait_script(ask: Ask) -> Line:
    return "waited" if ask.turn == 1 else call("wait", until="6h", reason="the day must pass")


async def _play_wait(world: World) -> str:
    return await _to_the_end(world, "Wait six hours")


# ---- people ----------------------------------------------------------------------------------------------------

YES, NO, SHOW = "Yes, proceed", "No, cancel", "Show me the records first"


def _approval_script(ask: Ask) -> Line:
    question = call("ask_approval", message="About to delete 1,000 records. Proceed?", options=[YES, NO, SHOW])
    match ask.turn:
        case 0:
            return question
        case 1:
            return call("lookup", what="the records")
        case 2:
            return question
        case _:
            return "The records were deleted."


async def _play_approval(world: World) -> str:
    """Asked the first time, the person wants to see the records; asked again, they agree."""
    run = await world.start("Delete the records", key=KEY)
    answers = [SHOW, YES]
    while not (found := await world.asked(run)).terminal:
        answered = (await world.outline(run)).count("AskAnswered")
        await world.answer(run, answers[min(answered, 1)], ask=found.asks[0].id)
        await world.until(run, lambda now, seq=found.seq: now.terminal or now.seq > seq)
    return run


def _gate_script(ask: Ask) -> Line:
    return "The table is empty." if ask.turn else [call("delete", table="old"), call("lookup", what="old")]


async def _play_gate(world: World) -> str:
    run = await world.start("Empty the table", key=KEY)
    if not (found := await world.asked(run)).terminal:
        await world.answer(run, "Allow", ask=found.asks[0].id)
    await world.ended(run)
    return run


# ---- effects ---------------------------------------------------------------------------------------------------


def _once_script(ask: Ask) -> Line:
    match ask.turn:
        case 0:
            return [call("mail", to="ann@example.org"), call("lookup", what="bob"), call("mail", to="bob@example.org")]
        case 1:
            return call("mail", to="eve@example.org")
        case _:
            return "Everybody was written to, or it is said who may not have been."


async def _play_once(world: World) -> str:
    return await _to_the_end(world, "Write to everybody")


# ---- a long conversation ---------------------------------------------------------------------------------------


def _compaction_script(chars: int) -> Callable[[Ask], Line]:
    """The model asks for so much each turn."""

    def script(ask: Ask) -> Line:
        if "Summarise this transcript" in ask.last:
            return "Looked things up."
        if "decided: blue" not in str(ask.request.contents) and ask.turn == 0:
            return call("note_write", section="decisions", text="decided: blue")
        parts = [part for content in ask.request.contents for part in content["parts"]]
        seen = any("Looked things up." in part.get("text", "") for part in parts)
        return "The long talk is over." if seen and ask.results else call("lookup", what="x" * chars)

    return script


async def _play_compaction(world: World) -> str:
    return await _to_the_end(world, "Talk for long")


def long_talk(chars: int, **settings: Any) -> Scenario:
    about = "a conversation that grows too long, and a decision that must outlive it"
    return Scenario("compaction", about, _compaction_script(chars), _play_compaction, (note_write,), settings)


# ---- shares of the budget --------------------------------------------------------------------------------------


def _budget_script(ask: Ask) -> Line:
    if ask.task.startswith("Long"):
        return "long step done" if ask.turn >= 12 else call("lookup", what=f"page {ask.turn}")
    return "short step done" if ask.task.startswith("Short") else "both done"


BUDGET_CALLS = 27
"""Little more than the work takes."""


async def _play_budget(world: World) -> str:
    plan = [StepDraft(description="Long work"), StepDraft(description="Short work", depends_on=(1,))]
    return await _to_the_end(world, "Share the budget", plan=plan, llm_calls=BUDGET_CALLS)


# ---- a tree that is cancelled -----------------------------------------------------------------------------------


def _cancel_script(ask: Ask) -> Line:
    return "slept" if ask.turn else [call("wait", until="1d"), call("lookup", what=ask.task)]


async def _play_cancel(world: World) -> str:
    run = await world.start("Sleep side by side", plan=["Sleep A", "Sleep B"], key=KEY)
    while not (await world.run(run)).terminal:
        steps = [one for one in await world.tree(run) if one.parent]
        if len(steps) == 2 and all(one.status == "waiting" or one.terminal for one in steps):
            break
        await world.after(timedelta(seconds=5))
    await world.cancel(run)
    for one in await world.tree(run):
        await world.ended(one.id)
    return run


# ---- schedules -------------------------------------------------------------------------------------------------


def _schedule_script(span: str) -> Callable[[Ask], Line]:
    def script(ask: Ask) -> Line:
        if ask.task.startswith("Watch"):
            if ask.turn == 0:
                return call("schedule", every="6h", instruction="Check the prices", until=span)
            return "The watch is set." if "has ended" not in ask.last else "A summary of all checks."
        return "prices are the same"

    return script


async def _play_schedule(world: World) -> str:
    return await _to_the_end(world, "Watch the prices")


# ---- rest and talk ---------------------------------------------------------------------------------------------


async def _play_pause(world: World) -> str:
    run = await world.start("Wait six hours", key=KEY)
    await world.waiting(run)
    await world.pause(run)
    while "Paused" not in (outline := await world.outline(run)) and "RunCompleted" not in outline:
        await world.after(timedelta(seconds=5))
    await world.after(timedelta(hours=1))
    await world.resume(run)
    await world.ended(run)
    return run


def _steer_script(ask: Ask) -> Line:
    if "only the short version" in str(ask.request.contents):
        return "short" if "and in blue" not in str(ask.request.contents) else "short and blue"
    return call("wait", until="6h") if ask.turn == 0 else "long"


async def _play_steer(world: World) -> str:
    run = await world.start("Write something", key=KEY)
    await world.waiting(run)
    await world.say(run, "and in blue", when="queue")
    await world.say(run, "only the short version")
    await world.ended(run)
    return run


SCENARIOS: dict[str, Scenario] = {
    one.name: one
    for one in (
        Scenario(
            "plan",
            "two parallel steps, a join, notes, a file handed over",
            _plan_script,
            _play_plan,
            (plan_create, note_write, file_write, artifact_publish),
        ),
        Scenario("wait", "a wait of six hours", _wait_script, _play_wait, (wait,)),
        Scenario("approval", "a question with three answers, asked twice", _approval_script, _play_approval, (ask_approval,)),
        Scenario("gate", "a call that a person must allow", _gate_script, _play_gate),
        Scenario("once", "mails that cannot be called back", _once_script, _play_once),
        long_talk(2_000, compact_at_tokens=2_000, keep_tokens=700),
        Scenario("budget", "a step that needs more than its share", _budget_script, _play_budget),
        Scenario("cancel", "a tree that is stopped while its steps wait", _cancel_script, _play_cancel, (wait,)),
        Scenario("schedule", "a check every six hours for a day", _schedule_script("1d"), _play_schedule, (schedule,)),
        Scenario("pause", "a run that rests for an hour while it waits", _wait_script, _play_pause, (wait,)),
        Scenario("steer", "an owner who speaks while the run waits", _steer_script, _play_steer, (wait,)),
    )
}

WEEK = Scenario("week", "a check every six hours for seven days", _schedule_script("7d"), _play_schedule, (schedule,))
"""28 ticks: too long to die at every point of it within minutes; `chaos --full` does."""
