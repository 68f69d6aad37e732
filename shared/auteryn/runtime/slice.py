"""The slice: one sitting of work on a run.

It takes the lease, reads the inbox, lets the loop think, and commits every fact before the loop goes on. It ends when the
run has ended, must wait, or the sitting's time is up; then whoever is due next is only enqueued.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing, suppress
from datetime import timedelta
from functools import partial
from typing import Any, Literal

from msgspec.structs import replace

from auteryn.agent.loop import resting, think
from auteryn.agent.mind import Facts, Mind, uncommitted
from auteryn.agent.thread import Thread
from auteryn.agent.waits import waits_over
from auteryn.errors import Conflict, Corrupt, Unavailable, Unread
from auteryn.policy.limits import INBOX_LOOK, LAST_CALLS, LEASE, last_moment
from auteryn.policy.modes import MODES
from auteryn.ports.store import Lease
from auteryn.runtime.children import advance
from auteryn.runtime.counting import completed, cut_off, log_slice, may_call, reservation
from auteryn.runtime.due import wake_at
from auteryn.runtime.engine import Engine
from auteryn.runtime.files import open_keys, touches_files
from auteryn.runtime.intake import Intake, expired, take_in
from auteryn.runtime.lost import tell_parent
from auteryn.runtime.memory import recalled
from auteryn.runtime.outbox import posts
from auteryn.runtime.outgoing import all_wait_after, children_ended, documents, sends_of, touches_children
from auteryn.runtime.receipt import cancelled
from auteryn.schema import event as e
from auteryn.schema import inbox as m
from auteryn.schema.change import SUMMARY_EVERY, Change, Doc, Newborn, Send
from auteryn.schema.fold import after, and_then
from auteryn.schema.record import new_id
from auteryn.schema.run import Run
from auteryn.tools.sitting import Sitting, seen_through
from auteryn.tools.workspace import Workspace


async def run_slice(engine: Engine, run_id: str, *, budget: timedelta | None = None, thinks: bool = True) -> None:
    """Work on the run until it has ended, waits or hands over. Returns at once if another slice is at work on it.

    `budget`: this host's time, if shorter than the mode's. Without `thinks` neither model nor tool is called: the inbox is
    read, what may start is started; if that is not all, the run is handed over."""
    services, now = engine.services, engine.now()
    lease = await services.store.take_lease(run_id, holder=engine.holder, now=now, until=now + LEASE)
    if lease is None:
        return
    sitting: Slice | None = None
    try:
        run, journal = await services.store.opened(run_id)
        if run.terminal:
            return
        sitting = Slice(engine, run, lease, budget=budget, thinks=thinks)
        await sitting.work(journal)
    except Conflict:
        return  # another slice has taken over: nothing of ours was written, nothing of ours may follow
    except Corrupt as error:
        await tell_parent(engine, run_id, str(error))
        return
    except asyncio.CancelledError:
        if sitting is not None:
            await sitting.hand_over()
        raise
    finally:
        engine.leave(run_id, sitting)
        if sitting is not None:
            if not sitting.at_rest():
                await seen_through(sitting.close())
            log_slice(sitting.run, sitting.credits)
        if sitting is None or not sitting.left:
            await services.store.give_back(lease)
    if sitting and not sitting.run.terminal and await services.store.inbox(run_id, limit=1):
        await engine.hint(services.queue.enqueue(run_id, engine.now()))


class Slice:
    """The state of one sitting. `run` and the thread are always what the store holds."""

    def __init__(self, engine: Engine, run: Run, lease: Lease, *, budget: timedelta | None = None, thinks: bool = True) -> None:
        self.engine, self.services, self.run, self.lease = engine, engine.services, run, lease
        self.began = self.looked = engine.now()
        mode = MODES[run.mode]
        self.stop_at = self.began + mode.slice_time - mode.slice_margin
        self.hosted_until = None if budget is None else self.began + budget  # then it is handed over, whatever its mode
        self.thinks, self.open = thinks, Sitting()
        self.files: Workspace | None = None
        self.first: tuple[e.AnyEvent, ...] = (e.SliceStarted(slice=lease.number, host=engine.holder, code=engine.code),)
        self.left = self.begun = self.committing = False  # begun: the journal is read, and there is something to hand over
        self.interrupt: Literal["", "inbox", "lost", "stop"] = ""
        self.busy: asyncio.Task[Any] | None = None  # the task that thinks, while it may be interrupted
        self.unsummarised = self.credits = 0
        self.unsaved: tuple[Doc, ...] = ()  # of the files; a commit that was refused leaves it to the next one

    async def work(self, journal: Sequence[e.Entry] | None = None) -> None:
        """The whole sitting. `journal`: all of it, where it has been read."""
        thread, failed = await recalled(self.services.store, self.run, self.lease, journal)
        self.mind = await self._mind(thread)
        self.first = (*self.first, *cut_off(self.run, self.lease, thread))
        self.begun = True
        self.engine.enter(self.run.id, self)
        if failed:
            await self._commit((failed,), leave=True)
        while not self.left:
            await self._read_inbox()
            if self.left:
                return
            why = await self._think() if self.thinks or self._paused() or resting(self.mind) else "handed_over"
            if why == "interrupted":
                continue
            if not self.left:
                await self._leave(why)

    async def hand_over(self) -> None:
        """Stopped from outside: the run is handed over, and what was sent for the answer under way is counted exactly.

        One that came to nothing in all its time hands nothing over: what it met may be poison (F29).
        """
        if self.begun and not self.left and not (self.run.stalls and self.engine.now() >= self.stop_at):
            with suppress(Conflict, Unavailable):
                await self._leave("paused" if self._paused() else "handed_over")

    # ---- thinking

    async def _think(self) -> Literal["waiting", "handed_over", "paused", "interrupted"]:
        """Run the loop; a cancel, a pause or a lost lease interrupts whatever it awaits."""
        if self._paused():
            return "paused"
        self.busy = task = asyncio.current_task()
        self.mind.commit = self._meanwhile
        try:
            if not self.interrupt:  # else it came while nobody was busy
                await self._loop()
        except asyncio.CancelledError:
            if not self.interrupt or (task and task.uncancel()):  # stopped from outside: the sitting itself ends
                raise
        finally:
            self.busy, self.mind.commit = None, uncommitted  # nothing holds a sitting that is over
        if self.interrupt == "lost" and not self.left:
            raise Conflict(f"run {self.run.id!r}: the lease was lost")
        if self.interrupt:
            why, self.interrupt = self.interrupt, ""
            return "handed_over" if why == "stop" else "interrupted"
        if self._paused():
            return "paused"
        return "handed_over" if self._time_is_up() and not self.mind.wait_for and not self.mind.thread.calls else "waiting"

    async def _loop(self) -> None:
        async with aclosing(think(self.mind)) as thoughts:
            async for facts in thoughts:
                try:
                    await (self._leave("waiting", facts) if all_wait_after(self.mind.thread, facts) else self._commit(facts))
                except Unread:  # somebody spoke before the end: the run goes on and answers
                    self.looked -= INBOX_LOOK
                    if facts[:-1]:
                        await self._commit(facts[:-1])
                    if self.busy and self.busy.cancelling():  # stopped while it was refused
                        raise asyncio.CancelledError from None
                between_turns = not self.mind.thread.calls
                if self.left or self.interrupt or (between_turns and self._time_is_up()):
                    return
                if between_turns and self.engine.now() - self.looked >= INBOX_LOOK:
                    await self._read_inbox()
                    if self.left or self._paused():
                        return

    def _paused(self) -> bool:
        return self.run.status == "paused" and self.engine.now() < last_moment(self.run)

    def _time_is_up(self) -> bool:
        now = self.engine.now()
        return (self.hosted_until is not None and now >= self.hosted_until) or (self.run.mode == "deep" and now >= self.stop_at)

    # ---- the inbox

    async def look(self) -> None:
        """Called by the keeper, and with a message from here: an urgent one waits for nothing, others for the next turn."""
        messages = await self.services.store.inbox(self.run.id) if self.busy and not self.interrupt else None
        if messages is None or messages:
            self.looked -= INBOX_LOOK
        if messages and not self.interrupt and any(map(m.is_urgent, messages)):
            self._interrupt("inbox")

    async def beat(self) -> None:
        """Renew the lease, unless what should stop does not (F23); if it was lost, stop at once: somebody else is at work."""
        if self.interrupt and not self.committing:
            return
        try:
            self.lease = await self.services.store.renew(self.lease, until=self.engine.now() + LEASE)
        except Conflict:
            self._interrupt("lost")

    def stop(self) -> None:
        """Hand the run over: after the calls under way if they end soon, else without their answers, as after a crash."""
        self.hosted_until = self.engine.now()
        calls = self.busy is not None and bool(self.mind.thread.calls)
        asyncio.get_running_loop().call_later(LAST_CALLS.total_seconds() if calls else 0, self._interrupt, "stop")

    def _interrupt(self, why: Literal["inbox", "lost", "stop"]) -> None:
        """Stop what is awaited now; a commit that is on its way is let through first, so that memory and store agree."""
        before, self.interrupt = self.interrupt, why
        if self.busy and not (self.committing or self.left or before):
            self.busy.cancel()

    async def _read_inbox(self) -> None:
        """Take in everything that arrived, and start what may start because of it."""
        self.looked = now = self.engine.now()
        for silence in expired(self.run, now):
            await self.services.store.send(self.run.id, silence)
        intake = take_in(self.run, self.mind.thread, await self.services.store.inbox(self.run.id), now)
        if intake.cancel:
            await self._cancel(intake, intake.cancel.by)
        elif intake.halted:
            await self._commit((*intake.events, intake.halted), consumed=intake.consumed, leave=True)
        elif intake.events or intake.consumed or self.first[1:] or (self.first and not may_call(self.run)):
            over = waits_over(self.mind, intake.events) if self.thinks and not intake.paused else ()
            await self._commit((*intake.events, *over), consumed=intake.consumed, sends=intake.sends, lasting=False)
        await self._advance()
        if intake.more and not self.left:
            await self._read_inbox()

    async def _cancel(self, intake: Intake, by: str) -> None:
        fact = cancelled(self.run, self.mind.thread, by, self._active_ms())
        answers = tuple(event for event in intake.events if isinstance(event, e.AskAnswered))  # what came before the cancel
        await self._commit((*answers, fact), consumed=intake.consumed, leave=True)

    async def _advance(self) -> None:
        """Create the runs of everything that may start now; one commit for as many as fit into one."""
        while not self.left and not self.run.terminal:
            events, children = advance(self.run, self.mind.thread.task, self.engine.now())
            if not events:
                return
            await self._commit(events, children=children)

    # ---- committing

    async def _commit(
        self,
        facts: tuple[e.AnyEvent, ...],
        *,
        consumed: Sequence[str] = (),
        sends: Sequence[Send] = (),
        children: tuple[Newborn, ...] = (),
        leave: bool = False,
        lasting: bool = True,
    ) -> None:
        """Make these facts true, then tell whoever should know. Raises `Conflict` if another slice was first."""
        now = self.engine.now()
        events = completed(self.mind, (*self.first, *facts), len(self.first), self._active_ms)
        entry = e.Entry(seq=self.run.seq + 1, at=now, slice=self.lease.number, commit=new_id("c"), events=events)
        run = after(self.run, entry)
        if reserved := reservation(run):
            entry = replace(entry, events=(*events, reserved))
            run = and_then(run, entry, reserved)
        leave, sends = leave or run.terminal, (*sends, *sends_of(self.run, run, events, now))
        starts = touches_children(events)
        summary = leave or bool(self.first) or self.unsummarised + 1 >= SUMMARY_EVERY or starts
        self.committing = True
        try:
            keys = open_keys(self.mind.thread, events) if leave or touches_files(events) else None
            self.unsaved += () if keys is None else await self.engine.files.changed(run, self.mind.files, keys, now)
            told = await posts(self.engine, self.run, run, events, now)
            change = Change(
                run=run,
                entry=entry,
                consumed=tuple(consumed),
                sends=sends,
                children=children,
                docs=(*documents(self.run, run, events, now), *told, *self.unsaved),
                summary=summary,
                leave=leave,
                wake_at=wake_at(run) if leave else None,
                lasting=lasting or leave or bool(sends or told),
            )
            stopped: asyncio.CancelledError | None = None
            try:
                await self.services.store.commit(change)
            except asyncio.CancelledError as error:  # said again it is made once: memory and store agree
                stopped = error
                await self.services.store.commit(change)
            self.services.bus.tell(run.root, run.id, run.seq)
            self._is_true(change)
            if stopped:
                raise stopped
        finally:
            self.committing = False
        await self._tell(sends, children, told)
        if children_ended(events) and not leave:
            await self.engine.files.news(run, self.mind.files)
        if starts and not children:
            await self._advance()

    async def _meanwhile(self, *facts: e.AnyEvent) -> None:
        """Make facts true in the middle of a turn or a call. What interrupts and came with them interrupts it now."""
        await self._commit(facts)
        if self.interrupt and self.busy:
            self.busy.cancel()
            await asyncio.sleep(0)

    def at_rest(self) -> bool:
        """The sitting is over; whether there is nothing to `close`, as after nearly every one."""
        nothing_open, owes_nothing = self.open.shut(), self.engine.spending.at_rest(self.run.owner)
        return nothing_open and owes_nothing and (self.files is None or self.engine.files.at_rest(self.files))

    async def close(self) -> None:
        """The sitting is over, however it ended: nothing of it stays open, nor on this machine what is kept elsewhere."""
        await self.open.close()
        await self.engine.spending.left(self.run.owner, self.run.id)
        if self.files is not None:
            await self.engine.files.end(self.files)

    def _is_true(self, change: Change) -> None:
        before, run, entry = self.run, change.run, change.entry
        self.run = self.mind.run = run
        self.mind.thread.add(entry)
        self.credits += self.engine.spending.spent(run, entry.events)
        self.first, self.unsaved, self.left, self.mind.sent = (), (), change.leave, 0
        self.unsummarised = 0 if change.summary else self.unsummarised + 1
        if self.engine.observer:
            self.engine.observer.committed(before, run, entry)

    async def _tell(self, sends: Sequence[Send], children: tuple[Newborn, ...], told: tuple[Doc, ...]) -> None:
        """Hints, all of them: whatever is lost here is found again by `due`."""
        for told_of in (*(send.run for send in sends), *(post.id for post in told)):
            await self.engine.wake(told_of)
        if children:
            await self.engine.hint(self.services.bus.publish_steps([child.run.id for child in children]))

    async def _leave(self, why: Literal["waiting", "handed_over", "paused"], facts: Facts = ()) -> None:
        """The last commit of a sitting that does not end the run; then whoever is due next is enqueued."""
        left = e.Left(why=why, waits=tuple(self.mind.wait_for), active_ms=self._active_ms())
        await self._commit((*facts, left), leave=True)
        if (at := wake_at(self.run)) is not None:
            await self.engine.hint(self.services.queue.enqueue(self.run.id, max(at, self.engine.now())))

    async def _mind(self, thread: Thread) -> Mind:
        self.files = await self.engine.files.begin(self.run, open_keys(thread, ()))
        return Mind(
            run=self.run,
            thread=thread,
            services=self.services,
            registry=self.engine.registry,
            files=self.files,
            settings=self.engine.settings,
            on_delta=partial(self.services.bus.delta, self.run.root, self.run.id),
            stop_at=self.stop_at,
            room=partial(self.engine.spending.room, self.run.owner, self.run.id),
            sitting=self.open,
            egress=self.engine.egress,
        )

    def _active_ms(self) -> int:
        return round((self.engine.now() - self.began).total_seconds() * 1000)
