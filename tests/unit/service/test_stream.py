"""The stream never forgets: from any point, live, across restarts, no gap and no duplicate."""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing
from datetime import timedelta

import msgspec
import pytest

from auteryn.runtime import marks
from auteryn.schema.human import Ask
from auteryn.schema.record import to_json
from auteryn.service import crowd
from auteryn.service.cursor import Position, read_cursor, written
from auteryn.service.feed import asked
from auteryn.service.new import NewRun, drafts
from auteryn.testing.clock import START, SkippingClock, skipping
from auteryn.testing.scripted import Say
from auteryn.tools.tool import tool

DIAMOND = drafts(
    [
        {"description": "a"},
        {"description": "b"},
        {"description": "c", "depends_on": [1, 2]},
        {"description": "d", "depends_on": [1]},
        {"description": "e", "depends_on": [3, 4]},
    ]
)


@tool(effect="read", timeout=timedelta(days=1))
async def rest(ctx, minutes: int) -> str:
    """Rest."""
    await ctx.clock.sleep(timedelta(minutes=minutes))
    return "rested"


def working(ask):
    """Each step rests a while of its own, twice."""
    done = len(ask.results.get("rest", []))
    return (
        f"done {ask.task[0]}"
        if done == 2 or "plan has ended" in ask.last
        else ask.call("rest", minutes=3 + 7 * ord(ask.task[0]) % 11)
    )


async def durable(desk, run, after=None, most=None):
    """What is not a delta, up to `most` events."""
    out = []
    async with aclosing(desk.events(run, after)) as events:
        async for event in events:
            if not event.delta:
                out.append(event)
            if len(out) == most:
                break
    return out


def ended(events, run):
    return bool(events) and (events[-1].run, events[-1].kind, events[-1].data.get("status")) == (run, "status", "completed")


def by_run(events):
    """(run → its events), without ids: the order within a run is the contract."""
    out = {}
    for event in events:
        out.setdefault(event.run, []).append((event.kind, event.at, event.data))
    return out


@pytest.mark.proves("L12", "P28", "P56")
def test_from_every_id_exactly_the_rest_is_replayed(opened):
    async def main():
        async with opened(working, tools=[rest]) as desk:
            run = await desk.create(NewRun(input="Do it", steps=DIAMOND))
            await desk.result(run.id)
            whole = await durable(desk, run.id)
            assert len(whole) > 60 and whole[-1].data["status"] == "completed"
            assert len({event.run for event in whole}) == 6
            assert len({event.id for event in whole}) == len(whole)
            for at, event in enumerate(whole):
                assert await durable(desk, run.id, event.id) == whole[at + 1 :]

    skipping(main())


@pytest.mark.proves("L12", "P8")
def test_a_live_stream_shows_what_a_replay_shows(opened):
    async def main():
        async with opened(working, tools=[rest]) as desk:
            run = await desk.create(NewRun(input="Do it", steps=DIAMOND))
            viewers = await asyncio.gather(*(durable(desk, run.id) for _ in range(3)))
            replay = await durable(desk, run.id)
            assert by_run(viewers[0]) == by_run(viewers[1]) == by_run(viewers[2]) == by_run(replay)

    skipping(main())


@pytest.mark.proves("L12", "P85")
@pytest.mark.parametrize("seed", range(5))
def test_a_viewer_who_is_cut_off_again_and_again_misses_nothing_and_sees_nothing_twice(opened, seed: int):
    chance = random.Random(seed)

    async def main():
        clock = SkippingClock()
        seen, cursor, run = [], None, None
        while not ended(seen, run):
            async with opened(working, tools=[rest], clock=clock) as desk:  # the home is closed and opened again each time
                run = run or (await desk.create(NewRun(input="Do it", steps=DIAMOND))).id
                for _ in range(3):
                    some = await durable(desk, run, cursor, most=chance.randint(1, 9))
                    seen += some
                    cursor = some[-1].id if some else cursor
                    if ended(some, run):
                        break
        async with opened(working, tools=[rest], clock=clock) as desk:
            assert by_run(seen) == by_run(await durable(desk, run))

    skipping(main())


