"""What can still be changed from the page of a run: its name, what it has not heard, steps to come; and what it has in mind."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from auteryn.schema.run import Options
from auteryn.testing.scripted import Ask, Line, call, safety
from auteryn.testing.world import World
from auteryn.tools.tool import tool
from console.test_for_everybody import complaints_of


def approval(ask: Ask) -> Line:
    return "thanks" if ask.turn else call("ask_approval", message="Go?", options=["Yes", "No"])


async def asked(world: World) -> None:
    await world.asked(await world.start("Ask me"))


@pytest.mark.proves("P56")
def test_what_was_said_for_later_is_changed_and_taken_back_until_it_is_heard(window_of: Any) -> None:
    window = window_of(approval, before=asked)
    page = window.open(f"/runs/{window.run('Ask me')}")
    said = page.get_by_label("Message to the agent")
    page.get_by_role("button", name="Later").click()
    for text, count in (("use euros", 1), ("be quick", 2)):
        said.fill(text)
        page.get_by_role("button", name="Send").click()
        expect(page.locator(".pending li")).to_have_count(count)
    expect(page.locator(".pending li").first).to_contain_text("for later")
    page.get_by_role("button", name="Take back: be quick").click()
    expect(page.locator(".pending li")).to_have_count(1)
    page.get_by_role("button", name="Change: use euros").click()
    page.get_by_label("What it is to say").fill("use dollars")
    page.get_by_label("What it is to say").press("Enter")
    expect(page.locator(".pending li")).to_contain_text("use dollars")
    page.reload()
    expect(page.locator(".pending li")).to_contain_text("use dollars")
    page.get_by_role("button", name="Yes").click()
    expect(page.locator(".run-head .state")).to_have_text("Completed")
    expect(page.locator(".heard:not(.later)")).to_have_count(1)
    expect(page.locator(".heard:not(.later)")).to_contain_text("use dollars")
    assert window.complaints == []


def test_a_run_is_renamed_where_it_stands_and_everybody_sees_it(window_of: Any) -> None:
    window = window_of(approval, before=asked)
    page = window.open(f"/runs/{window.run('Ask me')}")
    other = window.context.new_page()
    other.goto(page.url)
    page.get_by_label("More", exact=True).click()
    page.get_by_role("button", name="Rename…").click()
    title = page.get_by_label("Title", exact=True)
    expect(title).to_be_focused()
    title.fill("Ten competitors")
    title.press("Enter")
    for one in (page, other):
        expect(one.locator("h1")).to_have_text("Ten competitors")
    page.get_by_role("link", name="Runs", exact=True).click()
    expect(page.locator("a.run-link")).to_have_text("Ten competitors")
    expect(page.locator("td.age .day")).to_contain_text("last event")
    assert window.complaints == []


STEPS = [
    {"description": "Look at Alpha", "depends_on": []},
    {"description": "Look at Beta", "depends_on": [1]},
    {"description": "Compare them", "depends_on": [2]},
    {"description": "Write it down", "depends_on": [3]},
]


def planner(ask: Ask) -> Line:
    if ask.task.startswith("Compare both"):
        return call("plan_create", goal="Compare", steps=STEPS) if ask.turn == 0 else "compared"
    if "Look at Alpha" in ask.task and "did" not in ask.task and ask.turn == 0:
        return call("ask_approval", message="Seen?", options=["Yes", "No"])
    return "did that" if ask.turn else f"did {ask.task}"


@pytest.mark.proves("P6")
def test_a_step_to_come_is_changed_or_skipped_and_the_revision_shows_what_it_was(window_of: Any) -> None:
    async def before(world: World) -> None:
        run = await world.start("Compare both")
        await world.until(run, lambda found: bool(found.plan) and found.plan.steps[0].status == "in_progress")
        await world.asked((await world.tree(run))[1].id)

    window = window_of(planner, before=before)
    expect(window.open("/").locator(".inbox .ask a")).to_have_text("Step 1 of Compare both")
    page = window.open(f"/runs/{window.run('Compare both')}?tab=plan")
    expect(page.locator(".chosen")).to_have_count(0)
    page.locator(".node").nth(1).click()
    expect(page.locator(".chosen .state")).to_have_text("To come")
    page.get_by_role("button", name="Skip…").click()
    page.get_by_role("dialog").get_by_role("button", name="Skip it").click()
    expect(page.locator(".node").nth(1)).to_have_class(re.compile("is-skipped"))
    page.locator(".node").nth(1).click()  # lets go of it
    page.locator(".node").nth(3).click()
    page.get_by_role("button", name="Change", exact=True).click()
    page.get_by_label("What step 4 is to do").fill("Write a poem")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".chosen p").first).to_have_text("Write a poem")
    page.get_by_text("How it changed").click()
    changes = page.locator(".diff")
    expect(changes).to_have_count(2)
    expect(changes.last.locator("del")).to_have_text("Write it down")
    expect(changes.last.locator("ins")).to_have_text("Write a poem")
    assert any(address.endswith("/revisions") for address in window.asked), "not of what happens to be loaded"
    page.get_by_role("button", name="Yes").click()
    expect(page.locator(".run-head .state")).to_have_text("Completed")
    assert [one["status"] for one in window.api(f"/v1/runs/{window.run('Compare both')}/progress")["steps"]] == [
        "completed",
        "skipped",
        "completed",
        "completed",
    ]
    assert window.complaints == []


def test_a_dry_run_is_chosen_at_the_start_and_the_page_says_what_thinks_and_with_how_much_in_mind(window_of: Any) -> None:
    window = window_of(["hello"])
    page = window.open("/?new=1")
    page.get_by_label("Task", exact=True).fill("Say hello to everybody")
    page.get_by_label("Effects outside").select_option("dry")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator(".run-head .state")).to_have_text("Completed")
    expect(page.locator(".facts")).to_contain_text("dry run")
    expect(page.locator(".facts")).to_contain_text("scripted")
    expect(page.locator(".facts")).to_contain_text("release")
    page.get_by_role("tab", name="Notes").click()
    expect(page.locator(".context")).to_contain_text("At turn 1")
    expect(page.locator(".context")).to_contain_text("stay word for word")
    assert window.complaints == []


@pytest.mark.proves("L14")
def test_what_would_be_sent_is_shown_as_it_is_and_the_arguments_behind_it(window_of: Any) -> None:
    text = "To: ann\n\n**Pay** [here](https://evil.example.com/)"

    @tool(effect="once", permission="ask", preview=lambda args, files: text)
    async def tell(what: str) -> str:
        """Tell Ann something."""
        return "told"

    async def before(world: World) -> None:
        await world.asked(await world.start("Tell Ann"))

    script = [call("tell", what="to pay"), "told"]
    window = window_of(script, tools=[tell], before=before)
    page = window.open(f"/runs/{window.run('Tell Ann')}")
    seen = page.locator(".ask .foreseen")
    assert seen.evaluate("box => box.innerText") == text
    expect(page.locator(".ask .subject pre")).to_be_hidden()
    page.get_by_text("Exact arguments").click()
    expect(page.locator(".ask .subject pre")).to_contain_text('"what": "to pay"')
    assert complaints_of(page) == []
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.locator(".run-head .state")).to_have_text("Completed")
    assert window.complaints == []


def test_a_step_that_failed_is_tried_again_from_the_plan(window_of: Any) -> None:
    tries = list[str]()

    def script(ask: Ask) -> Line:
        if ask.task == "Plan it":
            steps = [{"description": "Look"}, {"description": "Break"}]
            if ask.turn == 0:
                return call("plan_create", goal="All of it", steps=steps)
            return call("ask_approval", message="Is that enough?", options=["Yes", "No"]) if ask.turn == 1 else "done"
        if "Break" in ask.task:
            tries.append(ask.task)
        return safety() if "Break" in ask.task and len(tries) < 2 else "looked"

    async def before(world: World) -> None:
        await world.asked(await world.start("Plan it", options=Options(auto_retry=False)))

    window = window_of(script, before=before)
    page = window.open(f"/runs/{window.run('Plan it')}?tab=plan")
    page.locator(".node.is-failed").click()
    expect(page.locator(".chosen .problem")).to_contain_text("Model refused: the model declined to answer")
    page.get_by_role("button", name="Retry this step").click()
    expect(page.locator(".node").nth(1)).to_have_class(re.compile("is-completed"))
    assert len(tries) == 2
    assert window.complaints == []
