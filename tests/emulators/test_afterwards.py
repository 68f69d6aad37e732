"""What happens to a run beside and after its work: it is told of, forked, and erased."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

from auteryn.testing.loopback import Request
from auteryn.testing.scripted import Ask, Line, call
from emulators.local import HANG, Rig, Threaded


@pytest.mark.proves("L3")
def test_a_webhook_that_fails_is_called_again_with_the_same_id(local_cloud: Threaded) -> None:
    """A slice's commit holds the post, a task brings it to dispatch, and that calls until it is taken."""

    async def story(rig: Rig) -> None:
        called = list[Request]()

        async def hook(request: Request) -> int:
            called.append(request)
            return 503 if len(called) == 1 else 204

        rig.hooked.handler = hook
        made = await rig.http.post("/v1/webhooks", json={"url": f"{rig.hooked.url}/hook", "types": ["run.completed"]})
        assert made.status_code == 201, made.text
        run = await rig.create(input=f"{rig.script(lambda _: 'done')} Do it", mode="deep")
        await rig.ended(run)
        async with asyncio.timeout(HANG):
            while len(called) < 2:
                rig.cloud.clock.jump(timedelta(seconds=10))
                await asyncio.sleep(0.1)
        await rig.http.delete(f"/v1/webhooks/{made.json()['webhook']['id']}")

        first, second = called[:2]
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert second.headers["webhook-signature"].startswith("v1,")
        told = json.loads(second.body)
        assert (told["type"], told["data"]["run"]) == ("run.completed", run)

    local_cloud.do(story(local_cloud.rig))


@pytest.mark.proves("P37")
def test_a_fork_keeps_its_files_when_the_first_run_is_erased(local_cloud: Threaded) -> None:
    """Nothing is left of what was erased, and what both had stays until nobody has it."""

    async def story(rig: Rig) -> None:
        def script(ask: Ask) -> Line:
            match ask.turn:
                case 0:
                    return call("file_write", path="out.txt", content=mark)
                case 1:
                    return call("artifact_publish", path="out.txt")
                case _:
                    return "all done"

        mark = rig.script(script)
        first = await rig.create(input=f"{mark} Write", mode="deep")
        await rig.ended(first)
        forked = await rig.http.post(f"/v1/runs/{first}/fork", json={"effects": "free"})
        assert forked.status_code == 201, forked.text
        second = forked.json()["id"]
        assert (await rig.ended(second))["result"] == "all done"
        (sha256,) = {artifact.sha256 for artifact in (await rig.store.get(second)).artifacts}

        assert await erased(rig, first) == []
        assert (await rig.http.get(f"/v1/runs/{first}")).status_code == 404
        kept = await rig.http.get(f"/v1/runs/{second}/artifacts/out.txt")
        assert (kept.status_code, kept.text) == (200, mark)
        assert await erased(rig, second) == []
        assert not await rig.host.engine.services.blobs.has(sha256)

    local_cloud.do(story(local_cloud.rig))


async def erased(rig: Rig, run: str) -> list[str]:
    """What was found of it afterwards."""
    await rig.quiet([run])
    answer = await rig.http.delete(f"/v1/runs/{run}")
    assert answer.status_code == 200, answer.text
    return answer.json()["leftovers"]
