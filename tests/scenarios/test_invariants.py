"""What holds of every run there is, asked of stories that between them hold every event: forks, bundles, erasing, figures."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from auteryn.adapters.embedded.packing import unpacked
from auteryn.errors import NotFound, WrongState
from auteryn.runtime.memory import remembered
from auteryn.schema import event as e
from auteryn.schema.change import Newborn
from auteryn.schema.fold import after, born
from auteryn.schema.plan import StepDraft
from auteryn.schema.record import to_json
from auteryn.schema.run import FileCheck, Run, Usage
from auteryn.service.desk import Desk
from auteryn.service.fork import Fork
from auteryn.service.logs import kind_of
from auteryn.service.new import NewRun
from auteryn.service.progress import metrics, progress, standing
from auteryn.testing.clock import skipping
from auteryn.testing.laws import broken_laws, stranded
from auteryn.testing.scenarios import Scenario, given
from auteryn.testing.scripted import Ask, Line, call, safety
from auteryn.testing.world import World
from auteryn.tools.deliver import artifact_publish
from auteryn.tools.files import file_write
from auteryn.tools.tool import ToolContext, tool
from scenarios.stories import STORIES, finish

PLACES = 12
"""Where a long journal is forked, at most; every entry of a short one."""
each_story = pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())


def world_of(story: Scenario, home: Path) -> World:
    return World(home, model=story.model(), tools=story.tools, **story.settings)


@asynccontextmanager
async def played(story: Scenario, folder: Path) -> AsyncGenerator[tuple[World, Desk, str]]:
    async with world_of(story, folder / "home") as world:
        yield world, Desk(world.host.engine), await story.play(world)


def spread(places: Sequence[int]) -> Sequence[int]:
    return places[:: -(-len(places) // PLACES)]


def states(entries: Sequence[e.Entry]) -> list[tuple[Run, datetime]]:
    """The run after each entry."""
    found = [born(entries[0])]
    for entry in entries[1:]:
        found.append(after(found[-1], entry))
    return [(run, entry.at) for run, entry in zip(found, entries, strict=True)]


def test_every_event_there_is_happens_in_a_story(tmp_path: Path) -> None:
    seen = set[type]()

    async def look(story: Scenario) -> None:
        async with played(story, tmp_path / story.name) as (world, _, run):
            for one in await world.tree(run):
                seen.update(map(type, await world.events(one.id)))

    for story in STORIES.values():
        skipping(look(story))
    assert {one.__name__ for one in get_args(e.AnyEvent)} == {one.__name__ for one in seen}


# ---- forks -----------------------------------------------------------------------------------------------------


@pytest.mark.proves("L6", "L7", "L11", "L12")
@each_story
def test_a_fork_anywhere_is_a_run_of_its_own_and_comes_to_an_end(tmp_path: Path, story: Scenario) -> None:
    async def told() -> None:
        async with played(story, tmp_path) as (world, desk, old):
            entries = await world.journal(old)
            names = names_of(old, entries)
            for seq in spread(range(1, len(entries) + 1)):
                fork = (await desk.fork(old, Fork(after=seq))).id
                past = said(await world.journal(fork), fork_of=old)
                assert [name for name in names if name in past] == [], f"after entry {seq}"
                begun = await world.run(fork)
                assert not (begun.asks or begun.shares or begun.digests or begun.budget_near or begun.thrifty)
                assert begun.usage == Usage() and not begun.concluding
                await remembered(world.services.store, begun)
                ended = await finish(world, fork)
                assert ended.failure is None or ended.failure.reason in ("deliverable_missing",), f"after entry {seq}"
                assert await broken_laws(world, fork) == [], f"after entry {seq}"
                await all_agrees(world, desk, fork)
                journal, told = await world.journal(fork), await stream(desk, fork)
                follows(states(journal), journal)
                since = {event.run for event in told if event.at > entries[seq - 1].at}
                assert since <= {one.id for one in await world.tree(fork)}, f"after entry {seq}"
                asks = {event.data["id"]: event.data["state"] for event in told if event.kind == "ask"}
                assert "open" not in asks.values(), f"after entry {seq}"

    skipping(told())


def names_of(run: str, entries: Sequence[e.Entry]) -> set[str]:
    """The ids that stand for something of this very run: itself, its calls, its questions."""
    found = {run}
    for event in e.facts(entries):
        match event:
            case e.ModelAnswered():
                found.update(e.calls_of(run, event))
            case e.CallStarted() | e.CallAnswered():
                found.add(event.call)
            case e.AskOpened():
                found.add(event.ask.id)
            case _:
                pass
    return found


def said(entries: Sequence[e.Entry], fork_of: str) -> str:
    """These entries as text, but for where a fork says whose it is."""
    facts = [event for event in e.facts(entries) if not isinstance(event, e.Forked)]
    return to_json(facts).decode().replace(f'"fork_of":"{fork_of}"', "")


@pytest.mark.proves("P35")
def test_a_fork_keeps_what_its_past_made_when_the_other_run_is_erased(tmp_path: Path) -> None:
    async def told() -> None:
        async with played(STORIES["plan"], tmp_path) as (world, desk, old):
            fork = (await finish(world, (await desk.fork(old, Fork())).id)).id
            before = await view(desk, fork)
            assert before["files"]["report.md"] == b"# A and B\n"
            assert (await desk.erase(old)).shared_blobs == 1
            now = await view(desk, fork)
            told = [(one.kind, one.data) for one in before.pop("events") if one.run == fork]
            assert [(one.kind, one.data) for one in now.pop("events")] == told
            assert now == before
            bundle = await desk.export(fork)
        async with World(tmp_path / "else") as elsewhere:
            desk = Desk(elsewhere.host.engine)
            assert (await desk.take_in(bundle)).id == fork
            assert (await view(desk, fork))["files"] == before["files"]
            assert [one.artifact.path for one in await desk.versions(fork, "report.md")] == ["report.md"]

    skipping(told())


@pytest.mark.proves("P53")
@each_story
def test_a_run_that_failed_or_was_cancelled_is_tried_again_to_an_end(tmp_path: Path, story: Scenario) -> None:
    async def told() -> None:
        async with played(story, tmp_path) as (world, desk, old):
            entries = await world.journal(old)
            for seq in spread(range(1, len(entries) + 1)):
                fork = (await desk.fork(old, Fork(after=seq))).id
                with suppress(WrongState):  # it is quicker
                    await desk.cancel(fork)
                cancelled = await world.ended(fork)
                if cancelled.status == "completed":
                    continue
                await all_agrees(world, desk, fork)
                again = await finish(world, (await desk.retry(fork)).id)
                assert again.title == cancelled.title
                assert again.status == ((story.name == "undone" and "failed") or "completed")
                assert await broken_laws(world, again.id) == []
                await all_agrees(world, desk, again.id)

    skipping(told())


@pytest.mark.proves("L6", "P53")
def test_whoever_begins_with_the_steps_of_another_run_has_what_they_sent_and_published(tmp_path: Path) -> None:
    sent = list[str]()

    @tool(effect="once", recipients=lambda args: (args["to"],), target=lambda args: args["to"])
    async def send(ctx: ToolContext, to: str) -> str:
        """Send."""
        sent.append(to)
        return "sent"

    def script(ask: Ask) -> Line:
        if given(ask) == "tell":
            body = [call("file_write", path="a.txt", content="a"), call("artifact_publish", path="a.txt")]
            return [*body, call("send", to="a@b.c"), "told"][ask.turn]
        if given(ask) == "fail":
            return "mended" if ask.attempt else safety()
        return "all is told" if "mended" in str(ask.request.contents) else safety()

    async def told() -> None:
        async with World(tmp_path, model=script, tools=[file_write, artifact_publish, send]) as world:
            desk = Desk(world.host.engine)
            steps = (StepDraft(description="tell"), StepDraft(description="fail", depends_on=(1,)))
            first = NewRun(input="Tell a@b.c", steps=steps, approve="auto", deliverables=(FileCheck(path="mailto:a@b.c"),))
            failed = await world.ended((await desk.create(first)).id)
            assert failed.status == "failed" and sent == ["a@b.c"]
            journal = await world.journal(failed.id)
            first_end = next(one.seq for one in journal if any(isinstance(event, e.StepsEnded) for event in one.events))
            fork = await finish(world, (await desk.fork(failed.id, Fork(after=first_end))).id)
            again = await finish(world, (await desk.retry(failed.id)).id)
            for run in (fork, again):
                assert (run.status, run.verdicts and run.verdicts[0].ok) == ("completed", True)
                assert await desk.artifact(run.id, "a.txt") == b"a"
            assert sent == ["a@b.c"]
            await desk.erase(failed.id)
            assert await desk.artifact(fork.id, "a.txt") == await desk.artifact(again.id, "a.txt") == b"a"

    skipping(told())


@pytest.mark.proves("P37")
def test_a_fork_that_is_cancelled_and_tried_again_is_found_by_its_plan(tmp_path: Path) -> None:
    async def told() -> None:
        async with played(STORIES["budget"], tmp_path) as (world, desk, old):
            fork = (await desk.fork(old, Fork(after=2))).id
            await desk.cancel(fork)
            assert (await world.ended(fork)).status == "cancelled"
            again = await finish(world, (await desk.retry(fork)).id)
            assert again.plan and (await desk.run_of_plan(again.plan.id)).id == again.id
            assert again.labels == {"retry_of": fork}

    skipping(told())


# ---- figures ---------------------------------------------------------------------------------------------------


async def all_agrees(world: World, desk: Desk, root: str) -> None:
    """Every figure of a tree says the same as its journals."""
    for run in await world.tree(root):
        entries = await world.journal(run.id)
        used, spec = await desk.usage(run), await desk.credits(run.id, detail=True)
        detail, figures = spec["detail"], await desk.metrics(run.id)
        assert sum(spec["breakdown"].values()) == spec["total_credits"] == figures["credits_consumed"]
        assert figures["llm_calls"] == used.llm_calls and figures["tool_calls"] == used.tool_calls
        assert figures["tokens_used"] == used.tokens.total
        charged = [line for line in detail["causes"] if line["name"] != "platform fault"]
        for lines in (detail["steps"], detail["tools"], detail["models"], charged):
            assert round(1000 * sum(line["credits"] for line in lines)) == used.credits.total
        for what in ("llm_calls", "tool_calls", "tokens"):
            sums = {name: sum(line[what] for line in detail[name]) for name in ("steps", "tools", "models")}
            assert len(set(sums.values())) == 1, (what, sums)
        assert sum(line["llm_calls"] for line in detail["causes"]) == used.llm_calls
        assert sum(line["tool_calls"] for line in detail["causes"]) == used.tool_calls
        lines = await desk.logs(run.id, "debug")
        assert [line.kind for line in lines] == [kind_of(event) for event in e.facts(entries)]
        assert [line.seq for line in lines] == [entry.seq for entry in entries for _ in entry.events]


@pytest.mark.proves("P47", "P48", "P49", "L12")
@each_story
def test_whatever_is_said_of_a_run_agrees_with_its_journal(tmp_path: Path, story: Scenario) -> None:
    async def told() -> None:
        async with played(story, tmp_path) as (world, desk, root):
            assert await broken_laws(world, root) == []
            await all_agrees(world, desk, root)
            for run in await world.tree(root):
                entries = await world.journal(run.id)
                follows(states(entries), entries)
            whole = await stream(desk, root)
            assert len({event.id for event in whole}) == len(whole)
            for at in spread(range(len(whole))):
                assert [event async for event in desk.events(root, whole[at].id)] == whole[at + 1 :]

    skipping(told())


def follows(seen: Sequence[tuple[Run, datetime]], entries: Sequence[e.Entry]) -> None:
    """After every entry there is something to say of the run, and it only moves on."""
    done, day = 0, 0
    for (run, at), entry in zip(seen, entries, strict=True):
        told, shown = standing(run, at), progress(run)
        assert told.detail and told.why and told.status
        assert 0 <= shown["current_step"] <= shown["total_steps"] == len(shown["steps"])
        assert day <= told.day <= told.days and told.step <= told.steps
        if not any(isinstance(event, e.PlanCreated | e.Forked) for event in entry.events):
            assert told.step >= done
        done, day = told.step, told.day
        assert metrics(run, run.usage, at)["duration"]
        for one in run.schedules:
            if not any(isinstance(event, e.ScheduleEnded) for event in e.facts(entries)):
                assert one.next_index == one.ended + one.skipped + len(one.running) <= one.ticks


# ---- out, in, and away -----------------------------------------------------------------------------------------


async def stream(desk: Desk, run: str) -> list[Any]:
    return [event async for event in desk.events(run) if not event.delta]


async def view(desk: Desk, run: str) -> dict[str, Any]:
    """Everything that can be read of an ended run."""
    artifacts = await desk.artifacts(run)
    return {
        "progress": await desk.progress(run),
        "metrics": await desk.metrics(run),
        "credits": await desk.credits(run, detail=True),
        "logs": await desk.logs(run, "debug"),
        "events": await stream(desk, run),
        "artifacts": artifacts,
        "files": {one.path: await desk.artifact(run, one.path) for one in artifacts},
        "versions": [await desk.versions(run, one.path) for one in artifacts],
        "notes": await desk.scratchpad(run),
        "asks": await desk.asks(run, open_only=False),
        "why": await desk.why_waiting(run),
    }


@pytest.mark.proves("P35", "P37", "P38", "P40")
@each_story
def test_a_bundle_shows_the_same_elsewhere_whenever_it_was_made(tmp_path: Path, story: Scenario) -> None:
    async def told() -> None:
        async with played(story, tmp_path) as (world, desk, root):
            before, bundle = await view(desk, root), await desk.export(root)
            journals = {run.id: await world.journal(run.id) for run in await world.tree(root)}
            published = list(before["files"].values())
        async with World(tmp_path / "else") as elsewhere:
            desk = Desk(elsewhere.host.engine)
            assert (await desk.take_in(bundle)).id == root
            assert await view(desk, root) == before
        times = sorted({entry.at for entries in journals.values() for entry in entries})
        for number, until in enumerate(times[:: -(-len(times) // 4)]):
            there = await World(tmp_path / f"then {number}").open(hosting=False)
            alike = await stood_at(there, journals, until)
            for body in published:
                await there.services.blobs.put(body)
            bundle = await Desk(there.host.engine).export(root)
            await there.close()
            async with World(tmp_path / f"taken {number}") as elsewhere:
                desk = Desk(elsewhere.host.engine)
                taken = await desk.take_in(bundle)
                assert taken.terminal and (await view(desk, root))["why"]
                for run, entries in alike:
                    found = await elsewhere.run(run.id)
                    assert found.usage == run.usage and (await desk.progress(run.id))["steps"] == progress(run)["steps"]
                    there_now = await elsewhere.journal(run.id)
                    assert list(there_now)[: len(entries)] == entries and states(there_now)[-1][0] == found
                assert await stranded(elsewhere.services) == []

    skipping(told())


async def stood_at(world: World, journals: dict[str, Sequence[e.Entry]], until: datetime) -> list[tuple[Run, list[e.Entry]]]:
    """Put the tree there as it was at that moment."""
    found = list[tuple[Run, list[e.Entry]]]()
    for entries in journals.values():
        if past := [entry for entry in entries if entry.at <= until]:
            run = states(past)[-1][0]
            found.append((run, past))
            await world.services.store.create(Newborn(run=run, entry=past[0], past=tuple(past[1:])))
    return found


@pytest.mark.proves("L15")
@each_story
def test_of_an_erased_run_nothing_is_left(tmp_path: Path, story: Scenario) -> None:
    async def told() -> None:
        async with played(story, tmp_path) as (world, desk, root):
            names = set[str]()
            for run in await world.tree(root):
                names |= names_of(run.id, await world.journal(run.id))
            artifacts = await desk.artifacts(root)
            erased = await desk.erase(root)
            assert erased.leftovers == () and set(erased.runs) <= names
            assert not any([await world.services.blobs.has(one.sha256) for one in artifacts])
            with pytest.raises(NotFound):
                await desk.get(root)
            rows = everything(tmp_path / "home")
            assert [row for row in rows if any(name in str(row) for name in names)] == []
            assert not list((tmp_path / "home").rglob(f"*{root}*"))

    skipping(told())


def everything(home: Path) -> list[tuple[Any, ...]]:
    """Every row of every table of the home's database."""
    with closing(sqlite3.connect(next(home.glob("*.db*")))) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [(table, *row) for table in tables for row in database.execute(f"SELECT * FROM {table}")]
    return [tuple(unpacked(one, where=row[0]).decode() if isinstance(one, bytes) else one for one in row) for row in rows]
