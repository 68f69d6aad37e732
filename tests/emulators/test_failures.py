"""Rows of the failure table, with real processes of the three functions."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import timedelta

import httpx2
import pytest

from auteryn.policy.cloud import JOB_LARGE, SLICE_LINE, WAKE_PATH
from auteryn.policy.limits import LEASE
from auteryn.testing.emulators.cloud import ACCOUNT
from auteryn.testing.emulators.faults import Kind
from auteryn.testing.emulators.tasks import token_for
from auteryn.testing.scripted import call
from emulators.local import Rig, Threaded
from sse import Frame, durable

PAST_LEASE = LEASE + timedelta(seconds=1)


@pytest.mark.proves("F1", "L15")
def test_two_posts_with_one_key_at_the_same_time_make_one_run(local_cloud: Threaded) -> None:
    """A client that repeats itself gets the run it has; another request with its key is refused, and makes none."""

    async def story(rig: Rig) -> None:
        mark = rig.script(lambda _: "done")
        asked, key = {"input": f"{mark} Do it", "mode": "deep"}, f"key {mark}"
        runs = set(await asyncio.gather(*(rig.create(**asked, key=key) for _ in range(4))))
        other = await rig.http.post("/v1/runs", json={**asked, "mode": "fast"}, headers={"Idempotency-Key": key})
        assert (len(runs), other.status_code) == (1, 409)
        assert (await rig.ended(*runs))["result"] == "done"
        listed = (await rig.http.get("/v1/runs?limit=100")).json()["runs"]
        assert [one["id"] for one in listed if mark in one["title"]] == list(runs)

    local_cloud.do(story(local_cloud.rig))


@pytest.mark.proves("F11")
def test_a_slice_that_is_told_to_stop_hands_its_run_over(local_cloud: Threaded) -> None:
    """SIGTERM while the model thinks: the lease is given back and the next slice starts at once, without a watchdog."""

    async def story(rig: Rig) -> None:
        mark = rig.script(lambda ask: "done" if ask.results else call("calculate", expression="1+1"))
        with rig.held(mark) as gate:
            run = await rig.create(input=f"{mark} Compute", mode="deep")
            await gate.reached(1)
            before = rig.cloud.clock.now()
            (first,) = rig.executions_of(run)
            rig.cloud.jobs.tell(first)
            await asyncio.wait_for(first.over.wait(), 30)
        ended = await rig.ended(run)

        assert ended["result"] == "done" and first.code == 0
        left = [e for entry in await rig.store.journal(run) for e in entry.events if type(e).__name__ == "Left"]
        assert [one.why for one in left] == ["handed_over"]
        assert rig.cloud.clock.now() - before < LEASE
        await rig.quiet([run])
        assert {one.state for one in rig.executions_of(run)} == {"succeeded"}
        assert {entry.slice for entry in await rig.store.journal(run)} == {0, 1, 2}  # the sweep's, if it came, ends at once

    local_cloud.do(story(local_cloud.rig))


@pytest.mark.proves("F9", "F12", "L4")
def test_a_slice_that_is_killed_is_followed_by_the_next_when_its_lease_ends(local_cloud: Threaded) -> None:
    async def story(rig: Rig) -> None:
        mark = rig.script(lambda ask: "done" if ask.results else call("calculate", expression="1+1"))
        with rig.held(mark) as gate:
            run = await rig.create(input=f"{mark} Compute", mode="deep")
            await gate.reached(1)
            rig.cloud.jobs.kill(rig.executions_of(run)[0])
            await rig.quiet([run])
        rig.cloud.clock.jump(PAST_LEASE)
        ended = await rig.ended(run)

        assert ended["result"] == "done"
        await rig.quiet([run])
        states = [one.state for one in rig.executions_of(run)]
        assert rig.executions_of(run)[1].job.endswith(JOB_LARGE)  # it may have been memory
        assert states[0] == "failed" and set(states[1:]) == {"succeeded"}  # the watchdog's, and the sweep's, which ends at once
        entries = await rig.store.journal(run)
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        assert {entry.slice for entry in entries} == {0, 1, 2}

    local_cloud.do(story(local_cloud.rig))


@pytest.mark.proves("F10", "F27", "L1")
def test_a_slice_that_froze_and_comes_back_writes_nothing_more(local_cloud: Threaded) -> None:
    async def story(rig: Rig) -> None:
        mark = rig.script(lambda ask: "done" if ask.results else call("calculate", expression="1+1"))
        with rig.held(mark) as gate:
            run = await rig.create(input=f"{mark} Compute", mode="deep")
            await gate.reached(1)
            (zombie,) = rig.executions_of(run)
            rig.cloud.jobs.freeze(zombie)
            rig.cloud.clock.jump(PAST_LEASE)
            await gate.reached(2)
        ended = await rig.ended(run)
        written = await rig.store.journal(run)
        rig.cloud.jobs.thaw(zombie)
        await asyncio.wait_for(zombie.over.wait(), 60)

        assert ended["result"] == "done"
        assert await rig.store.journal(run) == written
        slices = [entry.slice for entry in written]
        assert slices == sorted(slices) and slices[-1] == 2

    local_cloud.do(story(local_cloud.rig))


@pytest.mark.proves("F23", "L10")
def test_a_slice_that_hears_no_cancel_is_ended_from_outside(local_cloud: Threaded) -> None:
    """Its process stands still: when its lease is over the next slice writes the end, and the service is told to end it."""

    async def story(rig: Rig) -> None:
        mark = rig.script(lambda _: "never")
        with rig.held(mark) as gate:
            run = await rig.create(input=f"{mark} Compute", mode="deep")
            await gate.reached(1)
            (deaf,) = rig.executions_of(run)
            rig.cloud.jobs.freeze(deaf)
            told_at = rig.cloud.clock.now()
            assert (await rig.http.post(f"/v1/runs/{run}/cancel")).status_code == 200
            rig.cloud.clock.jump(PAST_LEASE)
            ended = await rig.until(run, lambda found: found.terminal)
            written = await rig.store.journal(run)
            rig.cloud.clock.jump(timedelta(seconds=11))  # what does not end when it is told to is killed
            await asyncio.wait_for(deaf.over.wait(), 60)

        assert ended.status == "cancelled"
        assert ended.ended_at and ended.ended_at - told_at < PAST_LEASE + timedelta(seconds=10)
        assert deaf.state == "cancelled"
        assert await rig.store.journal(run) == written

    local_cloud.do(story(local_cloud.rig))


@pytest.mark.proves("F17", "F3")
def test_a_push_that_comes_again_while_the_step_is_at_work_is_answered_at_once(local_cloud: Threaded) -> None:
    """A FAST step works inside its push; past the ack deadline the push comes again, and nothing is done twice."""

    async def story(rig: Rig) -> None:
        mark = rig.script(lambda _: "looked")
        with rig.held(mark) as gate:
            run = await rig.create(input=f"{mark} Look", mode="fast", steps=[{"description": f"{mark} Look there"}])
            await gate.reached(1)
            step = (await rig.tree(run))[1]
            assert step.mode == "fast" and rig.executions_of(step.id) == []
            data = base64.b64encode(json.dumps({"run": step.id}).encode()).decode()
            async with httpx2.AsyncClient(timeout=30) as http:
                again = await http.post(f"{rig.cloud.dispatch_url}/steps", json={"message": {"data": data, "messageId": "2"}})
            assert again.status_code == 204
            assert gate.count == 1
        ended = await rig.ended(run)

        assert ended["result"] == "looked"
        assert (await rig.outline(step.id)).count("ModelAnswered") == 1
        assert rig.executions_of(step.id) == []

    local_cloud.do(story(local_cloud.rig))


@pytest.mark.proves("F5", "F6", "F8")
@pytest.mark.parametrize(("point", "kind"), [("RunJob", "lose"), ("start", "never"), ("start", "twice"), ("start", "delay")])
def test_starts_that_are_lost_doubled_or_late_cost_time_only(local_cloud: Threaded, point: str, kind: Kind) -> None:
    """However many executions there are in the end, one of them works, and the others end at once."""

    async def story(rig: Rig) -> None:
        mark = rig.script(lambda ask: "done" if ask.results else call("calculate", expression="1+1"))
        rig.cloud.jobs.faults.plan(point, kind, span=2 * LEASE)
        try:
            run = await rig.create(input=f"{mark} {point} {kind}", mode="deep")
            if kind in ("never", "delay"):
                await rig.started(run)
                rig.cloud.clock.jump(PAST_LEASE)
            assert (await rig.ended(run))["result"] == "done"
            if kind == "delay":  # the late one finds that its work is done
                rig.cloud.clock.jump(PAST_LEASE)
            first, *others = rig.executions_of(run)
            assert others or kind == "lose"
            for one in others if kind == "never" else (first, *others):
                await asyncio.wait_for(one.over.wait(), 60)
                assert one.state == "succeeded"
        finally:
            rig.cloud.jobs.faults.heal()
        assert (await rig.outline(run)).count("ModelAnswered") == 2
        entries = await rig.store.journal(run)
        assert {entry.slice for entry in entries} == {0, 1}

    local_cloud.do(story(local_cloud.rig))


@pytest.mark.proves("F7")
def test_beyond_the_quota_of_executions_a_run_is_pending_until_there_is_room(local_cloud: Threaded) -> None:
    async def story(rig: Rig) -> None:
        mark = rig.script(lambda _: "done")
        rig.cloud.jobs.faults.plan("RunJob", "busy", times=1_000)
        try:
            run = await rig.create(input=f"{mark} Do it", mode="deep")
            async with asyncio.timeout(60):
                while rig.cloud.jobs.faults.seen["RunJob"] < 2:  # noqa: ASYNC110 - the task comes again by itself
                    await asyncio.sleep(0.05)
            seen = (await rig.http.get(f"/v1/runs/{run}")).json()
            assert (seen["status"], rig.executions_of(run)) == ("pending", [])
        finally:
            rig.cloud.jobs.faults.heal()
        assert (await rig.ended(run))["result"] == "done"

    local_cloud.do(story(local_cloud.rig))


@pytest.mark.proves("F2", "F4", "F15", "L3")
def test_a_run_whose_wakes_are_all_lost_is_found_by_the_sweep(local_cloud: Threaded) -> None:
    """The one after its creation and the one after it left to wait; those that come late find nothing to do."""

    async def story(rig: Rig) -> None:
        mark = rig.script(lambda ask: "done" if ask.results else call("wait", until="2h"))
        rig.cloud.tasks.faults.plan("delivery", "drop", times=1_000)
        try:
            run = await rig.create(input=f"{mark} Do it", mode="deep")
            assert await rig.cloud.sweep() == 204
            await rig.until(run, lambda found: found.status == "waiting")
            await rig.quiet([run])
            rig.cloud.clock.jump(timedelta(hours=2))
            assert await rig.cloud.sweep() == 204
            assert (await rig.ended(run))["result"] == "done"
        finally:
            rig.cloud.tasks.faults.heal()
        await rig.quiet([run])
        written, executions = await rig.store.journal(run), len(rig.executions_of(run))
        body = json.dumps({"run": run, "at": rig.cloud.clock.now().isoformat()})
        token = token_for(ACCOUNT, rig.cloud.dispatch_url, rig.cloud.clock.now())
        async with httpx2.AsyncClient(timeout=30) as http:
            late = await http.post(f"{rig.cloud.dispatch_url}{WAKE_PATH}", content=body, headers=token)
        assert late.status_code == 204
        assert (await rig.store.journal(run), len(rig.executions_of(run))) == (written, executions)

    local_cloud.do(story(local_cloud.rig))


def completed(seen: list[Frame]) -> bool:
    return bool(seen) and seen[-1].data.get("status") == "completed"


@pytest.mark.proves("F25", "L12")
def test_a_stream_goes_on_without_gap_or_double_after_its_api_was_killed(local_cloud: Threaded) -> None:
    async def story(rig: Rig) -> None:
        mark = rig.script(lambda ask: "done" if ask.turn == 3 else call("calculate", expression=f"{ask.turn}+1"))
        with rig.held(mark) as gate:
            run = await rig.create(input=f"{mark} Compute", mode="deep")
            await gate.reached(1)
            gate.let(2)
            await gate.reached(3)
            first = await rig.read(run, lambda seen: sum(one.kind == "tool_result" for one in seen) == 2)
            await rig.cloud.stop("api", 9)
            await rig.cloud.start("api")
        rest = await rig.read(run, completed, after=first[-1].id)
        whole = await rig.read(run, completed)

        told = [(frame.id, frame.kind) for frame in durable([*first, *rest])]
        assert told == [(frame.id, frame.kind) for frame in durable(whole)]
        assert len({frame_id for frame_id, _ in told}) == len(told)

    local_cloud.do(story(local_cloud.rig))


@pytest.mark.proves("P95", "L14")
def test_dispatch_lets_in_only_tokens_for_itself_from_known_accounts(local_cloud: Threaded) -> None:
    async def story(rig: Rig) -> None:
        url, now = rig.cloud.dispatch_url, rig.cloud.clock.now()
        good, signed = token_for(ACCOUNT, url, now), token_for(ACCOUNT, url, now)
        signed["Authorization"] += "c2lnbmVk"
        others = [token_for("eve@localhost", url, now), token_for(ACCOUNT, "https://other.example", now), signed]
        async with httpx2.AsyncClient(timeout=30) as http:
            assert [(await http.post(f"{url}/sweep", headers=one)).status_code for one in others] == [401] * 3
            assert (await http.post(f"{url}/sweep", headers=good)).status_code == 204

    local_cloud.do(story(local_cloud.rig))


def test_lines_in_the_log_are_objects_with_the_run_they_belong_to(local_cloud: Threaded) -> None:
    async def story(rig: Rig) -> None:
        run = await rig.create(input=f"{rig.script(lambda _: 'done')} Do it", mode="deep")
        await rig.ended(run)
        lines = [json.loads(line) for line in rig.cloud.log("dispatch").read_text().splitlines() if line.startswith("{")]
        about = [line for line in lines if run in line["message"]]
        assert about and all({"severity", "message", "time"} <= line.keys() for line in about)

        fast = await rig.create(input=f"{rig.script(lambda _: 'done')} Say it", mode="fast")
        await rig.ended(fast)
        said = [json.loads(line) for line in rig.cloud.log("api").read_text().splitlines() if line.startswith("{")]
        (sat,) = [line for line in said if line["message"] == SLICE_LINE and line.get("run") == fast]
        assert sat["credits"] == (await rig.store.get(fast)).usage.credits.total > 0

    local_cloud.do(story(local_cloud.rig))
