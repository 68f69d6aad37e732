"""What happens between a look and the act that follows it: another is quicker, or the process is told to end just then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, cast, get_args

import pytest
from msgspec.structs import replace

from auteryn.errors import RateLimited, Unavailable, WrongState
from auteryn.ports import Services
from auteryn.runtime.dispatch import dispatch
from auteryn.runtime.stored_files import StoredFiles
from auteryn.schema import event as e
from auteryn.schema import inbox as m
from auteryn.schema.change import Change
from auteryn.schema.post import POST
from auteryn.schema.run import FileCheck, Options
from auteryn.schema.spend import SpendLimit
from auteryn.service.desk import Desk
from auteryn.service.new import NewRun
from auteryn.testing.clock import START, skipping
from auteryn.testing.scripted import Ask, Line, ScriptedModel, call
from auteryn.testing.world import World
from auteryn.tools.files import file_write
from auteryn.tools.time import wait
from auteryn.tools.tool import ToolContext, tool
from conformance.samples import newborn
from scenarios.test_consult import oracle

MINUTE = timedelta(minutes=1)
HANG = 60
"""Virtual seconds after which what does not come counts as never."""


@dataclass
class Meanwhile:
    """A store; `before[method]` happens before the method does anything, `after[method]` between that and the moment its caller
    knows."""

    inner: Any = None
    before: dict[str, Callable[..., Awaitable[None]]] = field(default_factory=dict[str, Callable[..., Awaitable[None]]])
    after: dict[str, Callable[..., Awaitable[None]]] = field(default_factory=dict[str, Callable[..., Awaitable[None]]])

    def around(self, services: Services) -> Services:
        self.inner = services.store
        store: Any = self
        return replace(services, store=store)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if not iscoroutinefunction(found):
            return found

        async def call(*args: Any, **given: Any) -> Any:
            if act := self.before.get(name):
                await act(*args)
            done = await found(*args, **given)
            if act := self.after.get(name):
                await act(*args)
            return done

        return call

    def once(
        self,
        name: str,
        act: Callable[[], Awaitable[None]],
        when: Callable[..., bool] = lambda *_: True,
        *,
        first: bool = False,
    ) -> None:
        """The next time the method was (or, `first`, is about to be) called with what `when` holds for."""
        acts = self.before if first else self.after

        async def acting(*args: Any) -> None:
            if when(*args):
                del acts[name]
                await act()

        acts[name] = acting


def leaves(change: Change) -> bool:
    return change.leave


def holds(kind: type) -> Callable[[Change], bool]:
    return lambda change: any(isinstance(event, kind) for event in change.entry.events)


@pytest.mark.proves("F11")
def test_told_to_stop_while_it_reads_its_inbox_a_slice_asks_nothing_more(tmp_path: Path) -> None:
    async def story() -> None:
        store = Meanwhile()
        async with World(tmp_path, model=["done"], around=store.around) as world:

            async def stop() -> None:
                world.host.engine.live[run].stop()
                await asyncio.sleep(0)
                await asyncio.sleep(0)

            store.once("inbox", stop, when=lambda *_: bool(world.host.engine.live))
            run = await world.start("Paint")
            assert (await world.ended(run)).result == "done"
            outline = await world.outline(run)
            assert outline.index("Left") < outline.index("ModelAnswered")

    skipping(story())


@pytest.mark.proves("L10")
def test_a_look_that_comes_late_makes_no_slice_deaf(tmp_path: Path) -> None:
    """Two saw a pause, and it was over before the second came to tell of it. The cancel after it ends the call at once."""

    async def story() -> None:
        store, late, tries = Meanwhile(), list[asyncio.Task[None]](), list[int]()
        held, again = asyncio.Event(), asyncio.Event()

        @tool(effect="read")
        async def mix(ctx: ToolContext) -> str:
            """Mix the paint."""
            live = world.host.engine.live[ctx.run.id]
            tries.append(len(tries))
            if len(tries) == 1:
                for message in (m.Pause(id="pause", sent_at=world.now()), m.Resume(id="resume", sent_at=world.now())):
                    await store.send(ctx.run.id, message)
                store.once("inbox", held.wait)
                late.append(asyncio.create_task(live.look()))
                await asyncio.sleep(0)
                store.once("inbox", let_it_come, when=lambda *_: again.is_set())
                again.set()
                await live.look()
            else:
                await store.send(ctx.run.id, m.Cancel(id="cancel", sent_at=world.now()))
                await live.look()
            await asyncio.Event().wait()
            return "mixed"

        async def let_it_come() -> None:
            if len(tries) == 1 and not late[0].done() and world.host.engine.live[run].busy is None:  # type: ignore[attr-defined]
                held.set()
                await late[0]
            else:
                store.once("inbox", let_it_come)

        async with World(tmp_path, model=[call("mix")], tools=[mix], around=store.around) as world:
            run = await world.start("Paint")
            ended = await asyncio.wait_for(world.ended(run), HANG)
            assert (ended.status, len(tries)) == ("cancelled", 2)
            assert late[0].done()
            assert world.now() == START

    skipping(story())


@pytest.mark.proves("L5")
def test_a_heartbeat_that_comes_as_the_slice_leaves_hides_no_message(tmp_path: Path) -> None:
    """The lease it would renew is gone because the slice gave it up itself; what was said just then is found all the same."""

    def script(ask: Ask) -> Line:
        return "in blue" if "blue" in str(ask.request.contents) else call("wait", until="6h")

    async def story() -> None:
        store = Meanwhile()
        async with World(tmp_path, model=script, tools=[wait], around=store.around) as world:

            async def beat() -> None:
                await store.send(run, m.UserMessage(id="said", sent_at=world.now(), text="make it blue"))
                await world.host.engine.live[run].beat()

            store.once("commit", beat, when=leaves)
            run = await world.start("Paint")
            assert (await world.ended(run)).result == "in blue"
            assert world.now() == START

    skipping(story())


@pytest.mark.proves("L5")
def test_a_message_that_comes_after_the_last_look_and_before_the_end_is_answered(tmp_path: Path) -> None:
    """In whatever mode it was said, and where the run ended with its answer or after a look at its files. The first answer is
    kept, and is the result no more."""

    async def story(when: m.When, home: Path, *first: Line, files: tuple[FileCheck, ...] = ()) -> None:
        store = Meanwhile()
        script = [*first, "done", "done, and blue"]
        async with World(home / when, model=script, tools=[file_write], around=store.around) as world:

            async def say() -> None:
                await world.say(run, "and blue", when=when)

            store.once("commit", say, when=holds(e.RunCompleted), first=True)
            run = await world.start("Paint", options=Options(deliverables=files))
            ended = await world.ended(run)
            assert (ended.result, ended.usage.llm_calls) == ("done, and blue", len(script))
            outline = await world.outline(run)
            assert (
                outline.count("ModelAnswered") == len(script)
                and outline.count("RunCompleted") == outline.count("SliceStarted") == 1
            )

    for when in get_args(m.When):
        skipping(story(when, tmp_path / "at once"))
        draws, drawn = call("file_write", path="a.md", content="blue"), FileCheck(path="a.md")
        skipping(story(when, tmp_path / "verified", draws, files=(drawn,)))


@pytest.mark.proves("L5")
def test_a_message_that_changes_nothing_keeps_no_run_from_its_end(tmp_path: Path) -> None:
    async def story() -> None:
        store = Meanwhile()
        async with World(tmp_path, model=["done"], around=store.around) as world:
            store.once("commit", lambda: world.resume(run), when=holds(e.RunCompleted), first=True)
            run = await world.start("Paint")
            ended = await world.ended(run)
            assert (ended.result, ended.usage.llm_calls, ended.slice) == ("done", 1, 1)
            assert await world.services.store.inbox(run) == []

    skipping(story())


@pytest.mark.proves("P37")
def test_what_a_refused_completion_would_have_said_of_the_files_is_said_by_the_next_commit(tmp_path: Path) -> None:
    """Where every slice has a folder of its own: a file is brought to the blobs, and told of, once."""

    async def story() -> None:
        store = Meanwhile()

        def script(ask: Ask) -> Line:
            if ask.turn == 0:
                live: Any = world.host.engine.live[run]
                live.files.write("sketch.txt", b"blue")
            return "done"

        async with World(tmp_path, model=script, around=store.around) as world:
            engine = world.host.engine
            engine.files = StoredFiles(tmp_path / "machine", store.inner, engine.services.blobs, tree_bytes=1 << 20)

            async def say() -> None:
                await world.say(run, "and blue")

            store.once("commit", say, when=holds(e.RunCompleted), first=True)
            run = await world.start("Paint")
            assert (await world.ended(run)).turns == 2
            assert (await engine.files.begin(await world.run(run))).read("sketch.txt") == b"blue"

    skipping(story())


@pytest.mark.proves("L1", "L5")
def test_told_to_stop_as_it_completes_a_run_hears_what_was_said_meanwhile(tmp_path: Path) -> None:
    """The completion that was broken off before it was made is said again, and refused: the next slice reads the message."""

    def script(ask: Ask) -> Line:
        return "done, and blue" if "and blue" in str(ask.request.contents) else "done"

    async def story() -> None:
        store, ending = Meanwhile(), asyncio.Event()

        async def hang() -> None:
            ending.set()
            await asyncio.Event().wait()

        store.once("commit", hang, when=holds(e.RunCompleted), first=True)
        async with World(tmp_path, model=script, around=store.around) as world:
            run = await world.start("Paint")
            await ending.wait()
            await store.send(run, m.UserMessage(id="said", sent_at=world.now(), text="and blue"))
            await world.reopen()
            ended = await world.ended(run)
            assert (ended.result, ended.usage.llm_calls) == ("done, and blue", 2)
            assert [event.why for event in await world.events(run) if isinstance(event, e.Left)] == ["handed_over"]

    skipping(story())


LAST_WORDS: dict[str, Callable[[Desk, str], Awaitable[Any]]] = {
    "message": lambda desk, run: desk.send(run, "or red"),
    "title": lambda desk, run: desk.rename(run, "Red"),
    "pause": lambda desk, run: desk.pause(run),
    "cancel": lambda desk, run: desk.cancel(run),
}


@pytest.mark.proves("L5", "L10")
@pytest.mark.parametrize("word", LAST_WORDS)
def test_whoever_speaks_to_a_run_that_has_just_ended_is_told_so(word: str, tmp_path: Path) -> None:
    """It was under way when he looked. Repeating what it has heard is no error."""

    async def story() -> None:
        store, go = Meanwhile(), asyncio.Event()

        @tool(effect="read")
        async def mix(ctx: ToolContext) -> str:
            """Mix the paint."""
            await go.wait()
            return "mixed"

        async with World(tmp_path, model=[call("mix"), "done"], tools=[mix], around=store.around) as world:
            desk = Desk(world.host.engine)

            async def end() -> None:
                go.set()
                await world.ended(run)

            run = await world.start("Paint")
            await desk.send(run, "in blue", message_id="said")
            store.once("send", end, first=True)
            with pytest.raises(WrongState, match="has completed"):
                await LAST_WORDS[word](desk, run)
            seq = (await world.run(run)).seq
            await desk.send(run, "in blue", message_id="said")
            await world.after(MINUTE)
            assert list(await store.inbox(run)) == [] and (await world.run(run)).seq == seq

    skipping(story())


@pytest.mark.proves("L1", "L11")
def test_stopped_while_a_commit_is_on_its_way_a_slice_knows_what_became_of_it(tmp_path: Path) -> None:
    """It hands over what the store holds, and no request counts that was not sent."""

    async def story() -> None:
        store, made = Meanwhile(), asyncio.Event()

        async def hang() -> None:
            made.set()
            await asyncio.Event().wait()

        store.once("commit", hang, when=holds(e.ModelAnswered))
        world = await World(tmp_path, model=[call("wait", until="6h"), "done"], tools=[wait], around=store.around).open()
        run = await world.start("Paint")
        await made.wait()
        await world.reopen()
        ended = await world.ended(run)
        assert (ended.result, ended.usage.llm_calls) == ("done", 2)
        facts = [event for event in await world.events(run) if isinstance(event, e.Left | e.ModelFailed)]
        assert next(one.why for one in facts if isinstance(one, e.Left)) == "handed_over"
        assert not [one for one in facts if isinstance(one, e.ModelFailed)]
        await world.close()

    skipping(story())


@pytest.mark.proves("L10", "L11")
@pytest.mark.parametrize("fact", [e.ModelFailed, e.ModelAsked])
def test_cancelled_while_a_request_is_counted_it_is_not_sent(tmp_path: Path, fact: type) -> None:
    """What brought nothing is written down before it is repeated, and what a tool asks before it is sent."""

    def script(ask: Ask) -> Line:
        if ask.task.startswith("oracle"):
            return "Yes."
        return Unavailable("503") if fact is e.ModelFailed and not ask.attempt else call("oracle", question="one")

    async def story() -> None:
        store = Meanwhile()
        async with World(tmp_path, model=script, tools=[oracle], around=store.around) as world:

            async def cancel() -> None:
                await world.cancel(run)

            store.once("commit", cancel, when=holds(fact))
            run = await world.start("Ask")
            ended, sent = await world.ended(run), cast("ScriptedModel", world.model).calls
            assert (ended.status, sent, ended.usage.llm_calls) == ("cancelled", 1, 1 if fact is e.ModelFailed else 2)

    skipping(story())


@pytest.mark.proves("L2", "L5", "L11")
def test_stopped_while_it_completes_over_a_message_a_slice_keeps_what_the_model_has_said(tmp_path: Path) -> None:
    """Its end is refused, its answer is not: nobody pays for it again, and whoever goes on knows it."""

    async def story() -> None:
        store, ending = Meanwhile(), asyncio.Event()

        async def hang() -> None:
            await world.say(run, "or red")
            ending.set()
            await asyncio.Event().wait()

        def script(ask: Ask) -> Line:
            return f"blue, then red: {'blue' in str(ask.request.contents)}" if "or red" in str(ask.request.contents) else "blue"

        store.once("commit", hang, when=holds(e.RunCompleted), first=True)
        world = await World(tmp_path, model=script, around=store.around).open()
        run = await world.start("Paint")
        await ending.wait()
        await world.reopen()
        ended = await world.ended(run)
        assert (ended.result, ended.usage.llm_calls) == ("blue, then red: True", 2)
        assert not [event for event in await world.events(run) if isinstance(event, e.ModelFailed)]
        await world.close()

    skipping(story())


@pytest.mark.proves("L3", "L4")
def test_a_wake_for_a_slice_that_is_just_leaving_starts_no_other(tmp_path: Path) -> None:
    """Whoever holds the lease is asked for first: a run that was at work then, and is not now, was left in order."""

    async def story() -> None:
        store, begun, go, left = Meanwhile(), asyncio.Event(), asyncio.Event(), asyncio.Event()

        @tool(effect="read")
        async def mix(ctx: ToolContext) -> str:
            """Mix the paint."""
            begun.set()
            await go.wait()
            return "mixed"

        async def leave() -> None:
            store.after.clear()
            store.once("commit", gone, when=leaves)
            go.set()
            await left.wait()

        async def gone() -> None:
            left.set()

        script = [call("mix"), call("wait", until="6h"), "done"]
        async with World(tmp_path, model=script, tools=[mix, wait], around=store.around) as world:
            run = await world.start("Paint")
            await begun.wait()
            for read in ("get", "lease"):
                store.once(read, leave)
            await dispatch(world.host.engine, run)
            await world.after(MINUTE)
            assert (await world.outline(run)).count("SliceStarted") == 1

    skipping(story())


@pytest.mark.proves("L4")
def test_a_sweep_that_could_not_read_the_store_is_not_the_last(tmp_path: Path) -> None:
    async def story() -> None:
        store = Meanwhile()

        async def fail() -> None:
            raise Unavailable("the disk is busy")

        async with World(tmp_path, around=store.around, sweep_every=MINUTE) as world:
            queue: Any = world.services.queue
            queue.on_wake(lambda _: asyncio.sleep(0))  # no wake leads anywhere
            store.once("due", fail)
            run = await world.start("Paint")
            assert (await world.ended(run, patience=10 * MINUTE)).status == "completed"
            assert world.now() - START == 2 * MINUTE

    skipping(story())


@pytest.mark.proves("L3")
def test_a_wake_is_a_hint_also_where_the_slice_it_is_for_cannot_look(tmp_path: Path) -> None:
    """What was written is written: whoever wrote it hears of no trouble that the slice has with its inbox."""

    async def story() -> None:
        store, tries = Meanwhile(), list[int]()

        async def fail() -> None:
            raise Unavailable("the disk is busy")

        @tool(effect="read")
        async def mix(ctx: ToolContext) -> str:
            """Mix the paint."""
            tries.append(1)
            store.once("inbox", fail)
            await world.host.engine.wake(ctx.run.id)
            return "mixed"

        async with World(tmp_path, model=[call("mix"), "done"], tools=[mix], around=store.around) as world:
            run = await world.start("Paint")
            assert (await world.ended(run)).result == "done"
            assert tries == [1]

    skipping(story())


@pytest.mark.proves("L3")
def test_a_post_that_does_not_arrive_outlives_no_process(tmp_path: Path) -> None:
    """Closing waits a while for it; then it is broken off, and goes out when the folder is opened again."""

    async def story() -> None:
        begun, broken_off = asyncio.Event(), list[str]()

        async def deliver(post: str) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                broken_off.append(post)

        world = await World(tmp_path).open()
        world.host.engine.deliver = deliver
        await world.services.queue.enqueue(f"{POST}_1", world.now())
        await begun.wait()
        await world.close()
        assert broken_off == [f"{POST}_1"]

    skipping(story())


@pytest.mark.proves("L6", "L7")
def test_a_tool_whose_time_is_over_while_a_call_of_its_own_is_written_down_has_timed_out(tmp_path: Path) -> None:
    """The slice that writes it finds nobody waiting for that, and goes on."""

    async def story() -> None:
        store = Meanwhile()

        @tool(effect="idempotent", timeout=MINUTE, calls_tools=True)
        async def both(ctx: ToolContext) -> str:
            """Look twice."""
            await ctx.call_tool(1, "look", {})
            return "looked"

        @tool(effect="read")
        async def look(ctx: ToolContext) -> str:
            """Look."""
            return "seen"

        async with World(tmp_path, model=[call("both"), "done"], tools=[both, look], around=store.around) as world:

            async def take_long() -> None:
                await world.after(2 * MINUTE)

            store.once("commit", take_long, when=holds(e.CallAnswered))
            run = await world.start("Paint")
            ended = await world.ended(run)
            answers = [event for event in await world.events(run) if isinstance(event, e.CallAnswered)]
            assert [(one.tool, one.error) for one in answers] == [("look", None), ("both", "timeout")]
            assert (ended.result, (await world.outline(run)).count("SliceStarted")) == ("done", 1)

    skipping(story())


@pytest.mark.proves("L11")
def test_what_is_spent_while_the_books_are_written_is_in_the_books(tmp_path: Path) -> None:
    """Two runs of one owner: one takes its part of the limit as the other one pays."""

    async def story() -> None:
        store, limit = Meanwhile(), SpendLimit(credits=1_000)
        async with World(tmp_path, around=store.around, spend_limit=limit) as world:
            spending = world.host.engine.spending
            runs = [newborn(run_id=f"run_{name}", owner="ann").run for name in "ab"]

            def paid(credits: int) -> tuple[e.AnyEvent, ...]:
                return (e.CallAnswered(call="call_1", tool="look", output="", credits=credits),)

            async def pay() -> None:
                spending.spent(runs[0], paid(70))

            assert await spending.room("ann", "run_a", lambda: 100) is None
            store.once("put", pay)
            assert await spending.room("ann", "run_b", lambda: 200) is None
            spending.spent(runs[1], paid(30))
            standing = await spending.standing("ann")
            assert standing and standing.spent == 100
            for run in runs:
                await spending.left("ann", run.id)
            standing = await spending.standing("ann")
            assert standing and (standing.spent, standing.held) == (100, 0)

    skipping(story())


@pytest.mark.proves("L3", "L15")
def test_a_run_that_is_stored_is_made_though_it_cannot_be_woken(tmp_path: Path) -> None:
    """Whoever asked for it would ask again, and have two; the sweep finds it."""

    async def story() -> None:
        async with World(tmp_path, sweep_every=MINUTE) as world:
            queue: Any = world.services.queue
            enqueue = queue.enqueue

            async def full(run: str, at: datetime) -> None:
                queue.enqueue = enqueue
                raise RateLimited("too many wakes")

            queue.enqueue = full
            made = await Desk(world.host.engine).create(NewRun(input="Paint", mode="deep"))
            assert (await world.ended(made.id)).status == "completed"
            assert world.now() - START == MINUTE

    skipping(story())