@pytest.mark.proves("L12")
def test_a_childs_events_lie_between_its_start_and_its_end(opened):
    async def main():
        async with opened(working, tools=[rest]) as desk:
            run = await desk.create(NewRun(input="Do it", steps=DIAMOND))
            live = await durable(desk, run.id)
            for events in (live, await durable(desk, run.id)):
                for child in {event.run for event in events} - {run.id}:
                    [start] = [
                        n for n, ev in enumerate(events) if ev.data.get("run") == child and ev.data["status"] == "in_progress"
                    ]
                    [end] = [
                        n for n, ev in enumerate(events) if ev.data.get("run") == child and ev.data["status"] == "completed"
                    ]
                    own = [n for n, ev in enumerate(events) if ev.run == child]
                    assert start < own[0] and own[-1] < end

    skipping(main())


@pytest.mark.proves("L12")
@pytest.mark.parametrize(
    "cursor", ["", "17", "1-zzzzzz-3.0", "1-{tail}-99.0", "1-{tail}-2.0(1.0)", "1-{tail}-2.0(1.0", "0-{tail}-2.0"]
)
def test_an_unknown_id_gets_a_reset_with_a_snapshot_and_then_what_is_new(opened, cursor: str):
    async def main():
        clock = SkippingClock()
        async with opened(working, tools=[rest], clock=clock) as desk:
            run = await desk.create(NewRun(input="Do it", steps=DIAMOND))
            await clock.sleep(timedelta(minutes=5))
            events = await durable(desk, run.id, cursor.format(tail=run.id[-6:]))
            assert events[0].kind == "reset" and events[0].data["progress"]["total_steps"] == 5
            assert events[-1].data["status"] == "completed"
            assert all(event.at >= events[0].at for event in events)
            assert by_run(await durable(desk, run.id, events[3].id)) == by_run(events[4:])
            [only] = await durable(desk, run.id, "nonsense")
            assert only.data["status"] == "completed" and only.data["result"] == "done D"

    skipping(main())


@pytest.mark.proves("P27", "P28")
@pytest.mark.parametrize("wanted", [True, False])
def test_thoughts_are_streamed_before_the_message_or_appear_nowhere(opened, wanted: bool):
    async def main():
        async with opened(lambda ask: Say(text="It is 4.", thoughts="Let me break this down...")) as desk:
            run = await desk.create(NewRun(input="What is 2+2?", include_thoughts=wanted))
            events = [event async for event in desk.events(run.id)]
            kinds = [(event.kind, event.delta) for event in events if event.kind in ("thought", "message")]
            if wanted:
                assert kinds == [("thought", True), ("message", True), ("thought", False), ("message", False)]
                replay = [event for event in await durable(desk, run.id) if event.kind == "thought"]
                assert [event.data["text"] for event in replay] == ["Let me break this down..."]
            else:
                assert kinds == [("message", True), ("message", False)]
                journal = await desk._access.services.store.journal(run.id)
                assert b"break this down" not in to_json(journal) + to_json([event.data for event in events])

    skipping(main())


@pytest.mark.proves("P56", "P83")
def test_progress_counts_up_to_the_result(opened):
    async def main():
        async with opened(working, tools=[rest]) as desk:
            run = await desk.create(NewRun(input="Do it", steps=DIAMOND))
            progress = [event.data for event in await durable(desk, run.id) if event.kind == "task_progress"]
            assert [one["completed_steps"] for one in progress] == sorted(one["completed_steps"] for one in progress)
            assert {one["total_steps"] for one in progress} == {5}
            assert progress[1]["running_steps"] == [1, 2] and progress[1]["current_step"] == 1
            assert (progress[-1]["status"], progress[-1]["result"]) == ("completed", "done D")

    skipping(main())


def test_tool_calls_are_shown_with_their_results(opened):
    async def main():
        async with opened(lambda ask: "ok" if ask.results else ask.call("rest", minutes=1), tools=[rest]) as desk:
            run = await desk.create(NewRun(input="What is X?"))
            events = await durable(desk, run.id)
            [call] = [event.data for event in events if event.kind == "tool_call"]
            [result] = [event.data for event in events if event.kind == "tool_result"]
            assert (call["tool"], call["args"]) == ("rest", {"minutes": 1})
            assert (result["call"], result["output"], result["error"]) == (call["call"], "rested", None)

    skipping(main())


# ---- logs ----------------------------------------------------------------------------------------------------


