"""How a question is put, what silence means, and when somebody is told again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from auteryn.policy.asking import DAY, asked_of, next_notice, notices, silence, silent, waited_for
from auteryn.schema import event as e
from auteryn.schema.human import Answer, Ask, People
from auteryn.schema.run import Channel, Occasion, Options, Parent, Run
from conformance.samples import fresh

NOW = datetime(2026, 1, 5, tzinfo=UTC)
WEEK, HOUR = NOW + timedelta(days=7), timedelta(hours=1)
USUAL = People()


def run_of(people: People = USUAL, on: tuple[Occasion, ...] = (), **fields: Any) -> Run:
    return fresh(
        NOW,
        options=Options(people=people, notify=(Channel(kind="email", to="ann@x.test", on=on),) if on else ()),
        **fields,
    )


def ask_of(**fields: Any) -> Ask:
    return Ask(id="ask_1", run="run_1", message="?", opened_at=NOW, **fields)


@pytest.mark.proves("L14")
def test_a_question_is_for_whom_the_owner_chose_unless_it_says_itself() -> None:
    chosen = People(approvers=("ann", "bob"), quorum=2, timeout=HOUR, on_timeout="escalate", escalate_to=("carol",))
    run = run_of(chosen)
    gate, plain = (asked_of(run, NOW, id="ask_1", message="?", kind=kind) for kind in ("gate", "approval"))
    assert (gate.quorum, plain.quorum) == (2, 1), "only calls need several to agree"
    for ask in (gate, plain):
        assert (ask.approvers, ask.escalate_to, ask.on_timeout) == (("ann", "bob"), ("carol",), "escalate")
        assert (ask.run, ask.opened_at, ask.expires_at) == ("run_1", NOW, NOW + HOUR)
    own = asked_of(run, NOW, id="ask_1", message="?", approvers=("dave",), timeout=timedelta(days=30))
    assert (own.approvers, own.expires_at) == (("dave",), WEEK), "no question outlives its run"
    assert asked_of(run, NOW, id="ask_1", message="?", timeout=None).expires_at is None


@pytest.mark.proves("P65")
@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({"on_timeout": "deny", "default": "Yes"}, None),
        ({"on_timeout": "default", "default": "Yes"}, "Yes"),
        ({"on_timeout": "default", "default": "5", "input_type": "number"}, 5),
        ({"on_timeout": "halt", "default": "Yes"}, "halt"),
        ({"on_timeout": "escalate", "default": "Yes"}, None),
        ({"on_timeout": "deny", "escalate_to": ("carol",)}, None),
    ],
)
def test_when_the_time_is_over_silence_is_an_answer(fields: dict[str, Any], value: Any) -> None:
    ask = ask_of(expires_at=NOW + HOUR, **fields)
    assert [silent(ask, at) for at in (NOW, NOW + HOUR, NOW + 2 * HOUR)] == [False, True, True]
    assert silence(ask, NOW + HOUR, WEEK) == Answer(ask="ask_1", value=value, by="nobody", at=NOW + HOUR, how="expired")
    assert waited_for(ask).until == NOW + HOUR


@pytest.mark.proves("P65")
def test_a_question_that_waits_is_never_answered_by_silence() -> None:
    ask = ask_of(expires_at=NOW + HOUR, on_timeout="wait")
    assert not silent(ask, WEEK) and waited_for(ask).until is None
    assert not silent(ask_of(on_timeout="deny"), WEEK)


@pytest.mark.parametrize(
    ("timeout", "now", "until"), [(HOUR, NOW, NOW + HOUR), (None, NOW, NOW + DAY), (DAY, WEEK - HOUR, WEEK)]
)
def test_the_next_approver_has_as_long_as_the_one_before_but_not_longer_than_the_run(
    timeout: timedelta | None, now: datetime, until: datetime
) -> None:
    ask = ask_of(on_timeout="escalate", escalate_to=("carol", "dave"), timeout=timeout, expires_at=now)
    assert silence(ask, now, WEEK) == e.AskEscalated(ask="ask_1", approvers=("carol",), expires_at=until)


@pytest.mark.proves("P74")
def test_of_missed_reminders_and_digests_the_latest_is_sent_and_the_next_lies_on_the_grid() -> None:
    people, asks = People(remind_every=8 * HOUR), (ask_of(),)
    run = run_of(people, ("waiting", "daily"), asks=asks)
    assert next_notice(run) == NOW + 8 * HOUR and notices(run, NOW + 8 * HOUR - timedelta(seconds=1)) == []
    assert notices(run, NOW + 8 * HOUR) == [e.AskReminded(ask="ask_1", count=1)]
    assert notices(run, NOW + 50 * HOUR) == [e.AskReminded(ask="ask_1", count=6), e.Digested(day=2)]
    assert next_notice(run_of(people, ("waiting", "daily"), asks=(ask_of(reminded=6),), digests=2)) == NOW + 56 * HOUR
    assert next_notice(run_of(people, ("daily",), asks=asks)) == NOW + DAY
    assert next_notice(run_of(people, ("waiting",), asks=asks)) == NOW + 8 * HOUR
    step = Parent(run="run_0", root="run_0", kind="step", key=1)
    assert next_notice(run_of(people, ("daily",), parent=step)) is None, "a day has one digest, of the whole"
    assert next_notice(run_of(people, ("done", "failed"), asks=asks)) is None
