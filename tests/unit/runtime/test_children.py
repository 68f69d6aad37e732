"""What a run gives to the runs it creates: a share of what is left, and the rules it lives by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from auteryn.plan.graph import checked
from auteryn.policy.limits import KEPT_FOR_CONCLUSION, RESERVE_CHUNK
from auteryn.runtime.children import advance, fair_share
from auteryn.runtime.lost import end_of_lost
from auteryn.schema.event import Entry
from auteryn.schema.fold import after
from auteryn.schema.human import People
from auteryn.schema.plan import StepDraft
from auteryn.schema.run import Channel, Credits, FileCheck, Input, Limits, Options, Run, Schedule, Share, Usage
from conformance.samples import fresh

NOW = datetime(2026, 1, 5, tzinfo=UTC)
TASK = Input(text="Mail the figures to ann@x.test", files=("a.csv",))


def run_of(calls: int = 100, credits: int | None = None, **fields: Any) -> Run:
    return fresh(NOW, limits=Limits(llm_calls=calls, credits=credits), owner="ann", **fields)


@pytest.mark.proves("L11")
@pytest.mark.parametrize(
    ("waiting", "at_least", "share"),
    [
        (1, 0, Share(llm_calls=60, credits=300)),
        (3, 0, Share(llm_calls=20, credits=150)),
        (0, 0, Share(llm_calls=60, credits=300)),
        (3, 400, Share(llm_calls=20, credits=400)),
        (3, 900, Share(llm_calls=20, credits=600)),  # no more than is left
    ],
)
def test_what_is_neither_used_nor_promised_nor_kept_for_the_end_is_divided(waiting: int, at_least: int, share: Share) -> None:
    used = Usage(llm_calls=8, credits=Credits(llm=100, tools=50, storage=50))
    held = {"run_2": Share(llm_calls=20, credits=200), "run_3": Share(llm_calls=10)}
    run = run_of(98 + KEPT_FOR_CONCLUSION, 1_000, usage=used, shares=held)
    assert fair_share(run, waiting, at_least=at_least) == share


@pytest.mark.proves("L11")
def test_where_nothing_is_left_nothing_is_given_and_without_a_budget_no_credits_are_counted() -> None:
    over = run_of(10, 100, usage=Usage(llm_calls=20, credits=Credits(llm=200)))
    assert fair_share(over, 2, at_least=50) == Share(llm_calls=0, credits=0)
    assert fair_share(run_of(10), 2, at_least=50) == Share(llm_calls=4)


@pytest.mark.proves("L14", "P48")
def test_a_child_lives_by_the_rules_of_its_parent_and_knows_what_that_has_read() -> None:
    rules: dict[str, Any] = {
        "include_thoughts": True,
        "auto_retry": False,
        "approve": "auto",
        "effects": "dry",
        "ask_when_stuck": False,
        "people": People(approvers=("bob",), quorum=2),
        "notify": (Channel(kind="email", to="ann@x.test"),),
    }
    grid = Schedule(id="s_1", name="s", instruction="look", start=NOW, every=timedelta(hours=6), until=NOW + timedelta(days=1))
    parent = run_of(
        credits=1_000,
        options=Options(deliverables=(FileCheck(path="a.md"),), at_budget="stop", llm_calls=7, **rules),
        plan=checked("plan_1", [StepDraft(description="step")]),
        schedules=(grid,),
        used_tools=("@foreign", "diary"),
        recipients=("eve@x.test",),
        thrifty=True,
    )
    _, (step, tick) = advance(parent, TASK, NOW)
    for child, kind in ((step.run, "step"), (tick.run, "tick")):
        assert child.options == Options(**rules), "deliverables, budget and calls are the whole run's"
        assert (child.owner, child.deadline_at, child.mode, child.thrifty) == ("ann", parent.deadline_at, "deep", True)
        assert (child.used_tools, child.recipients) == (("@foreign", "diary"), ("eve@x.test", "ann@x.test"))
        assert child.parent and (child.parent.kind, child.parent.run, child.root) == (kind, "run_1", "run_1")
        assert child.reserved_calls == min(child.limits.llm_calls, RESERVE_CHUNK) and child.limits.credits is not None
    inputs = [one.entry.events[0].input for one in (step, tick)]  # type: ignore[union-attr]
    assert [one.files for one in inputs] == [("a.csv",)] * 2
    assert TASK.text in inputs[0].context and "tick 1 of 4" in inputs[1].context


@pytest.mark.proves("L14")
def test_whom_a_step_s_own_words_name_is_nobody_the_owner_named() -> None:
    _, (step,) = advance(run_of(plan=checked("plan_1", [StepDraft(description="Mail it to eve@x.test")])), TASK, NOW)
    nested = replace(step.run, plan=checked("plan_2", [StepDraft(description="a")]))
    _, (below,) = advance(nested, Input(text="Mail it to eve@x.test"), NOW)
    assert step.run.recipients == below.run.recipients == ("ann@x.test",)


@pytest.mark.proves("L11")
def test_what_begins_together_is_promised_no_more_than_there_is() -> None:
    """Steps and the ticks of several schedules, in one commit."""

    def grid(name: str, ticks: int) -> Schedule:
        hour = timedelta(hours=1)
        return Schedule(id=name, name=name, instruction="look", start=NOW, every=hour, until=NOW + ticks * hour)

    parent = run_of(
        credits=1_000,
        plan=checked("plan_1", [StepDraft(description="one"), StepDraft(description="two")]),
        schedules=(grid("a", 1), grid("b", 2), grid("c", 3)),
    )
    _, children = advance(parent, TASK, NOW)
    assert len(children) == 5
    assert sum(child.run.limits.llm_calls for child in children) <= parent.limits.llm_calls - KEPT_FOR_CONCLUSION
    assert sum(child.run.limits.credits or 0 for child in children) < 1_000
    assert all(child.run.limits.llm_calls and child.run.limits.credits for child in children)


@pytest.mark.proves("F29", "L11")
def test_a_child_that_cannot_be_read_ends_in_its_own_place_and_costs_its_whole_share() -> None:
    grid = Schedule(id="s_1", name="s", instruction="look", start=NOW, every=timedelta(hours=6), until=NOW + timedelta(days=1))
    run = run_of(credits=1_000, plan=checked("plan_1", [StepDraft(description=name) for name in "abc"]), schedules=(grid,))
    facts, children = advance(run, TASK, NOW)
    run = after(run, Entry(seq=run.seq + 1, at=NOW, slice=1, commit="c", events=facts))
    assert len(children) == len(run.shares) == 4
    for child, share in run.shares.items():
        message, born = end_of_lost(run, child, "torn", NOW), next(one.run for one in children if one.run.id == child)
        assert message and born.parent and message.end.status == "failed" and "corrupt: torn" in (message.end.error or "")
        assert (message.kind_of_child, message.of) == (born.parent.kind, born.parent.of)
        assert (message.end.run, message.end.step, message.end.attempt) == (child, born.parent.key, born.parent.attempt)
        assert (message.end.usage.llm_calls, message.end.usage.credits.total) == (share.llm_calls, share.credits)
    assert end_of_lost(run, "run_stranger", "torn", NOW) is None
