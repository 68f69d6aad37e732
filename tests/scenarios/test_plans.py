"""Plans: what runs side by side, in which order, and what becomes of failure."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from auteryn.errors import ModelRefused
from auteryn.schema import event as e
from auteryn.schema.plan import StepDraft
from auteryn.schema.run import Run
from auteryn.service.desk import Desk
from auteryn.service.new import NewRun
from auteryn.testing.clock import skipping
from auteryn.testing.scenarios import given
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from auteryn.tools.plan import plan_create, plan_update
from auteryn.tools.time import wait


def step(description: str, *depends_on: int, **how: object) -> StepDraft:
    return StepDraft(description=description, depends_on=depends_on, **how)  # type: ignore[arg-type]


def works_an_hour(ask: Ask) -> Line:
    if given(ask) == "Plan":
        return "all done"
    return f"{given(ask)} done" if ask.turn else call("wait", until="1h")


async def times(world: World, run: str) -> dict[int, tuple[datetime, datetime]]:
    steps = [one for one in await world.tree(run) if one.parent]
    return {one.parent.key: (one.created_at, one.ended_at) for one in steps if one.parent and one.ended_at}


@pytest.mark.proves("P50", "P51", "P69", "F19")
def test_steps_without_dependencies_run_side_by_side_and_the_join_waits_for_all(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=works_an_hour, tools=[wait]) as world:
            run = await world.start("Plan", plan=[step("a"), step("b"), step("c"), step("join", 1, 2, 3)])
            ended = await world.ended(run)
            at = await times(world, run)
            assert max(at[n][0] for n in (1, 2, 3)) < min(at[n][1] for n in (1, 2, 3))
            assert at[4][0] >= max(at[n][1] for n in (1, 2, 3))
            joined = (await world.events((await world.tree(run))[4].id))[0]
            assert isinstance(joined, e.RunCreated)
            assert all(f"{name} done" in joined.input.context for name in "abc")
            assert ended.result == "all done" and ended.plan and ended.plan.done == 4

    skipping(story())


@pytest.mark.proves("P53")
def test_the_order_follows_depends_on_whatever_a_comment_says(tmp_path: Path) -> None:
    async def story() -> None:
        plan = [step("fetch"), step("clean", 1), step("analyse", 2), step("chart", 3), step("report", 3, 4)]
        async with World(tmp_path, model=works_an_hour, tools=[wait]) as world:
            run = await world.start("Plan", plan=plan)
            await world.ended(run)
            at = await times(world, run)
            assert all(at[n][1] <= at[n + 1][0] for n in range(1, 5))

    skipping(story())


def fails(*names: str):
    def script(ask: Ask) -> Line:
        if given(ask) in names:
            return ModelRefused("safety", "no")
        return f"{given(ask)} done"

    return script


def outcomes(run: Run) -> list[str]:
    assert run.plan
    return [one.status for one in run.plan.steps]


@pytest.mark.proves("P5")
@pytest.mark.parametrize(
    ("join", "bad", "expected"),
    [
        ("all", ("a",), ["failed", "completed", "skipped"]),
        ("any", ("a",), ["failed", "completed", "completed"]),
        ("any", ("a", "b"), ["failed", "failed", "skipped"]),
        ("best_effort", ("a", "b"), ["failed", "failed", "completed"]),
        (1, ("b",), ["completed", "failed", "completed"]),
        (2, ("b",), ["completed", "failed", "skipped"]),
    ],
)
def test_a_join_decides_what_a_failure_means(tmp_path: Path, join: object, bad: tuple[str, ...], expected: list[str]) -> None:
    async def story() -> None:
        async with World(tmp_path, model=fails(*bad)) as world:
            run = await world.start("Plan", plan=[step("a"), step("b"), step("c", 1, 2, join=join)])
            ended = await world.ended(run)
            assert outcomes(ended) == expected
            assert ended.status == "completed"
            report = next(event.text for event in await world.events(run) if isinstance(event, e.Told))
            assert all(f'"status": "{status}"' in report for status in expected)

    skipping(story())


@pytest.mark.proves("P5", "P36")
def test_a_failed_step_is_tried_again_and_what_was_skipped_because_of_it_runs(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        if given(ask) == "b" and not (tmp_path / "fixed").exists():
            return ModelRefused("safety", "no")
        if given(ask) == "slow":
            return "slow done" if ask.turn else call("wait", until="2h")
        return f"{given(ask)} done"

    async def story() -> None:
        async with World(tmp_path / "home", model=script, tools=[wait]) as world:
            run = await world.start("Plan", plan=[step("a"), step("b"), step("c", 2), step("slow")])
            await world.until(run, lambda found: outcomes(found)[2] == "skipped")
            (tmp_path / "fixed").touch()
            assert await world.retry(run, 2)
            ended = await world.ended(run)
            assert outcomes(ended) == ["completed"] * 4
            assert ended.plan and [one.attempt for one in ended.plan.steps] == [1, 2, 1, 1]

    skipping(story())


@pytest.mark.proves("P6")
def test_the_planner_sees_a_reviewed_step_and_changes_what_has_not_started(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        if given(ask) != "Plan":
            return "only two competitors exist" if given(ask) == "count" else f"{given(ask)} done"
        if ask.turn == 0:
            steps = [
                {"description": "count", "review": True},
                {"description": "analyse ten", "depends_on": [1]},
                {"description": "report", "depends_on": [2]},
            ]
            return call("plan_create", goal="Compare", steps=steps)
        if ask.turn == 1:
            assert "only two competitors exist" in repr(ask.request.contents[-1])
            return call("plan_update", updates=[{"id": 2, "description": "analyse two"}], note="there are only two")
        return "compared"

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[plan_create, plan_update]) as world:
            run = await world.start("Plan")
            ended = await world.ended(run)
            assert ended.result == "compared" and outcomes(ended) == ["completed"] * 3
            assert ended.plan and ended.plan.steps[1].result == "analyse two done"
            revised = [event for event in await world.events(run) if isinstance(event, e.PlanRevised)]
            assert [change.id for change in revised[0].diff] == [2]

    skipping(story())


@pytest.mark.proves("P6")
def test_a_given_plan_with_a_reviewed_step_is_not_concluded_at_the_review(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        if given(ask) != "Plan":
            return f"{given(ask)} done"
        return "the end" if "b done" in str(ask.request.contents) else "go on"

    async def story() -> None:
        async with World(tmp_path, model=script) as world:
            run = await world.start("Plan", plan=[step("a", review=True), step("b", 1)])
            ended = await world.ended(run)
            assert outcomes(ended) == ["completed", "completed"]
            assert ended.result == "the end"

    skipping(story())


@pytest.mark.proves("P6")
def test_the_model_looks_at_a_reviewed_step_of_a_given_plan_and_again_when_a_second_try_does_it_anew(tmp_path: Path) -> None:
    tries, looks = list[str](), list[str]()

    def script(ask: Ask) -> Line:
        if given(ask) == "count":
            tries.append("count")
            return ModelRefused("safety", "no") if len(tries) == 1 else "two"
        if given(ask) != "Plan":
            return f"{given(ask)} done"
        if "Look at the results" in str(ask.request.contents[-1]):
            looks.append(str(ask.request.contents[-1]))
            return "go on"
        return ModelRefused("safety", "no") if len(tries) == 1 else "compared"

    async def story() -> None:
        async with World(tmp_path, model=script) as world:
            desk = Desk(world.host.engine)
            plan = (step("count", review=True), step("report", 1), step("slow"), step("last", 3))
            run = await desk.create(NewRun(input="Plan", steps=plan))
            assert (await world.ended(run.id)).status == "failed"
            assert len(looks) == 1 and '"failed"' in looks[0] and outcomes(await world.run(run.id))[3] == "completed"
            ended = await world.ended((await desk.retry(run.id)).id)
            assert ended.result == "compared" and outcomes(ended) == ["completed"] * 4
            assert len(looks) == 2 and '"two"' in looks[1]

    skipping(story())


@pytest.mark.proves("F18")
def test_the_result_of_an_attempt_that_is_over_is_ignored(tmp_path: Path) -> None:
    from auteryn.schema.inbox import StepEnded

    async def story() -> None:
        async with World(tmp_path, model=works_an_hour, tools=[wait]) as world:
            run = await world.start("Plan", plan=["a"])
            waiting = await world.waiting(run)
            assert waiting.plan
            end = e.StepEnd(step=1, run="run_of_an_earlier_attempt", attempt=0, status="completed", result="stale")
            stale = StepEnded(id="stale", sent_at=world.now(), kind_of_child="step", of=waiting.plan.id, end=end)
            await world.tell(run, stale)
            await world.after(timedelta(minutes=5))
            assert outcomes(await world.run(run)) == ["in_progress"]
            ended = await world.ended(run)
            assert ended.plan and ended.plan.steps[0].result == "a done"

    skipping(story())


@pytest.mark.proves("F20")
def test_what_a_plan_that_is_over_says_late_is_ignored(tmp_path: Path) -> None:
    """Its step's end, told again, is no end of the next plan's step of that number; its step, published again, rests."""
    from auteryn.schema.inbox import StepEnded

    def script(ask: Ask) -> Line:
        match given(ask):
            case "Plan" if ask.turn < 2:
                return call("plan_create", goal="Compare", steps=[{"description": "first" if ask.turn == 0 else "then"}])
            case "then" if ask.turn == 0:
                return call("wait", until="1h")
            case other:
                return f"{other} done"

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[plan_create, wait]) as world:
            run = await world.start("Plan")
            later = await world.until(
                run, lambda found: found.status == "waiting" and found.plan is not None and found.turns == 2
            )
            first = next(one for one in await world.tree(run) if one.parent and one.title == "first")
            assert first.parent and later.plan and first.parent.of != later.plan.id
            end = e.StepEnd(step=1, run=first.id, attempt=1, status="completed", result="stale")
            stale = StepEnded(id="stale", sent_at=world.now(), kind_of_child="step", of=first.parent.of, end=end)
            written = await world.journal(first.id)
            await world.tell(run, stale)
            await world.services.bus.publish_steps([first.id])
            await world.after(timedelta(minutes=5))
            assert outcomes(await world.run(run)) == ["in_progress"]
            ended = await world.ended(run)
            assert ended.plan and ended.plan.steps[0].result == "then done"
            assert await world.journal(first.id) == written

    skipping(story())
