"""Appointments as files every calendar opens, with the rules of their time zone inside."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from msgspec import Meta

from auteryn.errors import Invalid, ToolFailed
from auteryn.tools import foreseen
from auteryn.tools.email import address
from auteryn.tools.needs import no_calendar
from auteryn.tools.tool import ToolContext, tool

MOST_ATTENDEES = 100


@tool(
    effect="idempotent",
    group="communicate",
    missing=no_calendar,
    preview=foreseen.appointment,
    serial=lambda args: str(args["path"]),
)
async def calendar_create(
    ctx: ToolContext,
    path: Annotated[str, "The file to write, .ics; one that is there is replaced"],
    title: Annotated[str, "What it is", Meta(min_length=1, max_length=500)],
    start: Annotated[str, "2026-03-30T09:00 in the time zone tz, or 2026-03-30 for whole days"],
    end: Annotated[str, "As start; the last day of whole days"],
    tz: Annotated[str, "Such as Europe/Berlin"] = "UTC",
    attendees: Annotated[list[str], "E-mail addresses", Meta(max_length=MOST_ATTENDEES)] = [],  # noqa: B006 - never changed
    rrule: Annotated[str | None, "Repetition, such as FREQ=WEEKLY;BYDAY=MO;COUNT=10"] = None,
    location: Annotated[str, "Where it is"] = "",
    description: Annotated[str, "What it is about"] = "",
) -> dict[str, Any]:
    """Write an appointment as an .ics file, to attach to a mail. Nobody is invited by it alone."""
    if not path.lower().endswith(".ics"):
        raise ToolFailed("unsupported", f"path: {path!r} must end in .ics")
    first, last = _moment("start", start, tz), _moment("end", end, tz)
    if type(first) is not type(last):
        raise _invalid("end", end, "must be a day if start is one, and a time if start is one")
    if not isinstance(first, datetime):
        last += timedelta(days=1)  # RFC 5545: the end of whole days is the day after
    if last <= first:
        raise _invalid("end", end, f"must be later than start ({start})")
    body = _written(ctx, title, first, last, attendees, rrule, location, description)
    found = ctx.files.write(path, body)
    return {"path": path, "size_bytes": found.size_bytes, "start": first.isoformat(), "end": last.isoformat()}


def _written(
    ctx: ToolContext, title: str, first: date, last: date, attendees: Sequence[str], rrule: str | None, location: str, text: str
) -> bytes:
    import icalendar

    calendar: Any = icalendar.Calendar()
    calendar.add("prodid", "-//Auteryn//EN")
    calendar.add("version", "2.0")
    event: Any = icalendar.Event()
    event.add("uid", f"{ctx.key}@auteryn")
    event.add("dtstamp", ctx.run.created_at)
    event.add("summary", title)
    event.add("dtstart", first)
    event.add("dtend", last)
    for one in attendees:
        event.add("attendee", f"mailto:{address(one, 'attendees').addr_spec}")
    if rrule:
        event.add("rrule", _rule(rrule))
    for name, value in (("location", location), ("description", text)):
        if value:
            event.add(name, value)
    calendar.add_component(event)
    if isinstance(first, datetime):
        calendar.add_missing_timezones()
    return bytes(calendar.to_ical())


def _moment(field: str, text: str, tz: str) -> date:
    """A day, or a time with its zone; raises `ToolFailed("invalid")` for one that does not exist there."""
    from zoneinfo import ZoneInfo  # 3 ms, and few runs have appointments

    try:
        zone = ZoneInfo(tz)
    except (ValueError, OSError, LookupError) as error:
        raise _invalid("tz", tz, "must be the name of a time zone such as Europe/Berlin") from error
    try:
        if len(text.strip()) == 10:
            return date.fromisoformat(text.strip())
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise _invalid(field, text, "must be a time such as 2026-03-30T09:00, or a day such as 2026-03-30") from error
    if found.tzinfo is not None:
        return found.astimezone(zone)
    there = found.replace(tzinfo=zone)
    if there.astimezone(ZoneInfo("UTC")).astimezone(zone).replace(tzinfo=None) != found:
        raise _invalid(field, text, f"does not exist in {tz}: the clocks are put forward then")
    return there


def _rule(text: str) -> Any:
    import icalendar

    try:
        rule: Any = icalendar.vRecur.from_ical(text.removeprefix("RRULE:"))
        if "FREQ" not in rule or str(rule["FREQ"][0]).upper() not in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY", "HOURLY"):
            raise ValueError(text)
        rule.to_ical()
    except (ValueError, KeyError, TypeError) as error:
        raise _invalid("rrule", text, "must be a rule such as FREQ=WEEKLY;BYDAY=MO;COUNT=10") from error
    return rule


def _invalid(field: str, value: Any, rule: str) -> ToolFailed:
    return ToolFailed("invalid", str(Invalid(field, value, rule)))
