"""The certificate of the cloud shape: scenarios over HTTP, tasks and real processes, while everything between them fails.

Nothing of the engine is in this process: it plays the people, moves the time, loses the messages and kills the slices.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2

from auteryn.errors import Invalid
from auteryn.schema.plan import StepDraft
from auteryn.schema.record import new_id
from auteryn.schema.run import Run
from auteryn.testing.emulators.cloud import LocalCloud
from auteryn.testing.emulators.executions import Execution
from auteryn.testing.emulators.faults import Faults, Kind
from auteryn.testing.emulators.proxy import Proxy
from auteryn.testing.emulators.servers import FIRESTORE, host_of
from auteryn.testing.gemini import ScriptedGemini
from auteryn.testing.laws import broken_laws, mails, state_of
from auteryn.testing.scenarios import MAILS, SCENARIOS, Scenario, outside
from auteryn.testing.scripted import Ask, Line
from auteryn.testing.world import PATIENCE, World

PLAYED = tuple(name for name in SCENARIOS if name != "compaction")
"""Compaction needs thresholds of its own, which processes of a cloud have in common."""
HANG = 180
"""Real seconds of one scenario, then it counts as stuck."""
LOOK_SECONDS = 0.02
QUIET_LOOKS = 12
"""So often nothing was at work, one look after the other, before time is moved: a push takes a tenth of a second."""


class CloudWorld(World):
    """What people do, said to the API; what there is to see, read from the store. Time jumps when nothing is at work."""

    def __init__(self, cloud: LocalCloud, http: httpx2.AsyncClient, name: str = "") -> None:
        super().__init__(cloud.folder / "scratch")
        self.cloud, self._http, self._name = cloud, http, name or new_id("story")

    async def open(self, *, hosting: bool = True) -> CloudWorld:
        self._host, self.clock = self.cloud.host(), self.cloud.clock
        self._skipping = asyncio.create_task(self._skip())
        return self

    async def close(self) -> None:
        self._skipping.cancel()
        await asyncio.gather(self._skipping, return_exceptions=True)
        await super().close()

    async def start(self, text: str, *, plan: Sequence[str | StepDraft] = (), key: str | None = None, **how: Any) -> str:
        if how.keys() - {"mode"}:
            return await super().start(text, plan=plan, key=key and f"{self._name} {key}", **how)
        drafts = [StepDraft(description=step) if isinstance(step, str) else step for step in plan]
        steps = [{"description": step.description, "depends_on": step.depends_on} for step in drafts]
        body = {"input": text, "mode": how.get("mode", "deep"), **({"steps": steps} if steps else {})}
        headers = {"Idempotency-Key": f"{self._name} {key}"} if key else {}
        answer = await self._http.post("/v1/runs", json=body, headers=headers)
        answer.raise_for_status()
        return answer.json()["id"]

    async def until(self, run: str, condition: Callable[[Run], bool], patience: timedelta = PATIENCE) -> Run:
        async with asyncio.timeout(HANG):
            while not condition(found := await self.run(run)):  # noqa: ASYNC110 - other processes
                await asyncio.sleep(2 * LOOK_SECONDS)
        return found

    async def after(self, span: timedelta) -> None:
        self.cloud.clock.shift(span)

    async def _skip(self) -> None:
        """Where nobody is at work, it is the moment of the next wake at once; without one, a minute later."""
        quiet = 0
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            quiet = 0 if self.cloud.at_work else quiet + 1
            if quiet > QUIET_LOOKS:
                at = min((task.at for task in self.cloud.tasks.tasks(self.cloud.queue)), default=None)
                now = self.clock.now()
                self.cloud.clock.shift(max(at - now, timedelta()) if at else timedelta(minutes=1))
                quiet = 0


@dataclass(slots=True)
class Report:
    """What was done to one scenario and what came of it."""

    scenario: str
    seed: int | None
    executions: int = 0
    kills: int = 0
    faults: list[str] = field(default_factory=list[str])
    state: dict[str, Any] = field(default_factory=dict[str, Any])
    broken: list[str] = field(default_factory=list[str])

    @property
    def holds(self) -> bool:
        return not self.broken


class Stage:
    """One local cloud on which scenarios are played, one after the other, with a network that can fail."""

    def __init__(self, cloud: LocalCloud, network: Proxy, http: httpx2.AsyncClient, say: _Script) -> None:
        self.cloud, self.network, self._http, self._say = cloud, network, http, say

    async def play(self, name: str, *, seed: int | None = None, kill_at: int | None = None) -> Report:
        """The scenario to its end, and the laws it broke. `seed`: under a schedule of faults; `kill_at`: every slice that is at
        work when this commit has passed dies, and every frozen one comes back later."""
        if name not in PLAYED:
            raise Invalid("scenario", name, f"is none of {', '.join(PLAYED)}")
        scenario = SCENARIOS[name]
        self._say.script = scenario.script
        (outside(self.cloud.folder / "scratch") / MAILS).unlink(missing_ok=True)
        before = len(self.cloud.executions)
        report = Report(name, seed)
        async with CloudWorld(self.cloud, self._http) as world:
            with contextlib.ExitStack() as stack:
                if seed is not None:
                    stack.enter_context(self._failing(report, random.Random(seed)))
                if kill_at is not None:
                    stack.enter_context(self._dying(report, kill_at))
                try:
                    run = await asyncio.wait_for(self._played(scenario, world), HANG)
                except TimeoutError:
                    report.broken.append(f"it did not end within {HANG} s: {await _standing(world)}")
                    return report
            await self._still(before)
            report.executions = len(self.cloud.executions) - before
            report.broken += await broken_laws(world, run)
            report.state = _without_ids(await state_of(world, run), len(mails(world.home)))
        return report

    async def _played(self, scenario: Scenario, world: World) -> str:
        """People whose connection breaks say it again."""
        while True:
            try:
                return await scenario.play(world)
            except httpx2.HTTPError:
                await asyncio.sleep(LOOK_SECONDS)

    async def _still(self, before: int) -> None:
        """No slice of this scenario is left."""
        for one in self.cloud.executions[before:]:
            self.cloud.jobs.thaw(one)
            if one.state != "waiting":
                await asyncio.wait_for(one.over.wait(), HANG)

    # ---- what goes wrong

    @contextlib.contextmanager
    def _failing(self, report: Report, chance: random.Random) -> Any:
        tasks, jobs, network = self.cloud.tasks.faults, self.cloud.jobs.faults, self.network.faults
        possible: list[tuple[Faults, str, Kind]] = [
            (tasks, "delivery", "duplicate"),
            (tasks, "delivery", "drop"),
            (tasks, "delivery", "delay"),
            (tasks, "CreateTask", "lose"),
            (tasks, "CreateTask", "refuse"),
            (jobs, "start", "twice"),
            (jobs, "start", "never"),
            (jobs, "RunJob", "lose"),
            (jobs, "RunJob", "refuse"),
            (jobs, "RunJob", "busy"),
            (network, "Commit", "lose"),
            (network, "Commit", "refuse"),
            (network, "BatchGetDocuments", "refuse"),
            (network, "RunQuery", "refuse"),
        ]
        for faults, point, kind in chance.sample(possible, 7):
            after = chance.randrange(1, 40 if faults is network else 6)
            faults.plan(point, kind, after=after, span=timedelta(seconds=chance.randrange(1, 90)))
            report.faults.append(f"{kind} {point} after {after}")
        killing = asyncio.ensure_future(self._kill(report, chance))
        try:
            yield
        finally:
            killing.cancel()
            for faults in (tasks, jobs, network):
                faults.heal()

    async def _kill(self, report: Report, chance: random.Random) -> None:
        """One slice is killed and one freezes and thaws, each at some moment of its life."""
        for what in chance.sample(["kill", "freeze"], 2):
            victim = await self._somebody(at=chance.randrange(1, 8))
            if what == "kill":
                self.cloud.jobs.kill(victim)
                report.kills += 1
            else:
                self.cloud.jobs.freeze(victim)
                self.cloud.frozen.add(victim.name)
                self.cloud.clock.shift(timedelta(seconds=61))
                await asyncio.sleep(1)
                self.cloud.jobs.thaw(victim)
                self.cloud.frozen.discard(victim.name)
            report.faults.append(f"{what} {victim.name.rpartition('/')[2]}")

    async def _somebody(self, at: int) -> Execution:
        """A slice that is at work, once so many commits have passed."""
        from_here = self.network.calls["Commit"]
        while True:
            working = [one for one in self.cloud.executions if one.state == "running" and one.pid]
            if working and self.network.calls["Commit"] >= from_here + at:
                return working[-1]
            await asyncio.sleep(0.002)

    @contextlib.contextmanager
    def _dying(self, report: Report, kill_at: int) -> Any:
        first = self.network.calls["Commit"]

        def passed(method: str) -> None:
            if method == "Commit" and self.network.calls["Commit"] - first == kill_at:
                for one in self.cloud.executions:
                    if one.state == "running":
                        self.cloud.jobs.kill(one)
                        report.kills += 1

        self.network.passed = passed
        try:
            yield
        finally:
            self.network.passed = None


@dataclass(slots=True)
class _Script:
    script: Callable[[Ask], Line]

    def __call__(self, ask: Ask) -> Line:
        return self.script(ask)


@asynccontextmanager
async def stage(folder: Path) -> AsyncGenerator[Stage]:
    """A local cloud whose slices have the scenarios' tools and model."""
    say = _Script(SCENARIOS["plan"].script)
    async with AsyncExitStack() as stack:
        gemini = await stack.enter_async_context(ScriptedGemini(say))
        network = await stack.enter_async_context(Proxy(host_of(FIRESTORE)))
        environ = {
            "AUTERYN_TOOLS": "auteryn.testing.scenarios",
            "GEMINI_API_KEY": "none",
            "GOOGLE_GEMINI_BASE_URL": gemini.url,
        }
        cloud = await stack.enter_async_context(LocalCloud(folder, environ, firestore=network.host, sweep_every=SWEEP))
        headers = {"Authorization": f"Bearer {await cloud.key()}"}
        http = await stack.enter_async_context(httpx2.AsyncClient(base_url=cloud.url, headers=headers, timeout=60))
        yield Stage(cloud, network, http, say)


SWEEP = timedelta(seconds=30)


async def main(names: Sequence[str], seeds: Sequence[int], tell: Callable[[Report], None]) -> list[Report]:
    """Every scenario undisturbed, then once for each seed; what it comes to must be the same."""
    import tempfile

    reports = list[Report]()
    with tempfile.TemporaryDirectory(prefix="auteryn-chaos-", ignore_cleanup_errors=True) as folder:
        async with stage(Path(folder)) as there:
            for name in names or PLAYED:
                plain = await there.play(name)
                reports.append(plain)
                tell(plain)
                for seed in seeds:
                    report = await there.play(name, seed=seed)
                    reports.append(report)
                    tell(report)
    return reports


async def _standing(world: World) -> str:
    page = await world.services.store.runs(roots_only=False, limit=10)
    return "; ".join(f"{run.id} {run.status} slice {run.slice}" for run in page.runs)


def _without_ids(state: dict[str, Any], effects: int) -> dict[str, Any]:
    """Runs by what they came to: their ids differ from play to play."""
    return {"runs": sorted(map(repr, state["runs"].values())), "notes": state["notes"], "effects": effects}
