"""What a run does when most of its budget is spent, and when all of it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from auteryn.policy.budget import GO_ON, GO_ON_FAST, RAISE, STOP, held, near, raise_question
from auteryn.schema import event as e
from auteryn.schema.human import Ask
from auteryn.schema.run import AtBudget, Credits, Limits, Options, Parent, Run, Usage
from conformance.samples import fresh

NOW = datetime(2026, 1, 5, tzinfo=UTC)
STEP = Parent(run="run_0", root="run_0", kind="step", key=1)


def run_of(spent: int = 800, *, limit: int | None = 1_000, policy: AtBudget = "ask", **fields: Any) -> Run:
    return fresh(
        NOW,
        limits=Limits(llm_calls=9, credits=limit),
        usage=Usage(credits=Credits(llm=spent - 30, tools=20, storage=10)),
        options=Options(at_budget=policy),
        **fields,
    )


@pytest.mark.proves("L11")
@pytest.mark.parametrize(
    "run",
    [
        run_of(799),
        run_of(limit=None),
        run_of(budget_near=True),
        run_of(parent=STEP),  # its share is not the budget
    ],
)
def test_nothing_happens_before_four_fifths_are_spent_nor_twice_nor_in_a_step(run: Run) -> None:
    assert near(run, NOW) == []


@pytest.mark.proves("L11")
def test_at_four_fifths_the_owners_choice_is_carried_out() -> None:
    for policy in ("go_on", "fast", "stop"):
        reached, *decided = near(run_of(policy=policy), NOW)
        assert reached == e.BudgetReached(spent=800, limit=1_000, policy=policy)
        assert [one.how for one in decided if isinstance(one, e.BudgetDecided)] == ([] if policy == "go_on" else [policy])
    _, asked = near(run_of(policy="ask"), NOW)
    assert isinstance(asked, e.AskOpened) and asked.ask.options == (GO_ON, GO_ON_FAST, STOP)
    assert "80 %" in asked.ask.message and held(run_of(asks=(asked.ask,))) == asked.ask


@pytest.mark.proves("L11")
def test_a_budget_that_is_used_up_is_asked_about_once_of_owners_who_want_to_be_asked() -> None:
    ask = raise_question(run_of(), NOW, 500)
    assert ask and ask.options == (RAISE, STOP) and "1.5" in ask.message
    assert (again := raise_question(run_of(900), NOW, 1)) and again.id == ask.id
    assert (higher := raise_question(run_of(limit=1_500), NOW, 1)) and higher.id != ask.id
    refused = [run_of(limit=None), run_of(policy="go_on"), run_of(concluding="told to"), run_of(parent=STEP)]
    assert [raise_question(run, NOW, 1) for run in refused] == [None] * 4
    assert raise_question(run_of(), NOW, 501) is None, "the raise would not pay the next turn"


def test_only_a_question_about_the_budget_holds_a_run_up() -> None:
    assert held(run_of(asks=(Ask(id="ask_1", run="run_1", message="?", opened_at=NOW),))) is None
