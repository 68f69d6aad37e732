"""Where scenarios are played in the cloud shape: over HTTP, tasks, pushes and real processes, with a network that can fail.

Nothing of the engine is in this process: it plays the people and moves the time. What goes wrong is a `Disturbance`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx2

from auteryn.errors import Invalid, Unavailable
from auteryn.runtime.host import Host
from auteryn.schema.plan import StepDraft
from auteryn.schema.record import new_id
from auteryn.schema.run import Run
from auteryn.testing.emulators.cloud import LocalCloud
from auteryn.testing.emulators.executions import Execution
from auteryn.testing.emulators.faults import Faults
from auteryn.testing.emulators.proxy import Passing, Proxy
from auteryn.testing.emulators.servers import FIRESTORE, PUBSUB, host_of
from auteryn.testing.gemini import ScriptedGemini
from auteryn.testing.laws import broken_laws, mails, state_of, unknowns
from auteryn.testing.scenarios import MAILS, SCENARIOS, Scenario, long_talk, outside
from auteryn.testing.scripted import Ask, Line
from auteryn.testing.world import PATIENCE, World

PLAYED = {**SCENARIOS, "compaction": long_talk(100_000)}
"""Processes of a cloud compact where the product does, not where a test would like it: so they talk more."""
HANG = 180
"""Real seconds of one scenario, then it counts as stuck."""
LOOK_SECONDS = 0.02
QUIET_LOOKS = 3
"""So often nothing was at work, one look after the other, before time is moved."""
PUSH_SECONDS = 0.3
"""Within which the emulator pushes what was published; a tenth of a second is usual."""
SWEEP, MINUTE = timedelta(seconds=30), timedelta(minutes=1)
_STEPS = b"/topics/auteryn-steps"


class CloudWorld(World):
    """What people do, said to the API; what there is to see, read from the store. Time jumps when nothing is at work."""

    def __init__(self, stage: Stage, name: str = "") -> None:
        super().__init__(stage.cloud.folder / "scratch")
        self._stage, self.cloud, self._name = stage, stage.cloud, name or new_id("story")

    async def open(self, *, hosting: bool = True) -> CloudWorld:
        self._host, self.clock = self._stage.looks, self.cloud.clock
        self._skipping = asyncio.create_task(self._skip())
        return self

    async def close(self) -> None:
        self._skipping.cancel()
        await asyncio.gather(self._skipping, return_exceptions=True)
        self._host = None

    async def start(self, text: str, *, plan: Sequence[str | StepDraft] = (), key: str | None = None, **how: Any) -> str:
        if how.keys() - {"mode"}:
            return await super().start(text, plan=plan, key=key and f"{self._name} {key}", **how)
        drafts = [StepDraft(description=step) if isinstance(step, str) else step for step in plan]
        steps = [{"description": step.description, "depends_on": step.depends_on} for step in drafts]
        body = {"input": text, "mode": how.get("mode", "deep"), **({"steps": steps} if steps else {})}
        headers = {"Idempotency-Key": f"{self._name} {key}"} if key else {}
        answer = await self._stage.http.post("/v1/runs", json=body, headers=headers)
        answer.raise_for_status()
        return answer.json()["id"]

    async def until(self, run: str, condition: Callable[[Run], bool], patience: timedelta = PATIENCE) -> Run:
        async with asyncio.timeout(HANG):
            while True:
                news = self._stage.network.another("Commit")
                if condition(found := await self.run(run)):
                    return found
                await asyncio.wait([news], timeout=1)

    async def after(self, span: timedelta) -> None:
        self.cloud.clock.jump(span)

    async def _skip(self) -> None:
        """Where nobody is at work, it is the moment of the next wake at once; without one that is in time, a minute later."""
        quiet = 0
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            quiet = 0 if self.cloud.at_work or self._stage.pushing else quiet + 1
            if quiet > QUIET_LOOKS:
                self.cloud.clock.jump(await self._quiet_time())
                quiet = 0

    async def _quiet_time(self) -> timedelta:
        """Until the next wake; no further than to the next sweep where something is due before it, whose own wake was lost."""
        now = self.clock.now()
        at = min((task.at for task in self.cloud.tasks.tasks(self.cloud.queue)), default=None)
        if at is None or (at - now > MINUTE and await self._stage.store.due(at - SWEEP, limit=1)):
            return MINUTE
        return max(at - now, timedelta())


@dataclass(slots=True)
class Report:
    """What was done to one scenario and what came of it."""

    scenario: str
    disturbed: str = ""
    """In words; empty if it was left alone."""
    executions: int = 0
    commits: int = 0
    """Of the functions and slices."""
    done: list[str] = field(default_factory=list[str])
    """What really happened to it: a fault planned for the tenth message does nothing where there are nine."""
    seen: Counter[str] = field(default_factory=Counter[str])
    """How many messages came to each point where one can be lost."""
    state: dict[str, Any] = field(default_factory=dict[str, Any])
    effects_doubled: int = 0
    unknowns_told: int = 0
    broken: list[str] = field(default_factory=list[str])
    run: str = ""

    @property
    def holds(self) -> bool:
        return not self.broken


class Disturbance(Protocol):
    """What goes wrong while a scenario is played."""

    @property
    def name(self) -> str: ...

    def on(self, stage: Stage, report: Report) -> AbstractAsyncContextManager[None]:
        """The scenario is played inside; at the end nothing of it is left, and what was frozen has been thawed."""
        ...


class Stage:
    """One local cloud on which scenarios are played, one after the other."""

    def __init__(
        self, cloud: LocalCloud, looks: Host, network: Proxy, bus: Proxy, http: httpx2.AsyncClient, say: _Script
    ) -> None:
        """`looks`: a process's share of the cloud that only looks, past the network."""
        self.cloud, self.looks, self.network, self.bus, self.http, self._say = cloud, looks, network, bus, http, say
        self.store = looks.engine.services.store
        self.restarting: set[asyncio.Task[None]] = set()
        """Functions that were killed and start again."""
        self._published_at = 0.0
        bus.guards["Publish"] = self._published
        self.spoilt = False
        """A scenario did not come to its end here, and its runs would be in the way of the next one."""

    @property
    def pushing(self) -> bool:
        return time.monotonic() - self._published_at < PUSH_SECONDS or bool(self.restarting)

    @property
    def ways(self) -> dict[str, Faults]:
        """Where what comes through can be harmed."""
        return {
            "tasks": self.cloud.tasks.faults,
            "jobs": self.cloud.jobs.faults,
            "pushes": self.cloud.pushes.faults,
            "network": self.network.faults,
            "bus": self.bus.faults,
        }

    async def play(self, name: str, disturbance: Disturbance | None = None) -> Report:
        """The scenario to its end, and the laws it broke."""
        if name not in PLAYED:
            raise Invalid("scenario", name, f"is none of {', '.join(PLAYED)}")
        scenario, report = PLAYED[name], Report(name, disturbance.name if disturbance else "")
        self._say.script = scenario.script
        (outside(self.cloud.folder / "scratch") / MAILS).unlink(missing_ok=True)
        before, commits = len(self.cloud.executions), self.network.calls["Commit"]
        for faults in self.ways.values():
            faults.seen.clear()
        async with CloudWorld(self) as world, AsyncExitStack() as stack:
            if disturbance:
                await stack.enter_async_context(disturbance.on(self, report))
            try:
                report.run = await asyncio.wait_for(self._played(scenario, world), HANG)
            except TimeoutError:
                report.broken.append(f"it did not end within {HANG} s: {await _standing(world)}")
                self.spoilt = True
                return report
            await stack.aclose()
            await self._still(before)
            report.executions = len(self.cloud.executions) - before
            report.commits = self.network.calls["Commit"] - commits
            for faults in self.ways.values():
                report.seen += faults.seen
            await self._judge(world, report)
        return report

    async def _judge(self, world: World, report: Report) -> None:
        report.broken += await broken_laws(world, report.run)
        left = [line.split()[1] for line in mails(world.home)]
        report.effects_doubled = len(left) - len(set(left))
        report.unknowns_told = sum([unknowns(await world.events(run.id)) for run in await world.tree(report.run)])
        report.state = _without_ids(await state_of(world, report.run))
        self.spoilt = self.spoilt or bool(report.broken)

    async def _played(self, scenario: Scenario, world: World) -> str:
        """People whose connection breaks say it again."""
        while True:
            try:
                return await scenario.play(world)
            except (httpx2.HTTPError, Unavailable):
                await asyncio.sleep(LOOK_SECONDS)

    async def _still(self, before: int) -> None:
        """No slice of this scenario is left, and every function is there."""
        for one in self.cloud.executions[before:]:
            self.cloud.jobs.thaw(one)
            if one.state != "waiting":
                await asyncio.wait_for(one.over.wait(), HANG)
        await asyncio.gather(*self.restarting)

    def kill(self, who: Execution | str) -> None:
        """SIGKILL, at once. A function starts again, as the platform would start it."""
        if isinstance(who, Execution):
            self.cloud.jobs.kill(who)
            return
        self.cloud.kill(who)
        again = asyncio.ensure_future(self.cloud.restart(who))
        self.restarting.add(again)
        again.add_done_callback(self.restarting.discard)

    async def _published(self, passing: Passing) -> None:
        if _STEPS in passing.request:
            self._published_at = time.monotonic()