@pytest.mark.proves("P84")
def test_a_level_lets_itself_and_everything_worse_through_in_the_journals_order(opened):
    async def main():
        async with opened(lambda ask: "ok" if ask.results else ask.call("nothing_of_the_kind"), tools=[rest]) as desk:
            run = await desk.create(NewRun(input="What is X?"))
            await desk.result(run.id)
            lines = {level: await desk.logs(run.id, level) for level in ("debug", "info", "warning", "error")}
            assert len(lines["debug"]) > len(lines["info"]) > len(lines["warning"]) > len(lines["error"]) == 0
            assert [line.level for line in lines["warning"]] == ["warning"]
            assert "nothing_of_the_kind failed: not_found" in str(lines["warning"][0])
            assert str(lines["info"][0]).startswith("2026-01-05 09:00:00Z INFO    created: 'What is X?' in FAST mode")
            seqs = [line.seq for line in lines["debug"]]
            assert seqs == sorted(seqs)
            paged, after = [], 0
            while page := await desk.logs(run.id, "debug", after=after, limit=2):
                paged += page
                after = page[-1].seq
            assert paged == lines["debug"]

    skipping(main())


@pytest.mark.proves("P85")
def test_the_log_is_followed_to_the_end_across_slices(opened):
    async def main():
        clock = SkippingClock()
        async with opened(working, tools=[rest], clock=clock) as desk:
            run = await desk.create(NewRun(input="Do it", steps=DIAMOND))
            tail = [line async for line in desk.log_tail(run.id, "debug")]
            assert tail == await desk.logs(run.id, "debug")
            assert sum(line.kind == "slice_started" for line in tail) > 2
            assert tail[-1].kind == "run_completed"

    skipping(main())


# ---- cursors -------------------------------------------------------------------------------------------------


def test_a_cursor_survives_being_written_and_belongs_to_one_run():
    position = Position(seq=12, index=3, children=(Position(seq=0), Position(seq=4, children=(Position(seq=1, index=1),))))
    cursor = written("run_abcdef", position)
    assert cursor == "1-abcdef-12.3(0.0,4.0(1.1))"
    assert read_cursor("run_abcdef", cursor) == position
    assert read_cursor("run_ghijkl", cursor) is None
    for broken in (cursor[:-1], cursor + ")", cursor + "1.0", "1-abcdef-", "1-abcdef-" + "1.0(" * 50):
        assert read_cursor("run_abcdef", broken) is None


