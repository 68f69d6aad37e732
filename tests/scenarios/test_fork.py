"""Forks: another future for a recorded past, in which nothing is paid or sent twice. And the end of a run for good."""

from __future__ import annotations

from datetime import timedelta

import pytest

from auteryn.errors import Corrupt, Invalid, NotFound, WrongState
from auteryn.policy.gates import ALLOW
from auteryn.schema import event as e
from auteryn.service.asks import Question
from auteryn.service.desk import Desk
from auteryn.service.fork import Fork
from auteryn.service.new import NewRun, drafts
from auteryn.testing.clock import skipping
from auteryn.testing.laws import broken_laws
from auteryn.testing.scenarios import given
from auteryn.testing.scripted import call
from auteryn.testing.world import World
from auteryn.tools.calculate import calculate
from auteryn.tools.deliver import artifact_publish
from auteryn.tools.files import file_write
from auteryn.tools.human import ask_approval
from auteryn.tools.notes import note_write
from auteryn.tools.script import script_run
from auteryn.tools.tool import tool
from scenarios.test_lost_child import damage

SECRET = "marzipan-7f3a"


class Mail:
    """A post office that counts."""

    def __init__(self) -> None:
        self.sent = list[str]()
        sent = self.sent

        @tool(effect="once", target=lambda args: args["to"])
        async def send_mail(to: str) -> str:
            """Send a mail."""
            sent.append(to)
            return "sent"

        @tool(effect="read", cost=3_000)
        async def look(what: str) -> str:
            """Look something up."""
            sent.append(f"looked at {what}")
            return f"{what} is blue"

        self.tools = [send_mail, look]


def looking_then_mailing(ask):
    if ask.turn == 0:
        return call("look", what="sky")
    if ask.turn == 1:
        return call("send_mail", to="ann")
    return f"{ask.task}: {ask.last}"


@pytest.mark.proves("P35", "P38", "L9")
def test_a_fork_keeps_what_was_recorded_for_nothing_and_sends_nothing_until_somebody_allows_it(tmp_path):
    async def story() -> None:
        mail = Mail()
        async with World(tmp_path, model=looking_then_mailing, tools=mail.tools) as world:
            desk = Desk(world.host.engine)
            old = await desk.create(NewRun(input="Tell ann", mode="deep", approve="auto"))
            ended = await world.ended(old.id)
            assert mail.sent == ["looked at sky", "ann"] and ended.usage.credits.tools == 4_000
            looked = next(
                one.seq for one in await world.journal(old.id) if "look" in str(one.events) and "CallAnswered" in str(one)
            )

            fork = await desk.fork(old.id, Fork(after=looked, input="Tell bob, not ann"))
            waits = await world.waiting(fork.id)
            assert mail.sent == ["looked at sky", "ann"], "the look was recorded, the mail waits"
            assert [one.subject and one.subject.tool for one in waits.asks] == ["send_mail"]
            assert waits.usage.credits.tools == 0 and waits.usage.tool_calls == 0
            await desk.answer(waits.asks[0].id, ALLOW)
            end = await world.ended(fork.id)
            assert mail.sent == ["looked at sky", "ann", "ann"]
            assert end.result and end.result.startswith("Tell bob, not ann: ")
            assert (end.labels["fork_of"], (await desk.get(old.id))) == (old.id, ended)

            free = await desk.fork(old.id, Fork(after=looked, effects="free"))
            await world.ended(free.id)
            assert mail.sent[-1] == "ann" and len(mail.sent) == 4

            calls = world.model.calls  # pyright: ignore[reportAttributeAccessIssue]
            retold = await desk.fork(old.id, Fork(message="In French, please"))
            assert "In French, please" in ((await world.ended(retold.id)).result or "")
            assert world.model.calls == calls + 1, "only the last answer is given anew"  # pyright: ignore[reportAttributeAccessIssue]
            assert len(mail.sent) == 4
            told = [await world.journal(one.id) for one in (old, fork, free, retold)]
            commits = [entry.commit for journal in told for entry in journal]
            assert len(set(commits)) == len(commits), "erasing one takes no entry's bytes from another"
            for run in (fork, free, retold):
                assert await broken_laws(world, run.id) == []
                detail = (await desk.credits(run.id, detail=True))["detail"]
                assert detail["credits"] == (await desk.get(run.id)).usage.credits.total / 1000, "no line tells of the past"

    skipping(story())


