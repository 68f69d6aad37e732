"""Emulators that are really stopped and started in the middle of a run: connections are cut, and Pub/Sub forgets everything."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from auteryn.testing.emulators.chaos import judged
from auteryn.testing.emulators.servers import FIRESTORE, PUBSUB, private
from auteryn.testing.emulators.stage import Report, Stage, stage

HANG = 600
DATABASE = "auteryn"


class Machines:
    """The two emulators, of which one can go and come back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.firestore, self.pubsub = private(FIRESTORE), private(PUBSUB)

    def stop(self) -> None:
        self.firestore.stop()
        self.pubsub.stop()

    async def restart_firestore(self, there: Stage) -> None:
        """With all its documents, as a database that was out of reach has them."""
        await there.network.down()
        name = f"projects/{there.cloud.project}/databases/{DATABASE}"
        await self._firestore(there, "export", {"database": name, "export_directory": str(self._folder), "export_name": "all"})
        self.firestore.stop()
        self.firestore = private(FIRESTORE)
        kept = self._folder / "all" / "all.overall_export_metadata"
        await self._firestore(there, "import", {"database": name, "export_directory": str(kept)})
        await there.network.up(self.firestore.host)

    async def restart_pubsub(self, there: Stage) -> None:
        """With nothing in it."""
        await there.bus.down()
        self.pubsub.stop()
        self.pubsub = private(PUBSUB)
        await there.bus.up(self.pubsub.host)

    async def _firestore(self, there: Stage, what: str, body: dict[str, str]) -> None:
        async with httpx2.AsyncClient(timeout=60) as http:
            url = f"http://{self.firestore.host}/emulator/v1/projects/{there.cloud.project}:{what}"
            (await http.post(url, json=body)).raise_for_status()


class Blow:
    """It happens once so many commits have passed."""

    def __init__(self, commit: int, what: Callable[[Stage], Awaitable[None]]) -> None:
        self.name, self._commit, self._what = f"blow at commit {commit}", commit, what

    @asynccontextmanager
    async def on(self, stage: Stage, report: Report) -> AsyncGenerator[None]:
        first = stage.network.calls["Commit"]

        async def strike() -> None:
            while stage.network.calls["Commit"] - first < self._commit:
                await stage.network.another("Commit")
            await self._what(stage)
            report.done.append(self.name)

        striking = asyncio.create_task(strike())
        try:
            yield
        finally:
            await striking


def on_own_emulators(test: Callable[[Stage, Machines], Awaitable[None]]) -> Callable[[Path], None]:
    """Turn `async def test(stage, machines)` into a test."""

    def run(tmp_path: Path) -> None:
        assert threading.current_thread() is threading.main_thread()
        machines = Machines(tmp_path)

        async def main() -> None:
            async with stage(tmp_path / "cloud", (machines.firestore.host, machines.pubsub.host)) as there:
                await asyncio.wait_for(test(there, machines), HANG)

        try:
            asyncio.run(main())
        finally:
            machines.stop()

    run.__name__, run.__qualname__, run.__doc__ = test.__name__, test.__qualname__, test.__doc__
    return run


@pytest.mark.proves("F32", "L1", "L2", "L3", "L4", "L6")
@on_own_emulators
async def test_firestore_is_stopped_and_started_while_a_plan_is_at_work(there: Stage, machines: Machines) -> None:
    """Every connection is cut for as long as that takes; then slices, functions and people go on where the store stands."""
    plain = await there.play("plan")
    report = await there.play("plan", Blow(9, machines.restart_firestore))
    assert report.done
    assert judged(report, plain) == []


@pytest.mark.proves("F16", "F26", "L3", "L12")
@on_own_emulators
async def test_pubsub_loses_everything_and_nothing_is_lost_with_it(there: Stage, machines: Machines) -> None:
    """Without topics the sweep starts what was to be published; once they are there again steps are pushed and news heard."""
    plain = await there.play("plan")
    pushed = there.cloud.pushes.faults

    report = await there.play("plan", Blow(2, machines.restart_pubsub))
    assert report.done
    assert judged(report, plain) == []
    assert pushed.seen["push"] == 0

    await there.cloud.lay_out()
    assert judged(await there.play("plan"), plain) == []
    assert pushed.seen["push"] > 0
    assert await heard_live(there)


async def heard_live(there: Stage) -> bool:
    """Pieces of an answer, which travel by the bus alone, reach a client of the API. A lost feed is made anew in seconds."""
    async with asyncio.timeout(60):
        while True:
            asked, headers = {"input": "Compare A and B", "mode": "deep"}, {"Accept": "text/event-stream"}
            async with there.http.stream("POST", "/v1/runs", json=asked, headers=headers) as answer:
                async for line in answer.aiter_lines():
                    said = json.loads(line[6:]) if line.startswith("data: ") else {}
                    if said.get("delta"):
                        return True
                    if said.get("status") == "completed":
                        break