@dataclass(slots=True)
class _Script:
    script: Callable[[Ask], Line]

    def __call__(self, ask: Ask) -> Line:
        return self.script(ask)


@asynccontextmanager
async def stage(folder: Path, emulators: tuple[str, str] | None = None) -> AsyncGenerator[Stage]:
    """A local cloud whose slices have the scenarios' tools and model, and no sandbox: nothing here runs code.

    `emulators`: hosts of Firestore and Pub/Sub, where this process's own shall be left in peace; they are looked at through the
    network then, as they may go and come."""
    say = _Script(SCENARIOS["plan"].script)
    async with AsyncExitStack() as stack:
        gemini = await stack.enter_async_context(ScriptedGemini(say))
        firestore, pubsub = emulators or (host_of(FIRESTORE), host_of(PUBSUB))
        network = await stack.enter_async_context(Proxy(firestore))
        bus = await stack.enter_async_context(Proxy(pubsub))
        environ = {
            "AUTERYN_SANDBOX": "off",
            "AUTERYN_TOOLS": "auteryn.testing.scenarios",
            "GEMINI_API_KEY": "none",
            "GOOGLE_GEMINI_BASE_URL": gemini.url,
        }
        looked_at = (network.host, bus.host) if emulators else None
        there = LocalCloud(folder, environ, emulators=looked_at, firestore=network.host, pubsub=bus.host, sweep_every=SWEEP)
        cloud = await stack.enter_async_context(there)
        looks = cloud.host()
        stack.push_async_callback(looks.close)
        headers = {"Authorization": f"Bearer {await cloud.key()}"}
        http = await stack.enter_async_context(httpx2.AsyncClient(base_url=cloud.url, headers=headers, timeout=60))
        yield Stage(cloud, looks, network, bus, http, say)


async def _standing(world: World) -> str:
    page = await world.services.store.runs(roots_only=False, limit=10)
    return "; ".join(f"{run.id} {run.status} slice {run.slice}" for run in page.runs)


def _without_ids(state: dict[str, Any]) -> dict[str, Any]:
    """Runs by what they came to: their ids differ from play to play."""
    return {"runs": sorted(map(repr, state["runs"].values())), "notes": state["notes"]}