def test_a_fork_at_every_entry_comes_to_its_end_and_every_event_is_a_place_to_begin(tmp_path):
    def script(ask):
        if ask.turn == 0:
            return [call("look", what="sky"), call("ask_approval", message="Which one?", options=["A", "B"])]
        if ask.turn == 1:
            return call("note_write", section="findings", text="It is chosen.")
        return "all done"

    async def story() -> None:
        mail = Mail()
        async with World(tmp_path, model=script, tools=[*mail.tools, ask_approval, note_write]) as world:
            desk = Desk(world.host.engine)
            old = (await desk.create(NewRun(input="Choose", mode="deep"))).id
            await desk.answer((await world.asked(old)).asks[0].id, "A")
            await world.ended(old)
            places = [one.seq for one in await world.journal(old)]
            places += [event.id async for event in desk.events(old) if not event.delta][::3]
            for place in places:
                fork = (await desk.fork(old, Fork(after=place))).id
                waits = await world.asked(fork)
                if waits.asks:
                    assert waits.asks[0].id not in {ask.id for ask in await desk.asks(old, open_only=False)}
                    await desk.answer(waits.asks[0].id, "B")
                assert (await world.ended(fork)).result == "all done", place
                assert (await desk.scratchpad(fork))["findings"]
                events = [event async for event in desk.events(fork)]
                assert events[-1].data["result"] == "all done" and len({event.id for event in events if not event.delta}) > 5

    skipping(story())


@pytest.mark.proves("L6", "L7")
def test_a_fork_in_the_middle_of_a_script_takes_over_the_answers_its_calls_had(tmp_path):
    def script(ask):
        code = 'sky = look(what="sky")\nsend_mail(to="ann")\nsea = look(what="sea")\nsky + " " + sea'
        return call("script_run", code=code) if ask.turn == 0 else ask.new_results[0][1]["output"]["result"]

    async def story() -> None:
        mail = Mail()
        async with World(tmp_path, model=script, tools=[*mail.tools, script_run]) as world:
            desk = Desk(world.host.engine)
            old = (await desk.create(NewRun(input="Look twice", mode="deep"))).id
            await world.ended(old)
            answered = 0
            for entry in await world.journal(old):
                answered += sum(isinstance(event, e.CallAnswered) and bool(event.within) for event in entry.events)
                mail.sent.clear()
                fork = (await desk.fork(old, Fork(after=entry.seq, effects="free"))).id
                assert (await world.ended(fork)).result == "sky is blue sea is blue", "what was begun there is begun anew"
                assert len(mail.sent) == 3 - answered, f"after entry {entry.seq}"
                assert await broken_laws(world, fork) == []

    skipping(story())


def test_a_fork_of_a_plan_pays_for_the_steps_that_follow_and_no_other(tmp_path):
    async def story() -> None:
        done = list[str]()

        def script(ask):
            done.append(ask.task[:6])
            return f"{ask.task[:6]} is done"

        async with World(tmp_path, model=script) as world:
            desk = Desk(world.host.engine)
            steps = drafts([{"description": f"step {n}", "depends_on": [n - 1] if n > 1 else []} for n in range(1, 7)])
            old = (await desk.create(NewRun(input="Six steps", steps=steps))).id
            whole = await world.ended(old)
            third = next(
                one.seq
                for one in await world.journal(old)
                for event in one.events
                if isinstance(event, e.StepsEnded) and event.steps[0].step == 3
            )
            done.clear()
            fork = (await desk.fork(old, Fork(after=third))).id
            end = await world.ended(fork)
            assert [task for task in done if task.startswith("step")] == ["step 4", "step 5", "step 6"]
            assert end.plan and [step.result for step in end.plan.steps] == [f"step {n} is done" for n in range(1, 7)]
            assert 0 < end.usage.credits.total < whole.usage.credits.total
            assert (await desk.run_of_plan(end.plan.id)).id == old, "a plan's own run is the one that made it"
            assert await broken_laws(world, fork) == []

    skipping(story())