@pytest.mark.proves("L12")
def test_the_newest_events_are_the_last_of_all_of_them_and_what_follows_follows(opened):
    async def main():
        async with opened(working, tools=[rest]) as desk:
            run = await desk.create(NewRun(input="Do it", steps=DIAMOND))
            await desk.result(run.id)
            everything = await durable(desk, run.id)
            for most in (0, 1, 2, 7, 40, len(everything), 5000):
                newest = [event async for event in desk.events(run.id, None, most)]
                assert newest == everything[len(everything) - min(most, len(everything)) :], most
            for event in everything[:: len(everything) // 9]:
                rest_of_it = [one async for one in desk.events(run.id, event.id)]
                assert rest_of_it == everything[everything.index(event) + 1 :]

    skipping(main())


@pytest.mark.proves("L12")
def test_with_milestones_every_cursor_and_every_tail_is_what_it_is_without(opened, monkeypatch):
    """A milestone every two entries: nothing is left out that should be told, nothing is told twice."""
    monkeypatch.setattr(marks, "EVERY", 2)

    async def main():
        async with opened(working, tools=[rest]) as desk:
            run = await desk.create(NewRun(input="Do it", steps=DIAMOND))
            await desk.result(run.id)
            whole = await durable(desk, run.id)
            assert len(await store_of(desk).docs(marks.MARK, run.id)) > 3
            for at, event in enumerate(whole):
                assert await durable(desk, run.id, event.id) == whole[at + 1 :]
            for most in range(0, len(whole) + 3, 5):
                tail = [event async for event in desk.events(run.id, tail=most)]
                assert tail == (whole[-most:] if most else [])
            await desk.erase(run.id)
            assert not await store_of(desk).docs(marks.MARK, run.id)

    skipping(main())


@pytest.mark.proves("L12")
def test_the_end_of_a_long_journal_is_found_without_reading_its_beginning(opened, monkeypatch):
    monkeypatch.setattr(marks, "EVERY", 10)

    async def main():
        async with opened(lambda ask: ask.call("rest", minutes=ask.turn) if ask.turn < 200 else "done", tools=[rest]) as desk:
            run = await desk.create(NewRun(input="Rest often", mode="deep"))
            ended = await desk.result(run.id)
            last = (await durable(desk, run.id))[-1].id
            store, read = store_of(desk), list[int]()
            journal = store.journal

            async def watched(run_id, *, after=0, limit=None):
                found = await journal(run_id, after=after, limit=limit)
                read.append(len(found))
                return found

            monkeypatch.setattr(store, "journal", watched)
            assert ended.seq > 400
            assert len([event async for event in desk.events(run.id, tail=5)]) == 5 and sum(read) <= 15
            read.clear()
            assert await durable(desk, run.id, last) == [] and sum(read) <= 10

    skipping(main())


@pytest.mark.proves("L12")
def test_many_who_follow_read_once_and_see_the_same_to_the_last_word(opened):
    async def main():
        async with opened(working, tools=[rest]) as desk:
            run = await desk.create(NewRun(input="Do it", steps=DIAMOND))
            store, read = store_of(desk), list[str]()
            journal = store.journal

            async def watched(run_id, *, after=0, limit=None):
                read.append(run_id)
                return await journal(run_id, after=after, limit=limit)

            store.journal = watched
            alone = await durable(desk, run.id)
            one = len(read)
            read.clear()
            second = await desk.create(NewRun(input="Do it", steps=DIAMOND))
            crowd = await asyncio.gather(*(durable(desk, second.id) for _ in range(40)))
            assert all(by_run(seen) == by_run(crowd[0]) and len(seen) == len(alone) for seen in crowd)
            assert by_run(crowd[0]) == by_run(await durable(desk, second.id))
            assert len(read) < 6 * one  # not forty times
            assert not desk._access.engine.crowds

    skipping(main())


def test_who_follows_too_slowly_reads_on_for_himself_and_misses_nothing(opened, monkeypatch):
    monkeypatch.setattr(crowd, "RECENT", 2)

    async def main():
        async with opened(working, tools=[rest]) as desk:
            run = await desk.create(NewRun(input="Do it", steps=DIAMOND))

            async def slow(minutes):
                seen = []
                async for event in desk.events(run.id):
                    seen.append(event)
                    await desk._access.services.clock.sleep(timedelta(minutes=minutes))
                return seen

            viewers = await asyncio.gather(*(slow(minutes) for minutes in (0, 1, 3, 20)))
            replay = await durable(desk, run.id)
            for seen in viewers:
                assert by_run(event for event in seen if not event.delta) == by_run(replay)
                assert len({event.id for event in seen if not event.delta}) == len(replay)

    skipping(main())


@pytest.mark.proves("L12")
def test_whoever_reads_for_all_may_go_in_the_middle_of_it_and_nobody_misses_anything(opened):
    async def main():
        async with opened(working, tools=[rest]) as desk:
            run = await desk.create(NewRun(input="Do it", steps=DIAMOND))
            store, readings = store_of(desk), dict[str, int]()
            journal = store.journal

            async def watched(run_id, *, after=0, limit=None):
                """Whoever reads the fifth time, and is one of those who go, goes before he is answered."""
                me = asyncio.current_task()
                readings[me.get_name()] = readings.get(me.get_name(), 0) + 1
                if me.get_name().startswith("goes") and readings[me.get_name()] == 5:
                    me.cancel()
                await asyncio.sleep(0)
                return await journal(run_id, after=after, limit=limit)

            store.journal = watched
            names = [f"{'goes' if number % 2 == 0 else 'stays'} {number}" for number in range(12)]
            followers = [asyncio.create_task(durable(desk, run.id), name=name) for name in names]
            await asyncio.gather(*followers, return_exceptions=True)
            replay = await durable(desk, run.id)
            assert [one.get_name() for one in followers if one.cancelled()] == names[::2]
            for one in followers[1::2]:
                assert by_run(one.result()) == by_run(replay) and len(one.result()) == len(replay)
            assert not desk._access.engine.crowds

    skipping(main())


def store_of(desk):
    return desk._access.services.store


def test_a_question_is_told_with_all_its_fields():
    told = asked(Ask(id="ask_1", run="run_1", message="Go?", opened_at=START, quorum=2))
    assert told.keys() == set(Ask.__struct_fields__)
    assert (told["votes"], told["on_timeout"], told["opened_at"]) == ([], "wait", msgspec.to_builtins(START))
