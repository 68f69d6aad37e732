"""The whole way over HTTP: api → Cloud Tasks → dispatch → a job's process → Firestore → Pub/Sub → api."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any

import pytest

from auteryn.adapters.gcp.log import trace_of
from auteryn.testing.scripted import Ask, Line, call
from emulators.local import Rig, Threaded


@pytest.mark.proves("P1", "P2")
def test_a_deep_run_is_worked_on_by_a_job_of_its_own(local_cloud: Threaded) -> None:
    async def story(rig: Rig) -> None:
        mark = rig.script(lambda ask: "It is done." if ask.results else call("calculate", expression="6*7"))
        run = await rig.create(input=f"{mark} Compute", mode="deep")

        assert (await rig.ended(run))["result"] == "It is done."
        await rig.quiet([run])
        assert [(one.state, one.code) for one in rig.executions_of(run)] == [("succeeded", 0)]
        hosts = [e.host for entry in await rig.store.journal(run) for e in entry.events if type(e).__name__ == "SliceStarted"]
        assert len(hosts) == 1 and hosts[0].startswith("auteryn-slice-")

    local_cloud.do(story(local_cloud.rig))


def test_what_a_wake_does_is_in_the_trace_of_its_run(local_cloud: Threaded) -> None:
    """Lines of dispatch and of the slice, found by one trace."""

    async def story(rig: Rig) -> None:
        run = await rig.create(input=f"{rig.script(lambda _: 'done')} Do it", mode="deep")
        await rig.ended(run)
        (execution,) = rig.executions_of(run)
        said = [json.loads(line) for line in rig.cloud.log("dispatch").read_text().splitlines() if line.startswith("{")]
        (started,) = [line for line in said if repr(execution.name) in line["message"]]
        assert started["logging.googleapis.com/trace"] == f"projects/{rig.cloud.project}/traces/{trace_of(run)}"

    local_cloud.do(story(local_cloud.rig))


@pytest.mark.proves("P11")
def test_a_fast_run_is_answered_by_the_process_that_took_it_in(local_cloud: Threaded) -> None:
    async def story(rig: Rig) -> None:
        run = await rig.create(input=f"{rig.script(lambda _: 'Hello!')} Say hello", mode="fast")

        assert (await rig.ended(run))["result"] == "Hello!"
        assert rig.executions_of(run) == []

    local_cloud.do(story(local_cloud.rig))


@pytest.mark.proves("P94", "L12")
def test_events_of_a_job_reach_a_client_of_the_api(local_cloud: Threaded) -> None:
    """What another process commits and streams is heard here by the feed; the stream ends with the run."""

    async def story(rig: Rig) -> None:
        mark = rig.script(lambda ask: "All looked up." if ask.results else call("calculate", expression="1+1"))
        seen, ids = Counter[str](), list[str]()
        headers = {"Accept": "text/event-stream"}
        asked = {"input": f"{mark} Look", "mode": "deep"}
        async with rig.http.stream("POST", "/v1/runs", json=asked, headers=headers) as answer:
            assert answer.status_code == 201
            async for line in answer.aiter_lines():
                seen[line.removeprefix("event: ")] += line.startswith("event: ")
                ids += [line] if line.startswith("id: ") else []
                data: dict[str, Any] = json.loads(line[6:]) if line.startswith("data: ") else {}
                if data.get("delta"):
                    ids.pop()  # text on its way: it has the id of the last fact, where a client would resume
                if data.get("status") == "completed":
                    break
        assert seen["tool_call"] == 1 and seen["tool_result"] == 1 and seen["status"] >= 2
        assert len(ids) == len(set(ids))

    local_cloud.do(story(local_cloud.rig))


@pytest.mark.proves("P37")
def test_files_are_there_in_the_next_slice_and_in_the_steps_of_the_tree(local_cloud: Threaded) -> None:
    """Each process has a folder of its own; what they read is what the others wrote, byte for byte."""
    text = "ä and more\n" * 3_000

    async def story(rig: Rig) -> None:
        def script(ask: Ask) -> Line:
            match ask.task.partition("] ")[2].split():
                case ["write", name, *_]:
                    return "written" if ask.results else call("file_write", path=f"out/{name[0]}.txt", content=text + name[0])
                case ["read", *_] if not ask.results:
                    reads = [call("file_read", path=f"out/{name}.txt") for name in "AB"]
                    return [*reads, call("file_delete", paths=["out/A.txt"])]
                case ["read", *_]:
                    return "read"
                case _:
                    return "all done" if ask.results else call("artifact_publish", path="out/B.txt")

        mark = rig.script(script)
        steps = [
            {"description": f"{mark} write A"},
            {"description": f"{mark} write B"},
            {"description": f"{mark} read both", "depends_on": [1, 2]},
        ]
        run = await rig.create(input=f"{mark} Write and read", mode="deep", steps=steps)
        ended = await rig.ended(run)

        assert ended["result"] == "all done", ended
        found = await rig.http.get(f"/v1/runs/{run}/artifacts/out/B.txt")
        assert found.status_code == 200, found.text
        assert hashlib.sha256(found.content).digest() == hashlib.sha256((text + "B").encode()).digest()
        files = await rig.host.engine.files.begin(await rig.store.get(run))
        assert sorted(one.path for one in files.walk()) == ["out/B.txt"]
        await rig.host.engine.files.end(files)

    local_cloud.do(story(local_cloud.rig))


@pytest.mark.proves("P23", "L10")
def test_a_question_is_answered_and_a_run_is_cancelled(local_cloud: Threaded) -> None:
    """Nobody is at work while the run waits; the answer's wake starts the next slice, a cancel is carried out by dispatch."""

    async def story(rig: Rig) -> None:
        def script(ask: Ask) -> Line:
            return "Approved." if ask.results else call("ask_approval", message="Go?", options=["Yes", "No"])

        mark = rig.script(script)
        first, second = [await rig.create(input=f"{mark} Ask", mode="deep") for _ in range(2)]
        asked = [await rig.until(run, lambda found: found.status == "waiting" and bool(found.asks)) for run in (first, second)]
        await rig.quiet([first, second])
        answer = await rig.http.post(f"/v1/asks/{asked[0].asks[0].id}/answer", json={"value": "Yes"})
        assert answer.status_code == 200
        assert (await rig.http.post(f"/v1/runs/{second}/cancel", json={})).status_code == 200

        assert (await rig.ended(first))["result"] == "Approved."
        assert (await rig.ended(second))["status"] == "cancelled"
        assert len(rig.executions_of(second)) == 1

    local_cloud.do(story(local_cloud.rig))
