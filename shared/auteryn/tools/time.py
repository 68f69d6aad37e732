"""Waiting and repeating. Nobody sleeps here: a wait is a fact, and the run's process ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Any, Literal

from msgspec import Meta

from auteryn.errors import Invalid, ToolFailed
from auteryn.policy import durations
from auteryn.policy.quotas import AUTO_TICKS_PER_DAY, SCHEDULES, SHORTEST_EVERY
from auteryn.schema.event import ScheduleCreated
from auteryn.schema.record import derived_id
from auteryn.schema.run import Run, Schedule, UntilTime
from auteryn.tools.cron import Cron
from auteryn.tools.tool import Pause, Permission, Result, ToolContext, tool
from auteryn.tools.workspace import Workspace

RHYTHM = 4
"""Work that took up to a fourth of the span since the last wake-up is part of the rhythm: the span counts from that wake-up."""


@tool(effect="idempotent", group="time", cost=0)
async def wait(
    ctx: ToolContext,
    until: Annotated[
        str, "A span (`90s`, `6h`, `1d`), an ISO time, or five cron fields (`0 9 * * mon-fri`)", Meta(min_length=1)
    ],
    reason: Annotated[str, "What you wait for"] = "",
    zone: Annotated[str, "Time zone of a cron expression, or of a time without offset"] = "UTC",
) -> Pause:
    """Sleep for seconds, hours or days; it costs nothing. Repeated waits of one span keep their rhythm and do not drift."""
    now = ctx.clock.now()
    try:
        at = moment(until, zone, now=now, anchor=ctx.anchor or now)
    except Invalid as error:
        raise ToolFailed("invalid", str(error)) from error
    if at > ctx.run.deadline_at:
        raise ToolFailed("invalid", f"until: {until!r} is after the end of this run ({durations.moment(ctx.run.deadline_at)})")
    return Pause(wait=UntilTime(at=at, call=ctx.call, reason=reason))


def moment(until: str, zone: str, *, now: datetime, anchor: datetime) -> datetime:
    """When a wait is over; raises `Invalid` for what is no time, or over already."""
    home = _zone(zone)
    if len(until.split()) == 5:
        return Cron(until, "until").next(now, home)
    if "-" in until or "T" in until:
        at = _iso(until, home, "until")
        if at <= now:
            raise Invalid("until", until, f"is past: it is {now:%Y-%m-%d %H:%M:%S} UTC now")
        return at
    return due(durations.parse(until, "until"), now=now, anchor=anchor)


def due(span: timedelta, *, now: datetime, anchor: datetime) -> datetime:
    """The end of a span that begins now, or at the anchor if the work since then was short beside it.

    A run that looks every six hours and works ten minutes each time still looks every six hours.
    """
    worked = now - anchor
    return (anchor if timedelta(0) <= worked <= span / RHYTHM else now) + span


# ---- schedules -----------------------------------------------------------------------------------------------


def _often_asks(args: dict[str, Any], _files: Workspace) -> Permission:
    try:
        span = durations.parse(args["every"], "every")
    except Invalid:
        return "auto"  # the call itself will refuse it, like one that is too short: nobody need be asked
    return "ask" if SHORTEST_EVERY <= span < timedelta(days=1) / AUTO_TICKS_PER_DAY else "auto"


@tool(
    effect="idempotent",
    group="time",
    cost=0,
    decide=_often_asks,
    target=lambda args: f"every {args['every']} until {args['until']}",
)
async def schedule(
    ctx: ToolContext,
    every: Annotated[str, "Span between two starts, e.g. `6h`"],
    instruction: Annotated[str, "What each run does; it sees this text, the files and the notes", Meta(min_length=1)],
    until: Annotated[str, "A span from now (`7d`) or an ISO time; it ends with this task at the latest"],
    name: Annotated[str, "What people call it"] = "",
    overlap: Annotated[Literal["skip", "queue"], "When the one before still runs"] = "skip",
    catch_up: Annotated[Literal["none", "one", "all"], "After an outage: which missed runs are made up"] = "one",
) -> Result:
    """Repeat a piece of work on a fixed grid, each time in a run of its own: the first at once, then every span."""
    now = ctx.clock.now()
    _refuse_more(ctx.run)
    try:
        span, end = durations.parse(every, "every"), _end(until, now)
        if span < SHORTEST_EVERY:
            raise Invalid("every", every, f"must be at least {durations.shown(SHORTEST_EVERY)}")
        if end <= now:
            raise Invalid("until", until, f"is past: it is {now:%Y-%m-%d %H:%M:%S} UTC now")
    except Invalid as error:
        raise ToolFailed("invalid", str(error)) from error
    made = Schedule(
        id=derived_id("sched", ctx.call),
        name=name or instruction[:60],
        instruction=instruction,
        start=now,
        every=span,
        until=min(end, ctx.run.deadline_at),
        overlap=overlap,
        catch_up=catch_up,
    )
    output = {
        "schedule": made.id,
        "runs": made.ticks,
        "first_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "until": f"{made.until:%Y-%m-%dT%H:%M:%SZ}",
    }
    return Result(output=output, events=(ScheduleCreated(schedule=made, call=ctx.call),))


def _refuse_more(run: Run) -> None:
    if run.parent:
        raise ToolFailed(
            "denied",
            "this run is part of another one and makes no schedules of its own: say in the result what is to be repeated",
        )
    if sum(not one.over for one in run.schedules) >= SCHEDULES:
        raise ToolFailed("quota", f"{SCHEDULES} schedules are under way in this run, the most there may be")


def _end(until: str, now: datetime) -> datetime:
    if "-" in until or "T" in until:
        return _iso(until, UTC, "until")
    return now + durations.parse(until, "until")


# ---- reading times -------------------------------------------------------------------------------------------


def _iso(text: str, zone: tzinfo, field: str) -> datetime:
    try:
        at = datetime.fromisoformat(text.strip())
        return (at.replace(tzinfo=zone) if at.tzinfo is None else at).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid(field, text, "must be a span such as '6h', or a time such as '2026-01-31T09:00:00Z'") from None


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid("zone", name, "must be a time zone such as 'Europe/Berlin' or 'UTC'") from None