@pytest.mark.proves("L15")
def test_what_cannot_be_forked_is_refused_and_leaves_nothing(tmp_path):
    async def story() -> None:
        async with World(tmp_path, model=["done"]) as world:
            desk, other = Desk(world.host.engine), Desk(world.host.engine, "mallory")
            old = (await desk.create(NewRun(input="Do it", steps=drafts([{"description": "a"}])))).id
            await world.ended(old)
            question = await desk.ask(Question(message="Go?", options=("Yes",)))
            step = (await desk.children(old)).runs[0].id
            for where, wanted, error in (
                (old, Fork(after=0), Invalid),
                (old, Fork(after=10_000), Invalid),
                (old, Fork(after="1-nonsense"), Invalid),
                (old, Fork(input=" "), Invalid),
                (step, Fork(), WrongState),
                (question.id, Fork(), WrongState),
                ("run_nothing", Fork(), NotFound),
            ):
                with pytest.raises(error):
                    await desk.fork(where, wanted)
            with pytest.raises(NotFound):
                await other.fork(old, Fork())
            once = [(await desk.fork(old, Fork(key="k"))).id for _ in range(3)]
            assert len(set(once)) == 1
            with pytest.raises(WrongState, match="idempotency"):
                await desk.fork(old, Fork(key="k", message="else"))
            folders = {path.name for path in (tmp_path / "files").iterdir()} if (tmp_path / "files").exists() else set()
            assert folders <= {old, once[0]}

    skipping(story())


# ---- for good --------------------------------------------------------------------------------------------------


