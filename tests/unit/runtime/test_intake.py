"""`take_in`: any messages, in any order, any number of times."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from auteryn.agent.thread import Thread
from auteryn.plan.graph import checked
from auteryn.policy.budget import GO_ON, GO_ON_FAST, RAISE, STOP
from auteryn.runtime.children import advance, birth
from auteryn.runtime.intake import MOST_BYTES, take_in
from auteryn.schema import event as e
from auteryn.schema import inbox as m
from auteryn.schema.fold import after
from auteryn.schema.human import Answer, Ask
from auteryn.schema.plan import StepDraft
from auteryn.schema.run import ForPerson, Input, Limits, Queued, Run, Schedule, UntilTime, Usage
from conformance.samples import fresh

NOW = datetime(2026, 1, 5, tzinfo=UTC)
STEPS = 3
ENDED = frozenset({"completed", "failed", "cancelled"})


def started() -> Run:
    """A run with three steps at work and one to come, and a question open."""
    run = fresh(NOW, limits=Limits(llm_calls=40, credits=100_000))
    drafts = [StepDraft(description=f"s{n}") for n in range(STEPS)] + [StepDraft(description="join", depends_on=(1, 2, 3))]
    ask = Ask(id="ask_1", run="run_1", message="?", opened_at=NOW)
    new = birth(run, Input(text="t"), NOW, e.PlanCreated(plan=checked("plan_1", drafts)), e.AskOpened(ask=ask)).run
    events, _ = advance(new, Input(text="t"), NOW)
    return committed(new, (e.SliceStarted(slice=1), *events))


def committed(run: Run, events: tuple[e.AnyEvent, ...]) -> Run:
    if not events or run.terminal:
        return run
    return after(run, e.Entry(seq=run.seq + 1, at=NOW, slice=1, commit=f"c{run.seq}", events=events))


BASE = started()
CHILDREN = sorted(BASE.shares)


def step_end(step: int, status: str, calls: int) -> m.AnyMessage:
    run = next((s.run for s in BASE.plan.steps if s.id == step), None) if BASE.plan else None
    end = e.StepEnd(
        step=step,
        run=run or "run_stranger",
        attempt=1,
        status=status,
        result="r",
        usage=Usage(llm_calls=calls),  # type: ignore[arg-type]
    )
    return m.StepEnded(id=f"ended-{end.run}", sent_at=NOW, kind_of_child="step", of="plan_1", end=end)


def retry_step(step: int) -> m.AnyMessage:
    return m.RetryStep(id=f"retry-{step}", sent_at=NOW, step=step)


def share_asked(run: str, short: int) -> m.AnyMessage:
    return m.ShareAsked(id=f"share-{run}-{short}", sent_at=NOW, run=run, used_calls=5, short_credits=short)


messages: st.SearchStrategy[m.AnyMessage] = st.one_of(
    st.sampled_from([m.Pause(id="p", sent_at=NOW), m.Resume(id="r", sent_at=NOW), m.Poke(id="k", sent_at=NOW)]),
    st.sampled_from(["steer", "queue"]).map(lambda mode: m.UserMessage(id=f"u-{mode}", sent_at=NOW, text="hello", mode=mode)),
    st.sampled_from(["ask_1", "ask_2"]).map(
        lambda ask: m.Answered(id=f"answer-{ask}", sent_at=NOW, answer=Answer(ask=ask, value="y", by="me", at=NOW))
    ),
    st.builds(step_end, st.integers(1, STEPS + 3), st.sampled_from(sorted(ENDED)), st.integers(0, 4)),
    st.builds(share_asked, st.sampled_from([*CHILDREN, "run_stranger"]), st.sampled_from([0, 30_000])),
    st.sampled_from(["u-steer", "u-queue", "u-unknown"]).flatmap(
        lambda said: st.sampled_from([None, "other words"]).map(
            lambda text: m.Reword(id=f"w-{said}-{text}", sent_at=NOW, message=said, text=text)
        )
    ),
    st.integers(0, STEPS + 3).flatmap(
        lambda step: st.sampled_from([None, "other words"]).map(
            lambda text: m.ChangeStep(id=f"c-{step}-{text}", sent_at=NOW, step=step, description=text)
        )
    ),
    st.just(m.Rename(id="n", sent_at=NOW, title="another")),
    st.integers(0, 9).map(retry_step),
)


def batches(inbox: list[m.AnyMessage], cuts: list[int]) -> list[list[m.AnyMessage]]:
    """What arrived, each message once, as it was found in several looks."""
    arrived = list({message.id: message for message in inbox}.values())
    edges = sorted({0, len(arrived), *(cut for cut in cuts if cut < len(arrived))})
    return [arrived[begin:end] for begin, end in itertools.pairwise(edges)]


@pytest.mark.proves("L5", "F19", "F16", "P36")
@given(st.lists(messages, max_size=8), st.lists(st.integers(0, 8), max_size=3))
@example([step_end(1, "failed", 1), step_end(2, "completed", 1), *map(retry_step, range(STEPS + 3))], [2])
def test_each_message_is_taken_once_and_the_facts_can_be_committed(inbox: list[m.AnyMessage], cuts: list[int]) -> None:
    run, thread, accepted = BASE, Thread(run="run_1"), Counter[int]()
    for batch in batches(inbox, cuts):
        intake = take_in(run, thread, batch, NOW)
        assert intake.consumed == [message.id for message in batch]
        accepted.update(s.step for event in intake.events if isinstance(event, e.StepsEnded) for s in event.steps)
        anew = [event.step for event in intake.events if isinstance(event, e.StepRetried)]
        assert run.plan and all(run.plan.step(step).status == "failed" for step in anew)
        accepted.subtract(anew)
        run = committed(run, tuple(intake.events))
    assert set(accepted.values()) <= {0, 1}


@pytest.mark.proves("L11", "F19")
@given(st.lists(messages, max_size=12), st.lists(st.integers(0, 12), max_size=5))
@example([share_asked(run, 30_000) for run in CHILDREN], [])
def test_shares_never_promise_more_than_the_run_has(inbox: list[m.AnyMessage], cuts: list[int]) -> None:
    run, thread = BASE, Thread(run="run_1")
    for batch in batches(inbox, cuts):
        intake = take_in(run, thread, batch, NOW)
        run = committed(run, tuple(intake.events))
        while (births := advance(run, Input(text="t"), NOW)) and births[0]:
            run = committed(run, births[0])
        held = sum(share.llm_calls for share in run.shares.values())
        assert run.usage.llm_calls + held <= run.limits.llm_calls
        credits = sum(share.credits or 0 for share in run.shares.values())
        assert run.usage.credits.total + credits <= (run.limits.credits or 0)


def answered(value: str, how: Literal["answered", "expired"] = "answered", ask: str = "ask_1", by: str = "me") -> m.Answered:
    return m.Answered(id=f"x-{value}", sent_at=NOW, answer=Answer(ask=ask, value=value, by=by, at=NOW, how=how))


@pytest.mark.proves("F21")
@given(st.permutations(["yes", "no", "expired"]), st.booleans())
def test_only_the_first_answer_to_a_question_counts(order: list[str], at_once: bool) -> None:
    run, values = BASE, list[object]()
    inbox: list[m.AnyMessage] = [answered(value, "expired" if value == "expired" else "answered") for value in order]
    for batch in [inbox] if at_once else [[one] for one in inbox]:
        intake = take_in(run, Thread(run="run_1"), batch, NOW)
        values += [event.answer.value for event in intake.events if isinstance(event, e.AskAnswered)]
        run = committed(run, tuple(intake.events))
    assert values == [order[0]]


@pytest.mark.proves("L11")
@pytest.mark.parametrize(
    ("value", "refused"),
    [(GO_ON, []), (GO_ON_FAST, []), (STOP, [True] * STEPS), (RAISE, [False] * STEPS), (None, [True] * STEPS)],
)
def test_what_is_said_of_the_budget_is_told_to_the_steps_where_it_changes_what_they_hold(
    value: str | None, refused: list[bool]
) -> None:
    run = committed(BASE, (e.AskOpened(ask=Ask(id="b", run="run_1", message="?", opened_at=NOW, kind="budget")),))
    now = run.deadline_at if value is None else NOW  # nobody answered in time
    intake = take_in(run, Thread(run="run_1"), [answered(value, ask="b")] if value else [], now)
    given = {send.run: send.message for send in intake.sends if isinstance(send.message, m.ShareGiven)}
    assert [one.refused for one in given.values()] == refused
    for child, one in given.items():
        had = run.shares[child]
        assert one.llm_calls == had.llm_calls and ((one.credits or 0) > (had.credits or 0)) == (value == RAISE)
    after_it = committed(run, tuple(intake.events))
    assert [ask.id for ask in after_it.asks] == ["ask_1"]
    assert sum(share.credits or 0 for share in after_it.shares.values()) <= (after_it.limits.credits or 0)


@pytest.mark.parametrize(
    ("on_timeout", "how", "halts"),
    [("halt", "expired", True), ("halt", "answered", False), ("default", "expired", False), ("deny", "expired", False)],
)
def test_a_run_is_halted_by_silence_where_its_owner_chose_so_and_by_no_answer(on_timeout: Any, how: Any, halts: bool) -> None:
    run = committed(BASE, (e.AskOpened(ask=Ask(id="a", run="run_1", message="?", opened_at=NOW, on_timeout=on_timeout)),))
    halted = take_in(run, Thread(run="run_1"), [answered("Yes", how, "a")], NOW).halted
    assert (halted is not None and halted.reason == "halted") == halts


@pytest.mark.proves("L14")
def test_each_person_has_one_vote_and_the_one_that_makes_the_quorum_answers_in_the_name_of_all() -> None:
    asks = [Ask(id=name, run="run_1", message="?", opened_at=NOW, quorum=2) for name in ("a", "b")]
    run, thread = committed(BASE, tuple(e.AskOpened(ask=ask) for ask in asks)), Thread(run="run_1")

    def vote(by: str, value: str = "Yes", ask: str = "a") -> m.AnyMessage:
        answer = Answer(ask=ask, value=value, by=by, at=NOW)
        return m.Voted(id=f"{ask}-{by}-{value}", sent_at=NOW, answer=answer)

    def outcome(now: Run, *inbox: m.AnyMessage) -> list[str]:
        events = take_in(now, thread, inbox, NOW).events
        words = {e.AskVoted: "voted", e.AskAnswered: "decided"}
        return [f"{event.answer.by} {words[type(event)]}" for event in events if isinstance(event, e.AskVoted | e.AskAnswered)]

    assert outcome(run, vote("ann"), vote("bob", ask="b"), vote("ann")) == ["ann voted", "bob voted"]
    assert outcome(run, vote("ann"), vote("bob", "No"), vote("carol"), vote("dave")) == [
        "ann voted",
        "bob voted",
        "ann, carol decided",
    ]
    half = committed(run, tuple(take_in(run, thread, [vote("ann")], NOW).events))
    assert outcome(half, vote("ann", "No")) == [] and outcome(half, vote("bob")) == ["ann, bob decided"]
    assert outcome(half, vote("bob"), answered("late", "expired", "a")) == ["ann, bob decided"]
    assert outcome(half, m.Cancel(id="c", sent_at=NOW), vote("bob")) == outcome(run, vote("ann", ask="none")) == []


ASKED = Ask(id="ask_call", run="run_1", message="?", opened_at=NOW, call="")


def in_the_middle() -> tuple[Run, Thread, dict[str, str]]:
    """A turn of four calls: one waits for a person, one for a time, one may have taken effect, one is only proposed."""
    names = ("asks", "sleeps", "begun", "proposed")
    parts = [{"functionCall": {"name": name, "args": {}}} for name in names]
    turn = e.ModelAnswered(turn=1, model="m", content={"role": "model", "parts": parts})
    calls = {call.name: call_id for call_id, call in e.calls_of("run_1", turn).items()}
    ask = replace(ASKED, call=calls["asks"])
    facts = (
        turn,
        e.CallStarted(call=calls["begun"], tool="begun"),
        e.AskOpened(ask=ask),
        e.CallSuspended(call=calls["asks"], tool="asks", wait=ForPerson(ask=ask.id, call=calls["asks"])),
        e.CallSuspended(call=calls["sleeps"], tool="sleeps", wait=UntilTime(at=NOW + timedelta(days=1), call=calls["sleeps"])),
    )
    first = BASE.seq + 1
    thread = Thread(run="run_1").extend([e.Entry(seq=first, at=NOW, slice=1, commit="c", events=facts)])
    return committed(BASE, facts), thread, calls


def said(mode: m.When, name: str = "u") -> m.AnyMessage:
    return m.UserMessage(id=name, sent_at=NOW, text="hello", mode=mode)


@pytest.mark.proves("L6")
@pytest.mark.parametrize(
    ("inbox", "now", "broken_off"),
    [
        ([said("queue")], NOW, []),
        ([said("steer")], NOW, ["asks", "sleeps"]),
        ([said("steer"), said("steer", "v")], NOW, ["asks", "sleeps"]),
        ([said("interrupt")], NOW, ["asks", "sleeps", "proposed"]),
        ([said("steer"), said("interrupt", "v")], NOW, ["asks", "sleeps", "proposed"]),
        ([], BASE.deadline_at, ["asks", "sleeps"]),
        ([said("steer")], BASE.deadline_at, ["asks", "sleeps"]),
    ],
)
def test_who_speaks_ends_waits_and_who_interrupts_what_has_no_effect_yet(
    inbox: list[m.AnyMessage], now: datetime, broken_off: list[str]
) -> None:
    run, thread, calls = in_the_middle()
    intake = take_in(run, thread, inbox, now)
    answered = [event for event in intake.events if isinstance(event, e.CallAnswered)]
    assert sorted(event.call for event in answered) == sorted(calls[name] for name in broken_off)
    withdrawn = [event.answer.how for event in intake.events if isinstance(event, e.AskAnswered)]
    assert withdrawn == (["withdrawn"] if broken_off else [])
    told = [event.why for event in intake.events if isinstance(event, e.Told)]
    assert told.count("deadline") == (now >= run.deadline_at)
    run = committed(run, tuple(intake.events))
    assert run.over_time == (now >= run.deadline_at)
    again = take_in(run, thread, [], now)
    assert not [event for event in again.events if isinstance(event, e.Told)], "it is told once that the time is over"


@pytest.mark.proves("F21", "L10")
def test_of_an_answer_and_what_came_before_it_in_the_same_look_the_first_counts() -> None:
    run, thread, calls = in_the_middle()
    answer = answered("y", ask="ask_call")
    cancel = m.Cancel(id="cancel", sent_at=NOW)

    def answers(*inbox: m.AnyMessage) -> list[str]:
        return [event.answer.how for event in take_in(run, thread, inbox, NOW).events if isinstance(event, e.AskAnswered)]

    assert answers(answer) == answers(answer, cancel) == ["answered"]
    assert answers(cancel, answer) == []
    assert answers(said("steer"), answer) == ["withdrawn"]
    assert answers(answer, said("steer")) == ["answered"]
    assert take_in(run, thread, [answer, said("interrupt")], NOW).closed == {
        calls[one] for one in ("asks", "sleeps", "proposed")
    }
    at_the_end = take_in(run, thread, [cancel], run.deadline_at)
    assert at_the_end.cancel is cancel and not at_the_end.events


@pytest.mark.proves("L10")
def test_who_interrupts_pauses_or_resumes_is_heard_below_and_who_only_speaks_is_not() -> None:
    run, thread = BASE, Thread(run="run_1")

    def heard(message: m.AnyMessage) -> list[tuple[str, m.AnyMessage]]:
        return [(send.run, send.message) for send in take_in(run, thread, [message], NOW).sends]

    for message in (m.Pause(id="p", sent_at=NOW), m.Resume(id="r", sent_at=NOW), said("interrupt")):
        assert [(child, type(one)) for child, one in heard(message)] == [(child, type(message)) for child in run.shares]
        assert len(run.shares) == STEPS and all(one.id == f"{message.id}-down" for _, one in heard(message))
    assert heard(said("steer")) == heard(said("queue")) == []


def at_a_schedule() -> Run:
    """With two queued messages and two schedules, of which one is over."""
    grid = {"name": "s", "instruction": "i", "start": NOW, "every": timedelta(hours=6), "until": NOW + timedelta(days=1)}
    going, over = Schedule(id="s_1", **grid), Schedule(id="s_2", next_index=4, **grid)
    queued = [e.MessageQueued(message=Queued(id=name, text="hello", by="me")) for name in ("q_1", "q_2")]
    return committed(BASE, (*queued, e.ScheduleCreated(schedule=going), e.ScheduleCreated(schedule=over)))


@pytest.mark.proves("L5")
@pytest.mark.parametrize(
    ("inbox", "facts"),
    [
        ([m.Resume(id="r", sent_at=NOW)], []),
        ([m.Pause(id="p", sent_at=NOW), m.Pause(id="p2", sent_at=NOW)], [e.Paused(by="owner")]),
        ([m.Pause(id="p", sent_at=NOW), m.Resume(id="r", sent_at=NOW)], [e.Paused(by="owner"), e.Unpaused(by="owner")]),
        ([m.Reword(id="w", sent_at=NOW, message="heard", text="x")], []),
        ([m.Reword(id="w", sent_at=NOW, message="q_2", text="x")], [e.MessageChanged(message="q_2", text="x", by="owner")]),
        ([m.EndSchedule(id="e", sent_at=NOW, schedule="s_2")], []),
        ([m.EndSchedule(id="e", sent_at=NOW, schedule="s_3")], []),
        ([m.EndSchedule(id="e", sent_at=NOW, schedule="s_1")], [e.ScheduleEnded(schedule="s_1", why="stopped by owner")]),
        ([retry_step(1), retry_step(4), retry_step(5)], []),
        ([m.Poke(id="k", sent_at=NOW)], []),
        ([said("queue"), m.Reword(id="w", sent_at=NOW, message="u", text=None)], []),
        (
            [m.Reword(id="w", sent_at=NOW, message="u", text="other"), said("queue")],
            [e.MessageQueued(message=Queued(id="u", text="other", by="owner"))],
        ),
        ([m.Rename(id="n", sent_at=NOW, title="another")], [e.Renamed(title="another", by="owner")]),
        (
            [m.ShareGiven(id="g", sent_at=NOW, llm_calls=9, credits=8, refused=True)],
            [e.ShareChanged(run="run_1", llm_calls=9, credits=8, refused=True)],
        ),
    ],
)
def test_what_changes_something_is_one_fact_and_what_changes_nothing_is_none(
    inbox: list[m.AnyMessage], facts: list[e.AnyEvent]
) -> None:
    assert take_in(at_a_schedule(), Thread(run="run_1"), inbox, NOW).events == facts


@pytest.mark.proves("L5")
def test_a_message_larger_than_a_commit_takes_is_taken_in_by_one_of_its_own() -> None:
    large = m.UserMessage(id="large", sent_at=NOW, text="x" * (MOST_BYTES + 1))
    first = take_in(BASE, Thread(run="run_1"), [large, said("steer")], NOW)
    assert (first.consumed, first.more) == (["large"], True)
