"""A new run: what is refused at the door, and what is stored before `create` returns."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from auteryn.errors import AuterynError, Invalid, WrongState
from auteryn.schema.plan import StepDraft
from auteryn.schema.run import FileCheck
from auteryn.service.new import Budget, NewRun, drafts
from auteryn.testing.clock import skipping
from auteryn.testing.scripted import ScriptedModel


def wants(check: FileCheck) -> NewRun:
    return NewRun(input="x", deliverables=(check,))


@pytest.mark.proves("L15", "P26", "P54", "P93")
@pytest.mark.parametrize(
    ("new", "field"),
    [
        (NewRun(input="  "), "input"),
        (NewRun(input="x" * 400_001), "input"),
        (NewRun(input="x", mode="medium"), "mode"),  # pyright: ignore[reportArgumentType]
        (NewRun(input="x", max_duration="8d"), "max_duration"),
        (NewRun(input="x", max_duration="soon"), "max_duration"),
        (NewRun(input="x", budget=Budget(credits=0)), "budget.credits"),
        (NewRun(input="x", mode="fast", budget=Budget(llm_calls=501)), "budget.llm_calls"),
        (NewRun(input="x", approve="never"), "approve"),  # pyright: ignore[reportArgumentType]
        (NewRun(input="x", key=""), "key"),
        (NewRun(input="x", labels={"a": "b" * 501}), "labels.a"),
        (NewRun(input="x", title="t" * 201), "title"),
        (NewRun(input="x", files={"../up": b""}), "files['../up']"),
        (NewRun(input="x", files={".auteryn/done/x": b""}), "files['.auteryn/done/x']"),
        (NewRun(input="x", files={"a.txt": Path("/nowhere/at/all")}), "files['a.txt']"),
        (NewRun(input="x", deliverables=(FileCheck(path="a.md"), FileCheck(path="../b.md"))), "deliverables[1]"),
        (NewRun(input="x", deliverables=(FileCheck(path=""),)), "deliverables[0]"),
        (NewRun(input="x", deliverables=(FileCheck(path="mailto: "),)), "deliverables[0]"),
        (wants(FileCheck(path="[z-a].md")), "deliverables[0]"),
        (wants(FileCheck(path="a.csv", min_rows=-1)), "deliverables[0]"),
        (wants(FileCheck(path="report.docx", min_rows=3)), "deliverables[0]"),
        (wants(FileCheck(path="out/*.md", min_pages=3)), "deliverables[0]"),
        (wants(FileCheck(path="report.PDF", contains="summary")), "deliverables[0]"),
        (wants(FileCheck(path="mailto:ann")), "deliverables[0]"),
        (wants(FileCheck(path="slack:#prices", min_rows=3)), "deliverables[0]"),
        (NewRun(steps=(StepDraft(description="a", depends_on=(2,)), StepDraft(description="b", depends_on=(1,)))), "steps"),
        (NewRun(steps=(StepDraft(description="a", depends_on=(7,)),)), "step 1.depends_on"),
        (NewRun(steps=(StepDraft(description="a", depends_on=(1,)),)), "step 1.depends_on"),
        (NewRun(steps=(StepDraft(description="a", id=1), StepDraft(description="b"))), "steps[1].id"),
        (NewRun(steps=(StepDraft(description="a", id=1), StepDraft(description="b", id=1))), "steps.id"),
        (NewRun(steps=(StepDraft(description="a", id=1), StepDraft(description="b", id=3))), "steps.id"),
        (NewRun(steps=(StepDraft(description="a"), StepDraft(description=" "))), "step 2.description"),
        (NewRun(steps=(StepDraft(description="a"), StepDraft(description="b", depends_on=(1,), join=2))), "step 2.join"),
        (NewRun(steps=(StepDraft(description="a"),) * 2_001), "steps"),
    ],
)
def test_bad_input_is_refused_by_name_and_nothing_is_created(opened, new: NewRun, field: str):
    async def main():
        model = ScriptedModel(["done"])
        async with opened(model) as desk:
            with pytest.raises(Invalid, match=r"must|is|are|has|names") as refused:
                await desk.create(new)
            assert refused.value.field.startswith(field)
            assert isinstance(refused.value, ValueError)
            assert (await desk.runs()).runs == () and model.calls == 0

    skipping(main())


def test_a_step_that_is_no_step_is_named():
    with pytest.raises(Invalid, match=r"steps\[1\].*describe"):
        drafts([{"description": "a"}, {"describe": "b"}])


@pytest.mark.proves("P30", "L15", "F1")
def test_the_same_key_is_the_same_run_and_another_request_with_it_is_refused(opened):
    async def main():
        async with opened("done") as desk:
            first = await desk.create(NewRun(input="What is X?", key="k1", files={"a.txt": b"1"}))
            again = await desk.create(NewRun(input="What is X?", key="k1", files={"a.txt": b"1"}))
            assert again.id == first.id and len((await desk.runs()).runs) == 1
            with pytest.raises(WrongState, match=rf"'k1' belongs to run '{first.id}'"):
                await desk.create(NewRun(input="What is X?", key="k1", files={"a.txt": b"2"}))
            assert len((await desk.runs()).runs) == 1

    skipping(main())


@pytest.mark.proves("P24", "P25", "P26")
@pytest.mark.parametrize(
    ("text", "mode", "made", "stage"),
    [
        ("Research the competitors", "fast", "fast", "forced"),
        ("What is X?", "deep", "deep", "forced"),
        ("What is X?", "auto", "fast", "pattern"),
        ("Research the competitors", "auto", "deep", "pattern"),
    ],
)
def test_the_callers_mode_counts_else_the_router_decides(opened, text: str, mode: str, made: str, stage: str):
    async def main():
        async with opened("done") as desk:
            run = await desk.create(NewRun(input=text, mode=mode))  # pyright: ignore[reportArgumentType]
            assert (run.mode, run.routing.stage) == (made, stage)
            assert run.limits.llm_calls == (500 if made == "fast" else 5_000)

    skipping(main())


@pytest.mark.proves("P39", "P43")
def test_the_task_is_kept_verbatim_and_the_ids_say_their_kind(opened):
    text = "Day 1: look\n\n1. first\n2. second\n   indented\n"

    async def main():
        async with opened("done") as desk:
            run = await desk.create(NewRun(input=text, mode="fast"))
            events = [event async for event in desk.events(run.id)]
            assert events[0].data["input"] == text
            assert run.id.startswith("run_") and len(run.id) >= 20
            assert run.title == "Day 1: look"

    skipping(main())


def test_files_are_in_the_runs_workspace_before_its_first_turn(opened, tmp_path):
    (tmp_path / "prices.csv").write_bytes(b"a,b\n1,2\n")
    seen = list[str]()

    def script(ask):
        seen.append(ask.task)
        return "read"

    async def main():
        async with opened(script) as desk:
            given = {"in/prices.csv": tmp_path / "prices.csv", "note.txt": b"hi"}
            run = await desk.create(NewRun(input="Look at it", mode="fast", files=given))
            await desk.result(run.id)
            files = desk._access.engine.files.of(run.id)
            assert files.read("in/prices.csv") == b"a,b\n1,2\n" and files.read("note.txt") == b"hi"

    skipping(main())
    assert "in/prices.csv, note.txt" in seen[0]


@pytest.mark.proves("P49", "P52")
def test_steps_make_a_deep_run_whose_plan_is_stored_with_its_creation(opened):
    async def main():
        async with opened("done") as desk:
            run = await desk.create(NewRun(steps=drafts([{"description": "a"}, {"description": "b", "depends_on": [1]}])))
            assert run.mode == "deep" and run.plan and run.plan.id.startswith("plan_")
            assert [step.id for step in run.plan.steps] == [1, 2]
            end = await desk.result(run.id)
            assert end.status == "completed" and end.plan and end.plan.done == 2

    skipping(main())


def test_max_duration_and_budget_are_the_runs_own(opened):
    async def main():
        async with opened("done") as desk:
            budget = Budget(credits=2.5, llm_calls=40)
            run = await desk.create(NewRun(input="x", mode="deep", max_duration="2d12h", budget=budget, labels={"team": "a"}))
            assert run.deadline_at - run.created_at == timedelta(hours=60)
            assert (run.limits.credits, run.limits.llm_calls) == (2_500, 40)
            assert run.labels == {"team": "a"}

    skipping(main())


@pytest.mark.proves("L15")
def test_files_that_cannot_lie_beside_each_other_leave_neither_a_run_nor_a_file(opened, tmp_path):
    async def main():
        async with opened() as desk:
            with pytest.raises(AuterynError):
                await desk.create(NewRun(input="x", files={"one": b"1", "one/two": b"2"}))
            assert (await desk.runs()).runs == ()
            assert list(tmp_path.rglob("one*")) == []

    skipping(main())
