"""The event stream over HTTP: the specification's events, resumable anywhere, bounded in every way."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from itertools import pairwise

import pytest

from auteryn.api.stream import Pace, log_cursor
from auteryn.service.new import NewRun, drafts
from auteryn.testing.clock import SkippingClock, skipping
from auteryn.testing.scripted import Say, call
from auteryn.tools.tool import tool
from sse import durable


@tool(effect="read", timeout=timedelta(days=30))
async def rest(ctx, hours: float) -> str:
    """Rest for some hours."""
    await ctx.clock.sleep(timedelta(hours=hours))
    return "rested"


STEPS = drafts([{"description": "a"}, {"description": "b", "depends_on": [1]}])


@pytest.mark.proves("P8", "P56", "L12")
def test_progress_comes_as_task_progress_with_the_specifications_fields_first(opened):
    async def main():
        async with opened() as office:
            _, key = await office.key("viewer")
            run = await office.desk.create(NewRun(input="Do it", steps=STEPS))
            status, found = await office.stream(f"/v1/runs/{run.id}/events", {"Authorization": f"Bearer {key}"})
            progress = [one.data for one in found if one.kind == "task_progress"]
            assert status == 200 and len(progress) >= 4
            spec = ["plan_id", "status", "current_step", "total_steps", "steps", "completed_steps", "running_steps", "result"]
            assert list(progress[0]) == [*spec, "run_id", "at", "seq", "delta"]
            assert [one["completed_steps"] for one in progress] == sorted(one["completed_steps"] for one in progress)
            assert (progress[-1]["status"], progress[-1]["result"]) == ("completed", "done")
            assert {"status", "message", "log", "step", "task_progress"} <= {one.kind for one in found}

    skipping(main())


@pytest.mark.proves("P27", "P28")
@pytest.mark.parametrize("wanted", [True, False])
def test_a_posted_run_streams_its_thoughts_if_they_were_asked_for(opened, wanted: bool):
    async def main():
        async with opened([Say(text="It is 4.", thoughts="Let me break this down...")]) as office:
            _, key = await office.key()
            headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}
            body = json.dumps({"input": "What is 2+2?", "include_thoughts": wanted}).encode()
            status, found = await office.stream("/v1/runs", headers, method="POST", body=body)
            thoughts = [(one.data["text"], one.data["delta"]) for one in found if one.kind == "thought"]
            assert status == 201
            assert thoughts == ([("Let me break this down...", True), ("Let me break this down...", False)] if wanted else [])
            assert [one.data["text"] for one in found if one.kind == "message"] == ["It is 4.", "It is 4."]
            assert found[-1].data["result"] == "It is 4."

    skipping(main())


@pytest.mark.proves("L12", "P95")
def test_hanging_up_ends_the_stream_and_never_the_run(opened):
    async def main():
        async with opened([call("rest", hours=1), "rested"], tools=[rest]) as office:
            _, key = await office.key()
            headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}
            body = b'{"input": "Rest", "mode": "deep"}'
            _, begun = await office.stream("/v1/runs", headers, method="POST", body=body, most=1)
            run = begun[0].data["run_id"]
            end = await office.world.ended(run)
            assert (end.status, end.result) == ("completed", "rested")
            after = {"Authorization": f"Bearer {key}", "Last-Event-ID": begun[0].id}
            _, rest_of = await office.stream(f"/v1/runs/{run}/events", after)
            whole = (await office.stream(f"/v1/runs/{run}/events", {"Authorization": f"Bearer {key}"}))[1]
            assert begun + rest_of == whole

    skipping(main())


@pytest.mark.proves("L12")
def test_from_every_id_the_rest_follows_and_after_the_last_there_is_no_content(opened):
    async def main():
        async with opened() as office:
            _, key = await office.key()
            auth = {"Authorization": f"Bearer {key}"}
            run = (await office.desk.create(NewRun(input="Do it", steps=STEPS))).id
            await office.world.ended(run)
            where = f"/v1/runs/{run}/events"
            whole = (await office.stream(where, auth))[1]
            for at, one in enumerate(whole[:-1]):
                assert (await office.stream(where, {**auth, "Last-Event-ID": one.id}))[1] == whole[at + 1 :]
                assert (await office.stream(f"{where}?after={one.id}", auth))[1] == whole[at + 1 :]
            assert await office.stream(where, {**auth, "Last-Event-ID": whole[-1].id}) == (204, [])

    skipping(main())


@pytest.mark.proves("L12")
def test_an_unknown_id_gets_a_reset_with_how_things_stand(opened):
    async def main():
        clock = SkippingClock()
        async with opened([call("rest", hours=0.1), "rested"], tools=[rest], clock=clock) as office:
            _, key = await office.key()
            auth = {"Authorization": f"Bearer {key}", "Last-Event-ID": "17"}
            run = (await office.desk.create(NewRun(input="Rest", mode="deep"))).id
            await clock.sleep(timedelta(minutes=5))
            _, found = await office.stream(f"/v1/runs/{run}/events", auth)
            assert (found[0].kind, found[0].data["state"]) == ("reset", "running")
            assert found[-1].data["result"] == "rested"

    skipping(main())


@pytest.mark.proves("F25", "L12")
def test_a_silent_stream_shows_life_and_every_stream_is_rotated(opened):
    async def main():
        async with opened([call("rest", hours=1), "rested"], tools=[rest]) as office:
            _, key = await office.key()
            run, loop = (await office.desk.create(NewRun(input="Rest", mode="deep"))).id, asyncio.get_running_loop()
            raw, seen, cursor = [], [], {}

            async def door(scope, receive, send):
                async def listen(message):
                    raw.append((loop.time(), message.get("body", b"")))
                    await send(message)

                await office.door(scope, receive, listen)

            streams = 0
            while not seen or seen[-1].data.get("status") != "completed":
                auth = {"Authorization": f"Bearer {key}", **cursor}
                begun = loop.time()
                seen += durable((await office.stream(f"/v1/runs/{run}/events", auth, app=door))[1])
                cursor, streams = {"Last-Event-ID": seen[-1].id}, streams + 1
                assert loop.time() - begun <= 600.01
            assert 6 <= streams <= 8
            times = [at for at, body in raw]
            assert max(b - a for a, b in pairwise(times)) <= 15.01
            whole = durable((await office.stream(f"/v1/runs/{run}/events", {"Authorization": f"Bearer {key}"}))[1])
            assert seen == whole

    skipping(main())


@pytest.mark.proves("F25", "L12")
def test_a_stream_that_has_carried_enough_ends_and_goes_on_in_the_next(opened):
    async def main():
        async with opened(pace=Pace(most_bytes=1_500)) as office:
            _, key = await office.key()
            run = (await office.desk.create(NewRun(input="Do it", steps=STEPS))).id
            await office.world.ended(run)
            seen, cursor, streams = [], {}, 0
            while True:
                auth = {"Authorization": f"Bearer {key}", **cursor}
                status, found = await office.stream(f"/v1/runs/{run}/events", auth)
                if status == 204:
                    break
                seen, cursor, streams = seen + found, {"Last-Event-ID": found[-1].id}, streams + 1
            events = [event async for event in office.desk.events(run)]
            assert streams > 3 and [one.id for one in seen] == [event.id for event in events]

    skipping(main())


@pytest.mark.proves("P85")
def test_log_lines_are_streamed_to_the_end_and_resumed_in_the_middle_of_an_entry(opened):
    async def main():
        async with opened([[call("rest", hours=1), call("rest", hours=1)], "rested"], tools=[rest]) as office:
            _, key = await office.key()
            auth = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}
            run = (await office.desk.create(NewRun(input="Rest", mode="deep"))).id
            where = f"/v1/runs/{run}/logs?level=debug"
            _, whole = await office.stream(where, auth)
            lines = await office.desk.logs(run, "debug")
            assert [one.data["message"] for one in whole] == [line.message for line in lines]
            assert len({one.id for one in whole}) == len(whole) > len({line.seq for line in lines})
            for at, one in enumerate(whole):
                assert (await office.stream(where, {**auth, "Last-Event-ID": one.id}))[1] == whole[at + 1 :]
            assert (await office.stream(where, {**auth, "Last-Event-ID": "x"}))[0] == 422

    skipping(main())


def test_an_id_of_a_log_line_is_an_entry_and_a_number():
    assert log_cursor("7.2") == (6, 2)
    for broken in ("", "7", "0.1", "-1.2", "a.b", "1.2.3", "٣.1", "1" * 30 + ".1"):
        assert log_cursor(broken) is None
