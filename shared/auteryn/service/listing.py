"""Lists of runs and schedules for people to look through."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from auteryn.errors import Invalid, NotFound, WrongState
from auteryn.ports.store import Page, every_run
from auteryn.schema import inbox as m
from auteryn.schema.record import Moment, Record
from auteryn.schema.run import ModeName, Run, Schedule, Status
from auteryn.service.access import Access
from auteryn.service.asks import askers
from auteryn.service.tree import usage_of

MOST_RUNS = 500
SCANNED = 2_000
"""Runs looked at for one page: a filter that fits hardly any gets a short page and a cursor instead of a long wait."""
NEXT_TICKS = 5
UNDER_WAY: tuple[Status, ...] = ("pending", "running", "waiting", "paused")


class Wanted(Record):
    """Which runs to list; a field that is left out filters nothing."""

    status: tuple[Status, ...] = ()
    mode: ModeName | None = None
    text: str = ""
    """Somewhere in the title or the id, whatever its case."""
    labels: dict[str, str] = {}
    asking: bool = False
    """It, or a run below it, has an open question."""
    since: Moment | None = None
    """Made then or later."""
    until: Moment | None = None
    """Made before."""
    least_credits: float = 0
    """Has cost at least so much."""

    def fits(self, run: Run) -> bool:
        """Whether the run fits. Its status was checked by the store; open questions are checked by `runs`."""
        text = self.text.casefold()
        return (
            self.mode in (None, run.mode)
            and (text in run.title.casefold() or text in run.id)
            and all(run.labels.get(name) == value for name, value in self.labels.items())
            and (self.since is None or run.created_at >= self.since)
            and (self.until is None or run.created_at < self.until)
            and run.usage.credits.total >= 1000 * self.least_credits
        )


ANY = Wanted()


async def runs(access: Access, wanted: Wanted, limit: int, cursor: str | None, *, everybody: bool = False) -> Page:
    """The owner's runs that fit, or everybody's, newest first. A page may be short though more follow: `next` says so."""
    if not 1 <= limit <= MOST_RUNS:
        raise Invalid("limit", limit, f"must be 1 to {MOST_RUNS}")
    found, at, looked, store = list[Run](), dict[str, datetime](), 0, access.services.store
    asking = dict[str, set[str]]()
    owner = None if everybody else access.owner
    while True:
        most = limit - len(found)
        page = await store.runs(owner=owner, status=wanted.status or None, limit=most, cursor=cursor)
        for run in filter(wanted.fits, [await counted(access, run) for run in page.runs]):
            if wanted.asking and run.owner not in asking:
                asking[run.owner] = await _asking(Access(access.engine, run.owner))
            if not wanted.asking or run.id in asking[run.owner]:
                found.append(run)
        at |= page.at
        older = wanted.since is not None and any(run.created_at < wanted.since for run in page.runs)
        looked, cursor = looked + most, None if older else page.next
        if cursor is None or len(found) > limit // 2 or looked >= SCANNED:
            return Page(runs=tuple(found), next=cursor, at=at)


async def children(access: Access, run: Run, limit: int, cursor: str | None) -> Page:
    """The runs of its steps and ticks, newest first."""
    page = await access.services.store.runs(parent=run.id, roots_only=False, limit=limit, cursor=cursor)
    return replace(page, runs=tuple([await counted(access, one) for one in page.runs]))


async def counted(access: Access, run: Run) -> Run:
    """With what its children under way have used so far: figures that only grow, whichever step is under way."""
    return replace(run, usage=await usage_of(access.services.store, run)) if run.shares else run


async def _asking(access: Access) -> set[str]:
    """The owner's runs with an open question, and the roots of those."""
    asking = [run async for _, run in askers(access) if run.asks]
    return {one for run in asking for one in (run.id, run.root)}


class Planned(Record):
    """A schedule and when it ticks next."""

    run: str
    title: str
    """Title of the run."""
    schedule: Schedule
    over: bool
    next: tuple[datetime, ...]
    """The next few ticks, by the grid; none if it is over or its run has ended."""


async def schedules(access: Access, run_id: str | None = None) -> list[Planned]:
    """The schedules of one run, the ended ones included, or those under way in all the owner's runs, newest run first."""
    if run_id is not None:
        run = await access.run(run_id)
        return [_planned(run, one) for one in run.schedules]
    under_way = every_run(access.services.store, owner=access.owner, status=UNDER_WAY)
    return [_planned(run, one) async for run in under_way for one in run.schedules if not one.over]


async def end_schedule(access: Access, run_id: str, schedule_id: str, by: str) -> Run:
    """Start no further tick; one at work goes on. A repeat changes nothing. Raises `NotFound`, `WrongState`."""
    run = await access.run(run_id)
    schedule = next((one for one in run.schedules if schedule_id in (one.id, one.name)), None)
    if schedule is None:
        there = ", ".join(one.id for one in run.schedules) or "none"
        raise NotFound(f"run {run_id!r} has no schedule {schedule_id!r}; it has {there}")
    run = await access.live(run_id, "changed")
    if schedule.over:
        raise WrongState(f"schedule {schedule_id!r} of run {run_id!r} is over")
    await access.engine.tell(run, m.EndSchedule(id=f"end-{schedule.id}", sent_at=access.now(), schedule=schedule.id, by=by))
    return await access.run(run_id)


def _planned(run: Run, schedule: Schedule) -> Planned:
    first, last = schedule.next_index, min(schedule.ticks, schedule.next_index + NEXT_TICKS)
    ticks = () if run.terminal else tuple(schedule.at(index) for index in range(first, last))
    return Planned(
        run=run.id,
        title=run.title,
        schedule=schedule,
        over=run.terminal or schedule.over,
        next=ticks,
    )
