"""`after`: the only way a run changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from auteryn.errors import Corrupt, WrongState
from auteryn.plan.graph import checked, revised
from auteryn.plan.scheduler import needs_review, skip_blocked
from auteryn.runtime.children import birth
from auteryn.schema import event as e
from auteryn.schema.fold import after, born
from auteryn.schema.human import Answer, Ask
from auteryn.schema.message import Tokens
from auteryn.schema.plan import StepDraft
from auteryn.schema.record import from_json, to_json
from auteryn.schema.run import TERMINAL, ForPerson, ForRateLimit, ForSteps, Input, Run, UntilTime, Wait
from conformance.samples import fresh

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def new_run() -> e.Entry:
    return birth(fresh(NOW), Input(text="t"), NOW).entry


waits: st.SearchStrategy[Wait] = st.one_of(
    st.integers(0, 5).map(lambda n: UntilTime(at=NOW + timedelta(hours=n), call=f"call_{n}")),
    st.integers(0, 3).map(lambda n: ForPerson(ask=f"ask_{n}", call=f"call_{n}")),
    st.just(ForSteps()),
    st.just(ForRateLimit(at=NOW + timedelta(hours=1))),
)
content = {"role": "model", "parts": [{"text": "x"}]}
KINDS = Tokens.__struct_fields__


def tokens(n: int) -> Tokens:
    """Of every kind another number."""
    return Tokens(**{kind: n + at for at, kind in enumerate(KINDS)})


living: st.SearchStrategy[e.AnyEvent] = st.one_of(
    st.integers(1, 9).map(lambda n: e.SliceStarted(slice=n)),
    st.integers(1, 90).map(lambda n: e.CallsReserved(total=n)),
    st.tuples(st.sampled_from(["waiting", "handed_over", "paused"]), st.lists(waits, max_size=2)).map(
        lambda pair: e.Left(why=pair[0], waits=tuple(pair[1]), active_ms=5)  # type: ignore[arg-type]
    ),
    st.integers(1, 5).map(
        lambda n: e.ModelAnswered(turn=n, model="m", content=content, tokens=tokens(n), attempts=n, credits=n)
    ),
    st.integers(0, 3).map(lambda n: e.ModelFailed(attempts=n, reason="r", message="m")),
    st.integers(0, 5).map(lambda n: e.CallAnswered(call=f"call_{n}", tool="t", output=n, credits=n)),
    waits.map(lambda wait: e.CallSuspended(call=wait.call or "call_0", tool="t", wait=wait)),
    st.integers(0, 3).map(lambda n: e.AskOpened(ask=Ask(id=f"ask_{n}", run="run_1", message="?", opened_at=NOW))),
    st.integers(0, 3).map(lambda n: e.AskAnswered(answer=Answer(ask=f"ask_{n}", value="y", by="me", at=NOW))),
    st.integers(0, 3).map(lambda n: e.AskEscalated(ask=f"ask_{n}", approvers=("cy",), expires_at=NOW)),
    st.sampled_from([e.Paused(), e.Unpaused(), e.Told(text="t", why="deadline"), e.Logged(level="info", message="m")]),
)
ends = st.sampled_from(
    [e.RunCompleted(result="r"), e.RunFailed(reason="stuck", message="m"), e.RunCancelled(by="me", receipt=e.Receipt())]
)
histories = st.lists(st.lists(living, min_size=1, max_size=3), max_size=12)


def journal(facts: list[list[e.AnyEvent]]) -> list[e.Entry]:
    rest = [
        e.Entry(seq=seq, at=NOW + timedelta(minutes=seq), slice=1, commit=f"c{seq}", events=tuple(events))
        for seq, events in enumerate(facts, 2)
    ]
    return [new_run(), *rest]


@pytest.mark.proves("L8", "L13")
@given(histories, st.data())
def test_any_summary_and_its_tail_give_the_same_run_as_the_whole_journal(
    facts: list[list[e.AnyEvent]], data: st.DataObject
) -> None:
    entries = journal(facts)
    whole = born(entries[0])
    summaries = [whole]
    for entry in entries[1:]:
        whole = after(whole, entry)
        summaries.append(whole)
    at = data.draw(st.integers(0, len(summaries) - 1))
    run = from_json(to_json(summaries[at]), Run)
    for entry in entries[at + 1 :]:
        run = after(run, from_json(to_json(entry), e.Entry))
    assert run == whole


@pytest.mark.proves("L10")
@given(histories, ends, living | ends)
def test_nothing_follows_the_end(facts: list[list[e.AnyEvent]], end: e.AnyEvent, more: e.AnyEvent) -> None:
    entries = journal([*facts, [end], [more]])
    run = born(entries[0])
    for entry in entries[1:-2]:
        run = after(run, entry)
    under_way, run = run.shares, after(run, entries[-2])
    assert run.status in TERMINAL and not run.waits and not run.asks and run.shares == under_way
    with pytest.raises(WrongState):
        after(run, entries[-1])


@pytest.mark.proves("P65")
def test_each_of_several_questions_is_handed_on_and_answered_by_itself() -> None:
    later = NOW + timedelta(hours=1)
    waits = [ForPerson(ask=name, call=f"call_{name}", until=NOW) for name in "ab"]
    facts = [
        *(e.AskOpened(ask=Ask(id=name, run="run_1", message="?", opened_at=NOW, expires_at=NOW)) for name in "ab"),
        *(e.CallSuspended(call=wait.call or "", tool="t", wait=wait) for wait in waits),
        e.AskEscalated(ask="a", approvers=("cy",), expires_at=later),
    ]
    run = born(new_run())
    for seq, fact in enumerate(facts, 2):
        run = after(run, e.Entry(seq=seq, at=NOW, slice=1, commit="c", events=(fact,)))
    assert [(ask.id, ask.expires_at, ask.approvers) for ask in run.asks] == [("a", later, ("cy",)), ("b", NOW, ())]
    assert run.waits == (replace(waits[0], until=later), waits[1])
    said = e.AskAnswered(answer=Answer(ask="a", value="y", by="cy", at=NOW))
    run = after(run, e.Entry(seq=run.seq + 1, at=NOW, slice=1, commit="c", events=(said,)))
    assert [ask.id for ask in run.asks] == ["b"] and run.waits == (waits[1],)


@pytest.mark.proves("P6")
def test_a_retry_brings_back_what_was_blocked_and_not_what_was_dropped() -> None:
    drafts = [StepDraft(description="a"), StepDraft(description="b", depends_on=(1,)), StepDraft(description="c")]
    plan, _ = revised(checked("plan_1", drafts), (), (), drop=[3])
    end = e.StepEnd(step=1, run="run_2", attempt=1, status="failed")
    run = born(new_run())
    for seq, event in enumerate((e.PlanCreated(plan=plan), e.StepsEnded(steps=(end,))), 2):
        run = after(run, e.Entry(seq=seq, at=NOW, slice=1, commit="c", events=(event,)))
    assert run.plan
    blocked = e.PlanRevised(plan=skip_blocked(run.plan), diff=())
    run = after(run, e.Entry(seq=4, at=NOW, slice=1, commit="c", events=(blocked, e.StepRetried(step=1))))
    assert run.plan and [step.status for step in run.plan.steps] == ["pending", "pending", "skipped"]


@pytest.mark.proves("P6")
def test_the_planner_looks_again_at_a_step_that_was_tried_again() -> None:
    plan = checked("plan_1", [StepDraft(description="a", review=True), StepDraft(description="b", depends_on=(1,))])
    failed = e.StepEnd(step=1, run="run_2", attempt=1, status="failed")
    done = e.StepEnd(step=1, run="run_3", attempt=2, status="completed", result="a")
    facts = (
        e.PlanCreated(plan=plan),
        e.StepsEnded(steps=(failed,)),
        e.PlanReviewed(steps=(1,)),
        e.StepRetried(step=1),
        e.StepsEnded(steps=(done,)),
    )
    run = born(new_run())
    for seq, fact in enumerate(facts, 2):
        run = after(run, e.Entry(seq=seq, at=NOW, slice=1, commit="c", events=(fact,)))
    assert run.plan and needs_review(run.plan) == (1,)


@pytest.mark.proves("L1")
@given(st.integers(-3, 9).filter(lambda seq: seq != 2))
def test_a_hole_in_the_journal_is_corrupt(seq: int) -> None:
    with pytest.raises(Corrupt):
        after(born(new_run()), e.Entry(seq=seq, at=NOW, slice=1, commit="c", events=(e.Paused(),)))


@pytest.mark.proves("P86")
@given(histories)
def test_usage_is_the_sum_of_what_the_journal_says(facts: list[list[e.AnyEvent]]) -> None:
    run = born(new_run())
    for entry in journal(facts)[1:]:
        run = after(run, entry)
    said = [event for events in facts for event in events]
    answered = [event for event in said if isinstance(event, e.ModelAnswered)]
    failed = [event for event in said if isinstance(event, e.ModelFailed)]
    calls = [event for event in said if isinstance(event, e.CallAnswered)]
    assert run.usage.llm_calls == sum(one.attempts for one in (*answered, *failed))
    assert run.usage.credits.llm == sum(one.credits for one in answered)
    assert (run.usage.tool_calls, run.usage.credits.tools) == (len(calls), sum(one.credits for one in calls))
    for kind in KINDS:
        assert getattr(run.usage.tokens, kind) == sum(getattr(one.tokens, kind) for one in answered)
