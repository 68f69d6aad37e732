"""`due`: never Nothing while something is promised."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from auteryn.policy.limits import last_moment
from auteryn.ports.store import Lease
from auteryn.runtime.children import advance
from auteryn.runtime.due import Later, Nothing, Now, due, wake_at
from auteryn.schema.human import Ask
from auteryn.schema.routing import Decision
from auteryn.schema.run import (
    Channel,
    ForBudget,
    ForPerson,
    ForRateLimit,
    ForSteps,
    Input,
    Limits,
    Options,
    Run,
    Schedule,
    UntilTime,
)
from conformance.samples import fresh

NOW = datetime(2026, 1, 5, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
moments = st.integers(-48, 24 * 8).map(lambda hours: NOW + timedelta(hours=hours))
waits = st.one_of(
    moments.map(lambda at: UntilTime(at=at, call="call_1")),
    moments.map(lambda at: ForRateLimit(at=at)),
    st.sampled_from([ForSteps(), ForBudget(), ForPerson(ask="ask_1")]),
)
asks = st.builds(
    Ask,
    id=st.just("ask_1"),
    run=st.just("run_1"),
    message=st.just("?"),
    opened_at=st.just(NOW),
    expires_at=st.none() | moments,
    on_timeout=st.sampled_from(["wait", "default", "deny", "halt"]),
    kind=st.sampled_from(["approval", "budget"]),
)
schedules = st.builds(
    Schedule,
    id=st.just("sched_1"),
    name=st.just("s"),
    instruction=st.just("i"),
    start=moments,
    every=st.sampled_from([timedelta(hours=1), timedelta(hours=6)]),
    until=moments,
    overlap=st.sampled_from(["skip", "queue"]),
    next_index=st.integers(0, 5),
    running=st.sampled_from([(), ("run_2",)]),
)
runs = st.builds(
    Run,
    id=st.just("run_1"),
    title=st.just("t"),
    mode=st.just("deep"),
    routing=st.just(Decision(mode="deep", stage="forced", confidence=1.0, sure=True, reason="")),
    created_at=st.just(NOW - timedelta(days=1)),
    deadline_at=st.just(NOW + timedelta(days=6)),
    limits=st.just(Limits(llm_calls=100)),
    status=st.sampled_from(["pending", "running", "waiting", "paused", "completed", "failed", "cancelled"]),
    waits=st.lists(waits, max_size=3).map(tuple),
    asks=st.lists(asks, max_size=1).map(tuple),
    schedules=st.lists(schedules, max_size=2).map(tuple),
    over_time=st.booleans(),
    concluding=st.sampled_from(["", "told to stop"]),
)
leases = st.none() | st.integers(-90, 90).map(
    lambda s: Lease(run="run_1", holder="h", number=1, until=NOW + timedelta(seconds=s))
)


@pytest.mark.proves("L3", "L4", "L10")
@given(runs, st.booleans(), leases)
def test_a_run_that_has_not_ended_always_has_somebody_or_some_moment(run: Run, unread: bool, lease: Lease | None) -> None:
    match due(run, NOW, unread=unread, lease=lease):
        case Nothing():
            assert run.terminal
        case Later(at=at):
            assert not run.terminal and NOW < at <= max(last_moment(run), NOW + timedelta(seconds=90))
        case Now():
            assert not run.terminal and (lease is None or lease.until <= NOW)


@pytest.mark.proves("L4")
@given(runs, st.booleans(), st.integers(0, 24 * 9))
def test_what_is_due_stays_due_until_somebody_acts(run: Run, unread: bool, hours: int) -> None:
    if isinstance(due(run, NOW, unread=unread, lease=None), Now):
        assert isinstance(due(run, NOW + timedelta(hours=hours), unread=unread, lease=None), Now)


@pytest.mark.proves("L3")
@given(runs)
def test_a_run_is_due_exactly_at_the_moment_it_named(run: Run) -> None:
    at = wake_at(run)
    if at is None:
        assert run.terminal
        return
    assert isinstance(due(run, max(at, NOW), unread=False, lease=None), Now)
    if run.status in ("waiting", "paused") and at > NOW:
        assert due(run, NOW, unread=False, lease=None) == Later(at=at)


@pytest.mark.proves("L4", "P65")
@given(runs)
def test_a_run_is_woken_for_a_tick_only_where_it_begins_or_is_accounted_for(run: Run) -> None:
    at = wake_at(run)
    if at and at != wake_at(replace(run, schedules=())):
        facts, _ = advance(run, Input(text="t"), at)
        assert facts, "else it is woken at this moment for ever"


@pytest.mark.proves("L4")
@given(runs, moments)
def test_a_live_lease_is_left_alone_and_looked_at_when_it_ends(run: Run, now: datetime) -> None:
    lease = Lease(run="run_1", holder="h", number=1, until=now + timedelta(seconds=30))
    expected = Nothing() if run.terminal else Later(at=lease.until)
    assert due(run, now, unread=True, lease=lease) == expected


def plain(**fields: Any) -> Run:
    return fresh(NOW - DAY, **{"status": "waiting", **fields})


def asking(**fields: Any) -> tuple[Ask, ...]:
    return (Ask(id="ask_1", run="run_1", message="?", opened_at=NOW, expires_at=NOW + HOUR, **fields),)


def ticking(**fields: Any) -> tuple[Schedule, ...]:
    grid = {"name": "s", "instruction": "i", "start": NOW, "every": 6 * HOUR, "until": NOW + DAY}
    return (Schedule(id="s_1", **grid, **fields),)


@pytest.mark.proves("L4")
@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"status": "running"}, NOW - DAY),  # no lease: its slice died
        ({"status": "pending"}, NOW - DAY),
        ({}, NOW + 6 * DAY),
        ({"over_time": True}, last_moment(plain())),
        ({"status": "paused", "waits": (UntilTime(at=NOW + HOUR),)}, last_moment(plain())),
        ({"waits": (ForSteps(), ForRateLimit(at=NOW + 2 * HOUR), UntilTime(at=NOW + HOUR))}, NOW + HOUR),
        ({"waits": (ForSteps(),), "asks": asking(on_timeout="deny")}, NOW + HOUR),  # a question beside what is waited for
        ({"waits": (ForSteps(),), "asks": asking(on_timeout="wait")}, NOW + 6 * DAY),
        ({"schedules": ticking(next_index=1)}, NOW + 6 * HOUR),
        ({"schedules": ticking(next_index=1, running=("run_2",))}, NOW + 6 * DAY),
        ({"schedules": ticking(next_index=4)}, NOW + 6 * DAY),
        ({"asks": asking(on_timeout="wait"), "options": Options(notify=(Channel(kind="email", to="a@x.test"),))}, NOW),
    ],
)
def test_a_run_wakes_at_the_first_of_its_moments(fields: dict[str, Any], at: datetime) -> None:
    assert wake_at(plain(**fields)) == at
