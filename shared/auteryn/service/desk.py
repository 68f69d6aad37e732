"""Everything that can be asked of runs, in one place: what the HTTP routes and the SDK call."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from auteryn.errors import NotAllowed, NotFound, WrongState
from auteryn.policy.gates import may_answer
from auteryn.ports.store import Page, every_run
from auteryn.runtime.engine import Engine
from auteryn.runtime.spending import Spent
from auteryn.schema import inbox as m
from auteryn.schema.human import Answer, Ask
from auteryn.schema.post import Endpoint
from auteryn.schema.record import new_id
from auteryn.schema.run import Artifact, Run, Usage
from auteryn.service import (
    asks,
    bundle,
    costs,
    create,
    erase,
    estimate,
    follow,
    fork,
    links,
    listing,
    memories,
    spend,
    steer,
    stream,
    webhooks,
    why,
)
from auteryn.service.access import Access
from auteryn.service.asks import Question
from auteryn.service.context import Ledger, RunContext, context, ledger
from auteryn.service.delivery import Batch, StreamEvent
from auteryn.service.erase import Erased
from auteryn.service.estimate import Estimate, Forecast
from auteryn.service.fork import Fork
from auteryn.service.links import Link
from auteryn.service.listing import ANY, Planned, Wanted
from auteryn.service.logs import LogLine
from auteryn.service.memories import Memory
from auteryn.service.new import NewRun
from auteryn.service.progress import Standing, credit_usage, metrics, progress, standing, status_line
from auteryn.service.reading import Revision, published, revisions, scratchpad, tool_list, versions
from auteryn.service.steer import Unheard
from auteryn.service.tree import Version, usage_of
from auteryn.service.webhooks import Tested
from auteryn.service.why import RunHealth


class Desk:
    """The use cases of one owner. Every method checks first; runs of other owners do not exist here."""

    def __init__(self, engine: Engine, owner: str = "local") -> None:
        self._access = Access(engine, owner)
        self.owner = owner

    # ---- runs

    async def create(self, new: NewRun) -> Run:
        """The new run, stored and on its way. Raises `Invalid` before anything is written."""
        return await create.create(self._access, new)

    async def get(self, run: str) -> Run:
        return await self._access.run(run)

    async def runs(self, wanted: Wanted = ANY, *, limit: int = 50, cursor: str | None = None) -> Page:
        """The owner's runs, newest first; steps and ticks are found through their parents."""
        return await listing.runs(self._access, wanted, limit, cursor)

    async def everybodys(self, wanted: Wanted = ANY, *, limit: int = 50, cursor: str | None = None) -> Page:
        """The same of all owners: only for whoever may act for each of them."""
        return await listing.runs(self._access, wanted, limit, cursor, everybody=True)

    async def children(self, run: str, *, limit: int = 500, cursor: str | None = None) -> Page:
        """The runs of its steps and ticks, newest first."""
        return await listing.children(self._access, await self.get(run), limit, cursor)

    async def result(self, run: str, timeout: timedelta | None = None) -> Run:
        """The run once it has ended; raises `TimeoutError` if it has not within `timeout`, and it goes on."""
        return await follow.ended(self._access, run, timeout)

    # ---- steering

    async def cancel(self, run: str, by: str = "owner") -> Run:
        """Tell the whole tree to stop. A no-op for a cancelled run; raises `WrongState` for one that ended otherwise."""
        try:
            found = await self._access.live(run, "cancelled")
            await self._access.engine.tell(found, m.Cancel(id="cancel", sent_at=self._access.now(), by=by))
        except WrongState:
            if (found := await self.get(run)).status != "cancelled":
                raise
            return found
        return await self.get(run)

    async def pause(self, run: str, by: str = "owner") -> Run:
        """No new slice, call or step starts until it is resumed."""
        found = await self._access.live(run, "paused")
        await self._access.engine.tell(found, m.Pause(id=new_id("pause"), sent_at=self._access.now(), by=by))
        return await self.get(run)

    async def resume(self, run: str, by: str = "owner") -> Run:
        found = await self._access.live(run, "resumed")
        await self._access.engine.tell(found, m.Resume(id=new_id("resume"), sent_at=self._access.now(), by=by))
        return await self.get(run)

    async def send(
        self,
        run: str,
        text: str,
        mode: m.When = "steer",
        *,
        by: str = "owner",
        message_id: str | None = None,
    ) -> Run:
        """A message to the agent: `steer` before its next model call, `interrupt` at once, `queue` when it would otherwise end.

        With a `message_id` of the caller's a repeat is a no-op.
        """
        said = m.UserMessage(id=message_id or new_id("m"), sent_at=self._access.now(), text=text, mode=mode, by=by)
        return await steer.send(self._access, run, said)

    async def unheard(self, run: str) -> list[Unheard]:
        """Messages the agent has not heard yet, oldest first."""
        return await steer.unheard(self._access, (await self.get(run)).id)

    async def reword(self, run: str, message: str, text: str | None, by: str = "owner") -> Run:
        """Give an unheard message other words, or take it back (None); raises `WrongState` if it was heard."""
        return await steer.reword(self._access, run, message, text, by)

    async def rename(self, run: str, title: str, by: str = "owner") -> Run:
        return await steer.rename(self._access, run, title, by)

    async def change_step(self, run: str, step: int, description: str | None, by: str = "owner") -> Run:
        """A new description for a step that has not begun; None leaves the step out."""
        return await steer.change_step(self._access, run, step, description, by)

    async def retry(self, run: str, step: int | None = None, by: str = "owner") -> Run:
        """A live run does its failed step (or all of them) again. A failed or cancelled run stays as it is: a new run is
        returned, which keeps the results of the steps that completed."""
        found = await self.get(run)
        if not found.terminal:
            for number in steer.failed_steps(found, step):
                attempt = found.plan.step(number).attempt if found.plan else 0
                said = m.RetryStep(id=f"retry-{number}-{attempt}", sent_at=self._access.now(), step=number, by=by)
                await self._access.engine.tell(found, said)
            return found
        if found.status == "completed":
            raise WrongState(f"run {run!r} has completed: there is nothing to try again")
        if found.parent:
            raise WrongState(f"run {run!r} belongs to {found.parent.run!r}: retry that run, or its step {found.parent.key}")
        if found.is_question:
            raise WrongState(f"run {run!r} was only a question: ask it anew")
        return await create.again(self._access, found)

    async def schedules(self, run: str | None = None) -> list[Planned]:
        """Schedules with their next ticks: of one run, or those under way in all runs."""
        return await listing.schedules(self._access, run)

    async def end_schedule(self, run: str, schedule: str, by: str = "owner") -> Run:
        """Start no further tick of the schedule (its id or name); the run goes on."""
        return await listing.end_schedule(self._access, run, schedule, by)

    async def fork(self, run: str, wanted: Fork) -> Run:
        """A new run with this one's past up to an event, and a future of its own. Nothing it repeats reaches anybody
        unasked."""
        return await fork.fork(self._access, run, wanted)

    async def export(self, run: str) -> bytes:
        """The run and everything below it as one file, secrets struck out."""
        return await bundle.export(self._access, run)

    async def take_in(self, file: bytes) -> Run:
        """Import such a file: the run as it ended, or cancelled if it had not."""
        return await bundle.take_in(self._access, file)

    async def erase(self, run: str) -> Erased:
        """Erase an ended run, its steps, questions, notes and files from every store."""
        return await erase.erase(self._access, run)

    # ---- people

    async def asks(self, run: str | None = None, open_only: bool = True) -> list[Ask]:
        """Questions, oldest first: of all runs, or of one run and its steps."""
        return await asks.asks(self._access, run, open_only=open_only)

    async def answer(
        self,
        ask_id: str,
        value: Any,
        by: str = "owner",
        remember: bool = False,
        *,
        until: datetime | None = None,
        args: dict[str, Any] | None = None,
        again: bool = False,
    ) -> Answer:
        """Answer a question. Raises `Invalid` naming what may be answered, `NotAllowed` for somebody who is no approver,
        `WrongState` if it is closed. For a gate: `remember` keeps the answer for the rest of the run (or `until`), `args`
        changes the call that is allowed. `again`: this may repeat an answer whose reply was lost."""
        said = asks.Said(value=value, remember=remember, until=until, args=args)
        return await asks.answer(self._access, ask_id, said, by, again=again)

    async def ask(self, question: Question, *, key: str | None = None) -> Run:
        """A run that is only this question; it ends with the answer, and waiting costs nothing."""
        return await asks.ask(self._access, question, key=key)

    async def question(self, ask_id: str) -> Ask:
        """A question, open or not."""
        return await asks.question(self._access, ask_id)

    async def links(self, ask_id: str, by: str = "") -> list[Link]:
        """One-tap links that answer an open question in somebody's name (empty: the owner's); raises `NotAllowed` for who is no
        approver."""
        by = by or "owner"
        run, ask = await asks.open_ask(self._access, ask_id)
        if not self._access.engine.public_url:
            raise WrongState("AUTERYN_PUBLIC_URL is not set: links would lead nowhere")
        if not may_answer(ask, by):
            raise NotAllowed(f"question {ask_id!r} is for {', '.join(ask.approvers)} to answer, not for {by!r}")
        return await links.links(self._access.engine, run, ask, by)

    async def answered(self, run: str) -> Answer | None:
        """The answer a question run ended with."""
        return await asks.answer_of(self._access, await self.get(run))

    # ---- what is kept for later runs

    async def memories(self) -> list[Memory]:
        """What the owner's runs have saved for later ones, newest first."""
        return await memories.memories(self._access)

    async def forget(self, memory: str) -> None:
        """No later run finds it any more."""
        await memories.forget(self._access, memory)

    # ---- programs that hear of runs

    async def webhooks(self) -> list[Endpoint]:
        return await webhooks.endpoints(self._access)

    async def add_webhook(self, url: str, types: tuple[str, ...] = (), description: str = "") -> tuple[Endpoint, str]:
        """The endpoint and its secret, which is never shown again."""
        return await webhooks.add(self._access, url, types, description)

    async def rotate_webhook(self, endpoint: str) -> tuple[Endpoint, str]:
        return await webhooks.rotate(self._access, endpoint)

    async def remove_webhook(self, endpoint: str) -> None:
        await webhooks.remove(self._access, endpoint)

    async def test_webhook(self, endpoint: str) -> Tested:
        """Send a signed message without content now, and say what became of it."""
        return await webhooks.test(self._access, endpoint)

    # ---- how far it is

    async def progress(self, run: str) -> dict[str, Any]:
        """The spec's payload, exactly."""
        return progress(await self.get(run))

    async def standing(self, run: str) -> Standing:
        """Status, day, step and reason, all of the same moment."""
        found = await self.get(run)
        return replace(standing(found, self._access.now()), why=await why.why(self._access, found))

    async def status_line(self, run: str) -> str:
        """Such as "Day 2 of 7, Step 3/6 complete"."""
        return status_line(await self.get(run), self._access.now())

    async def why_waiting(self, run: str) -> str:
        """One sentence: why nothing happens now, or that something does; including why the steps it waits for wait."""
        return await why.why(self._access, await self.get(run))

    async def health(self, run: str) -> RunHealth:
        """Who works on it, when it was last written and wakes next, what is in its inbox, what the sweeper had to do."""
        return await why.health(self._access, await self.get(run))

    async def context(self, run: str) -> RunContext:
        """Which model has how much in mind, by what code, and where the trace is."""
        return await context(self._access, await self.get(run))

    async def ledger(self, run: str) -> Ledger:
        """What every turn of the model is shown word for word, and how often the conversation was summarised."""
        return await ledger(self._access, await self.get(run))

    async def counted(self, run: Run) -> Run:
        """With what its children under way have used so far, as in lists."""
        return await listing.counted(self._access, run)

    async def usage(self, run: Run) -> Usage:
        """What the run has used, and its children under way as far as they are."""
        return await usage_of(self._access.services.store, run)

    async def metrics(self, run: str) -> dict[str, Any]:
        """The spec's figures, over all slices; children under way are counted as far as they are."""
        found = await self.get(run)
        return metrics(found, await self.usage(found), self._access.now())

    async def credits(self, run: str, *, detail: bool = False) -> dict[str, Any]:
        """The spec's total and breakdown; with `detail`, by step, tool, model and cause, too."""
        found = await self.get(run)
        used = credit_usage(await self.usage(found))
        return {**used, "detail": msgspec.to_builtins(await costs.detail(self._access, found))} if detail else used

    async def estimate(self, text: str, mode: Literal["auto", "fast", "deep"] = "auto", steps: int = 0) -> Estimate:
        """What a task would cost, before it is started."""
        return await estimate.estimate(self._access, text, mode, steps)

    async def forecast(self, run: str) -> Forecast:
        """What a run will have cost when it ends."""
        found = await self.get(run)
        return await estimate.forecast(self._access, found, await self.usage(found))

    async def spend(self) -> Spent | None:
        """What the owner may spend now, and has spent; None without a limit."""
        return await spend.standing(self._access)

    # ---- what there is to read

    async def logs(self, run: str, level: str = "info", after: int = 0, limit: int | None = None) -> list[LogLine]:
        """Lines of this level and above, by `seq`, from after entry `after`; at most `limit` entries' worth."""
        return await follow.log_lines(self._access, run, level, after, limit)

    def log_tail(self, run: str, level: str = "info", after: int = 0) -> AsyncIterator[LogLine]:
        """The same, and then every new line until the run has ended."""
        return follow.log_tail(self._access, run, level, after)

    def log_pages(self, run: str, level: str = "info", after: int = 0) -> AsyncGenerator[list[LogLine]]:
        """The same in pages: each holds what was there at once."""
        return follow.log_pages(self._access, run, level, after)

    def events(self, run: str, after: str | None = None, tail: int | None = None) -> AsyncIterator[StreamEvent]:
        """The stream of the run and its children: everything after the cursor, then live, until the run has ended.

        Without a cursor, `tail` leaves out what happened before the newest so many events.
        """
        return stream.events(self._access, run, after, tail)

    def event_batches(
        self, run: str, after: str | None = None, tail: int | None = None, *, live: bool = True
    ) -> AsyncGenerator[Batch]:
        """The same in batches: each holds what was there at once. Unless `live`, only what has happened."""
        return stream.batches(self._access, run, after, tail, live=live)

    async def artifacts(self, run: str) -> tuple[Artifact, ...]:
        """Published files, those of steps under way included."""
        found = await self.get(run)
        below = [await self.artifacts(child) for child in found.shares]
        own = {artifact.path for artifact in found.artifacts}
        return (*found.artifacts, *(a for more in below for a in more if a.path not in own))

    async def published(self, run: str, path_or_id: str) -> Artifact:
        """The newest file of that path, or any version by its id; raises `NotFound` naming what there is."""
        return await published(self._access, await self.get(run), await self.artifacts(run), path_or_id)

    async def artifact(self, run: str, path_or_id: str) -> bytes:
        """The bytes of such a file, as it was published."""
        return await self._access.services.blobs.get((await self.published(run, path_or_id)).sha256)

    async def versions(self, run: str, path_or_id: str) -> list[Version]:
        """Every version of such a file, oldest first."""
        found = await self.published(run, path_or_id)
        return await versions(self._access, await self.get(run), found.path)

    async def revisions(self, run: str) -> list[Revision]:
        """How its plan changed, oldest first."""
        return await revisions(self._access, await self.get(run))

    async def scratchpad(self, run: str) -> dict[str, list[str]]:
        """Notes by section, of the whole tree."""
        return await scratchpad(self._access, await self.get(run))

    async def tools(self) -> list[dict[str, Any]]:
        """Every tool, and for those that cannot work here, why."""
        return tool_list(self._access.engine.registry)

    async def run_of_plan(self, plan_id: str) -> Run:
        """The run that carries out this plan."""
        async with aclosing(every_run(self._access.services.store, owner=self.owner)) as runs:
            async for run in runs:
                if run.plan and run.plan.id == plan_id and "fork_of" not in run.labels:
                    return await self.get(run.id)
        raise NotFound(f"no run has a plan {plan_id!r}")
