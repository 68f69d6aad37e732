"""Stories that between them hold every event there is: what is asked of journals in general is asked of these."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from auteryn.errors import Unavailable
from auteryn.policy.budget import GO_ON, GO_ON_FAST, RAISE
from auteryn.policy.gates import ALLOW
from auteryn.ports.model import ModelRequest
from auteryn.schema.event import AskOpened
from auteryn.schema.human import Ask as Question
from auteryn.schema.human import People
from auteryn.schema.run import Channel, FileCheck, Options, Run, UntilTime
from auteryn.service.desk import Desk
from auteryn.service.fork import Fork
from auteryn.testing.clock import START
from auteryn.testing.scenarios import KEY, SCENARIOS, Scenario, given
from auteryn.testing.scripted import Ask, Line, call, malformed, safety
from auteryn.testing.world import World
from auteryn.tools.deliver import artifact_publish
from auteryn.tools.files import file_write
from auteryn.tools.human import ask_approval, notify
from auteryn.tools.mode import go_deep
from auteryn.tools.plan import plan_create, plan_update
from auteryn.tools.script import script_run
from auteryn.tools.time import schedule
from auteryn.tools.tool import Pause, ToolContext, tool

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PEOPLE = ("ann", "bob", "cy")


async def finish(world: World, run: str, prefer: tuple[str, ...] = ()) -> Run:
    """The run at its end, whatever it asks: everybody who is asked says the first of what is preferred, or may be said."""
    desk, give_up_at = Desk(world.host.engine), world.now() + 10 * DAY
    while not (found := await world.run(run)).terminal:
        assert world.now() < give_up_at, f"{run} has not ended: {found.status}, {found.waits}, {found.asks}"
        for one in await desk.asks(run):
            for by in _voters(one):
                await desk.answer(one.id, next((said for said in prefer if said in one.options), one.options[0]), by)
        await world.after(HOUR / 4)
    return found


def _voters(ask: Question) -> list[str]:
    """Who is still needed, one after the other."""
    said = {one.by for one in ask.votes}
    left = [by for by in (ask.approvers or PEOPLE) if by not in said]
    return left[: ask.quorum - len(said)]


# ---- people ----------------------------------------------------------------------------------------------------


@tool(effect="keyed", permission="ask", target=lambda args: args["table"])
async def drop(ctx: ToolContext, table: str) -> str:
    """Drop a table."""
    return f"{table} is gone"


def _people(ask: Ask) -> Line:
    return [call("drop", table="a"), call("drop", table="b")] if ask.turn == 0 else "tidy"


async def _play_people(world: World) -> str:
    """Of three who may answer one votes; then silence hands the questions on, people are reminded, and a day passes."""
    people = People(
        approvers=("ann", "bob"),
        quorum=2,
        timeout=20 * HOUR,
        on_timeout="escalate",
        escalate_to=("cy",),
        remind_every=HOUR,
    )
    to_ann = Channel(kind="email", to="ann@example.com")
    run = await world.start("Tidy up", key=KEY, options=Options(people=people, notify=(to_ann,)))
    desk = Desk(world.host.engine)
    if not (found := await world.asked(run)).terminal and len(found.asks) == 2:
        await desk.answer(found.asks[0].id, ALLOW, "ann")
        await world.after(2 * HOUR)
        await desk.answer(found.asks[0].id, ALLOW, "bob")
        await world.after(DAY)
    await finish(world, run)
    return run


# ---- talk ------------------------------------------------------------------------------------------------------


def _talk(ask: Ask) -> Line:
    match ask.turn:
        case 0:
            return [call("notify", message="It begins.", level="info"), call("sleepy", hours=6)]
        case 1:
            return call("oracle", question="why")
        case 2:
            return malformed() if ask.attempt == 0 else "said"
        case _:
            return f"said {ask.turn}"


@tool(effect="idempotent")
async def sleepy(ctx: ToolContext, hours: int) -> Pause | str:
    """Look twice."""
    at = START + timedelta(hours=hours)
    ctx.log("sleepy looks", "warning")
    return "slept" if ctx.clock.now() >= at else Pause(wait=UntilTime(at=at, call=ctx.call, reason="look again", again=True))


@tool(effect="read")
async def oracle(ctx: ToolContext, question: str) -> str:
    """Ask somebody."""
    contents = [{"role": "user", "parts": [{"text": f"oracle: {question}"}]}]
    return (await ctx.consult(ModelRequest(role="fast", system="", contents=contents))).text


async def _play_talk(world: World) -> str:
    run = await world.start("Talk", key=KEY)
    desk = Desk(world.host.engine)
    await world.waiting(run)
    await desk.send(run, "and in blue", "queue", message_id="m_blue")
    await desk.send(run, "and in red", "queue", message_id="m_red")
    await world.after(HOUR)
    await desk.reword(run, "m_blue", "and in green")
    await desk.reword(run, "m_red", None)
    await desk.rename(run, "Small talk")
    await desk.pause(run)
    await world.after(HOUR)
    await desk.resume(run)
    await world.ended(run)
    return run


# ---- plans -----------------------------------------------------------------------------------------------------


def _plans(ask: Ask) -> Line:
    task = given(ask)
    if task.startswith("Plan"):
        if ask.turn == 0:
            steps = [
                {"description": "look"},
                {"description": "fail", "depends_on": [1]},
                {"description": "gather", "depends_on": [2], "review": True},
                {"description": "write", "depends_on": [3]},
                {"description": "never", "depends_on": [3]},
            ]
            return call("plan_create", goal="all", steps=steps)
        if ask.turn == 1:
            return call("plan_update", updates=[{"id": 4, "description": "write well"}], drop=[5], note="short")
        return "planned"
    if task == "fail":
        return "mended" if ask.attempt else safety()
    if task.startswith("write"):
        body = [call("file_write", path="out.md", content="# Out\n"), call("artifact_publish", path="out.md")]
        return body[ask.turn] if ask.turn < 2 else "written"
    return f"{task}: done"


async def _play_plans(world: World) -> str:
    run = await world.start("Plan all", key=KEY)
    await world.until(run, lambda now: now.terminal or bool(now.plan and now.plan.step(2).status == "failed"))
    await Desk(world.host.engine).retry(run, 2)
    await world.ended(run)
    return run


# ---- money -----------------------------------------------------------------------------------------------------


def _pages(count: int) -> Callable[[Ask], Line]:
    def script(ask: Ask) -> Line:
        if given(ask) == "Read":
            return "concluded"
        return "read" if ask.turn >= count or not ask.tools else call("lookup", what=f"page {ask.turn}")

    return script


async def _play_money(world: World) -> str:
    run = await world.start("Read", key=KEY, plan=["part 1", "part 2"], credits=90_000, options=Options(at_budget="ask"))
    await finish(world, run, (RAISE, GO_ON))
    return run


async def _play_thrift(world: World) -> str:
    run = await world.start("Look around", key=KEY, mode="fast", credits=60_000, options=Options(at_budget="ask"))
    await finish(world, run, (GO_ON_FAST,))
    return run


def _thrift(ask: Ask) -> Line:
    if ask.request.role == "fast" and "go_deep" in ask.tools:
        return call("go_deep", reason="it is big")
    return "looked" if "page 30" in repr(ask.request.contents) else call("lookup", what=f"page {ask.turn}")


# ---- endings ---------------------------------------------------------------------------------------------------


def _undone(ask: Ask) -> Line:
    return "it is done"


async def _play_undone(world: World) -> str:
    options = Options(deliverables=(FileCheck(path="report.md"),))
    return (await world.ended(await world.start("Make a report", key=KEY, options=options))).id


def _outage(ask: Ask) -> Line:
    return Unavailable("overloaded") if ask.attempt < 3 else "said"


async def _play_simple(world: World, text: str) -> str:
    return (await world.ended(await world.start(text, key=KEY))).id


async def _play_stopped(world: World) -> str:
    """A schedule is ended by a person after two ticks."""
    run = await world.start("Watch the prices", key=KEY)
    await world.waiting(run)
    await world.after(timedelta(hours=13))
    desk = Desk(world.host.engine)
    await desk.end_schedule(run, (await world.run(run)).schedules[0].id)
    await world.ended(run)
    return run


CODE = """
found = [lookup(what=name) for name in ("A", "B")]
sent = mail(to="ann")
sent + " " + lookup(what="C")
"""


def _script(ask: Ask) -> Line:
    return call("script_run", code=CODE) if ask.turn == 0 else str(ask.new_results[0][1])


PLANNING = (plan_create, plan_update, file_write, artifact_publish)


async def _play_forked(world: World) -> str:
    """The other run was asked twice; this one begins with the second question open there."""
    old = await SCENARIOS["approval"].play(world)
    asked = [entry.seq for entry in await world.journal(old) if any(isinstance(event, AskOpened) for event in entry.events)]
    fork = await Desk(world.host.engine).fork(old, Fork(after=asked[1]))
    return (await finish(world, fork.id)).id


STORIES: dict[str, Scenario] = SCENARIOS | {
    one.name: one
    for one in (
        Scenario("people", "votes, silence, reminders, a digest", _people, _play_people, (drop,)),
        Scenario("talk", "messages for later, a rest, a name", _talk, _play_talk, (notify, sleepy, oracle)),
        Scenario(
            "plans",
            "a step again, a review, a change",
            _plans,
            _play_plans,
            PLANNING,
        ),
        Scenario("money", "a budget that is raised", _pages(30), _play_money),
        Scenario("thrift", "a FAST run, then DEEP, then thrifty", _thrift, _play_thrift, (go_deep,)),
        Scenario("forked", "a fork", SCENARIOS["approval"].script, _play_forked, (ask_approval,)),
        Scenario("undone", "a deliverable that never comes", _undone, _play_undone),
        Scenario("outage", "a model that is away", _outage, partial(_play_simple, text="Say it")),
        Scenario("stopped", "a schedule that is ended", SCENARIOS["schedule"].script, _play_stopped, (schedule,)),
        Scenario("script", "a script that looks and mails", _script, partial(_play_simple, text="Use a script"), (script_run,)),
    )
}