@pytest.mark.proves("L15")
def test_of_an_erased_run_no_byte_is_left_in_the_home(tmp_path):
    def script(ask):
        if ask.task == "step" or ask.turn:
            return f"{SECRET} is the answer"
        body = [call("file_write", path="a.txt", content=SECRET * 20), call("note_write", section="x", text=SECRET)]
        return [*body, call("ask_approval", message=f"Is it {SECRET}?", options=["Yes"])] if "tell" in ask.task else body

    async def story() -> None:
        tools = [file_write, note_write, ask_approval, artifact_publish]
        async with World(tmp_path, model=script, tools=tools) as world:
            desk = Desk(world.host.engine)
            kept = (await desk.create(NewRun(input="Leave me alone", mode="deep"))).id
            run = (await desk.create(NewRun(input=f"tell {SECRET}", mode="deep", labels={"s": SECRET}, key="k"))).id
            plan = (await desk.create(NewRun(input=SECRET, steps=drafts([{"description": "step"}])))).id
            await desk.answer((await world.asked(run)).asks[0].id, "Yes")
            ask = (await desk.asks(run, open_only=False))[0].id
            with pytest.raises(WrongState, match="cancel it first"):
                await desk.erase((await desk.ask(Question(message="Go?", options=("Yes",)))).id)
            await world.ended(plan)
            with pytest.raises(WrongState, match="belongs to"):
                await desk.erase((await desk.children(plan)).runs[0].id)
            await world.ended(run)
            await world.ended(kept)
            with pytest.raises(NotFound):
                await Desk(world.host.engine, "mallory").erase(run)
            for one, runs in ((run, 1), (plan, 2)):
                erased = await desk.erase(one)
                assert (len(erased.runs), erased.leftovers) == (runs, ())
                with pytest.raises(NotFound):
                    await desk.erase(one)
            with pytest.raises(NotFound):
                await desk.answer(ask, "Yes")
            assert await world.services.store.docs("note", run) == []
            assert (await desk.get(kept)).status == "completed"
            await world.services.store.erase(kept)
            anew = await desk.create(NewRun(input="else", mode="deep", key="k"))
            assert anew.id != run
            await world.ended(anew.id)
            await world.services.store.erase(anew.id)
        left = [str(path) for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
        assert [path for path in left if "/files/" not in path] == []

    skipping(story())


def test_a_published_file_stays_while_another_run_has_the_same_bytes(tmp_path):
    def script(ask):
        contents = ["the same", "other"] if given(ask).startswith("Publish twice") else ["the same"]
        if ask.turn == 2 * len(contents):
            return "published"
        if ask.turn % 2 == 0:
            return call("file_write", path="a.txt", content=contents[ask.turn // 2], mode="overwrite")
        return call("artifact_publish", path="a.txt")

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[file_write, artifact_publish]) as world:
            desk = Desk(world.host.engine)
            one, two = [(await desk.create(NewRun(input=said, mode="deep"))).id for said in ("Publish", "Publish twice")]
            [older] = (await world.ended(one)).artifacts
            [newest] = (await world.ended(two)).artifacts
            erased = await desk.erase(one)
            assert (erased.blobs, erased.shared_blobs) == (0, 1)
            assert await desk.artifact(two, "a.txt") == b"other"
            assert await world.services.blobs.has(older.sha256)
            assert (await desk.erase(two)).blobs == 2
            assert not await world.services.blobs.has(older.sha256)
            assert not await world.services.blobs.has(newest.sha256)

    skipping(story())


def test_a_published_file_stays_while_a_run_at_work_has_just_published_the_same_bytes(tmp_path):
    @tool(effect="read", timeout=timedelta(days=1))
    async def rest(ctx, hours: float) -> str:
        """Rest for some hours."""
        await ctx.clock.sleep(timedelta(hours=hours))
        return "rested"

    def script(ask):
        before = 12 if given(ask).startswith("Work long") else 0
        if ask.turn < before:
            return call("calculate", expression=f"{ask.turn} + 1")
        after = [call("file_write", path="a.txt", content="the same"), call("artifact_publish", path="a.txt")]
        return [*after, *([call("rest", hours=9)] if before else []), "published"][ask.turn - before]

    async def story() -> None:
        tools = [calculate, file_write, artifact_publish, rest]
        async with World(tmp_path, model=script, tools=tools) as world:
            desk = Desk(world.host.engine)
            one = (await desk.create(NewRun(input="Publish", mode="deep"))).id
            await world.ended(one)
            two = (await desk.create(NewRun(input="Work long and publish", mode="deep"))).id
            await world.services.clock.sleep(timedelta(hours=1))
            [listed] = [run for run in (await desk.runs()).runs if run.id == two]
            assert not listed.artifacts and (await desk.get(two)).artifacts, "it has published since it was summarised"
            erased = await desk.erase(one)
            assert (erased.blobs, erased.shared_blobs) == (0, 1)
            await world.ended(two)
            assert await desk.artifact(two, "a.txt") == b"the same"

    skipping(story())


@pytest.mark.proves("F29")
def test_a_run_that_nobody_can_read_keeps_no_other_from_being_erased_and_its_file(tmp_path):
    """As one whose old bytes the bucket has deleted: what is known of it without its journal still counts."""

    def script(ask):
        before = 12 if given(ask).startswith("Work long") else 0
        if ask.turn < before:
            return call("calculate", expression=f"{ask.turn} + 1")
        return [call("file_write", path="a.txt", content="the same"), call("artifact_publish", path="a.txt"), "published"][
            ask.turn - before
        ]

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[calculate, file_write, artifact_publish]) as world:
            desk = Desk(world.host.engine)
            two = await world.ended((await desk.create(NewRun(input="Work long and publish", mode="deep"))).id)
            one = await world.ended((await desk.create(NewRun(input="Publish", mode="deep"))).id)
            damage(world, two.id, "key & 16777215 = 3")
            await world.reopen()
            desk = Desk(world.host.engine)
            with pytest.raises(Corrupt):
                await world.services.store.journal(two.id)
            erased = await desk.erase(one.id)
            assert (erased.leftovers, erased.shared_blobs) == ((), 1)
            assert await world.services.blobs.get(two.artifacts[0].sha256) == b"the same"
            erased = await desk.erase(two.id)  # and it goes itself, as far as it can be read
            assert (erased.leftovers, erased.blobs) == ((), 1)

    skipping(story())
