"""What people do in the console, done in a real browser."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from auteryn.testing.emulators.servers import held_port
from auteryn.testing.scripted import Ask, Line, Say, call
from auteryn.testing.world import World
from auteryn.tools.tool import tool
from console.conftest import home_served, looking

SHOW, YES = "Show me the records first", "Yes, proceed"


@tool(effect="read", timeout=timedelta(days=1))
async def rest(ctx, hours: float) -> str:
    """Rest for some hours."""
    await ctx.clock.sleep(timedelta(hours=hours))
    return "rested"


def research(ask: Ask) -> Line:
    """A plan of two steps; the second asks; told to be short, it rests until somebody stops it."""
    if ask.task.startswith("Compare"):
        steps: list[dict[str, Any]] = [{"description": "Look at Alpha"}, {"description": "Ask and mail", "depends_on": [1]}]
        if ask.turn == 0:
            return Say(
                thoughts="**Planning**\n\nLet me break this down.\n\n\n",
                calls=(call("plan_create", goal="Compare", steps=steps),),
            )
        return "compared"
    if ask.task.startswith("Look"):
        return "Alpha costs 1,200."
    if "be short" in str(ask.request.contents):
        return call("rest", hours=5)
    if ask.turn == 0:
        return call("ask_approval", message="Mail it to **the team**?", options=[YES, "No", SHOW])
    return call("rest", hours=4)


def start(page: Page, task: str, mode: str = "Deep") -> None:
    page.get_by_role("button", name="New run").click()
    page.get_by_label("Task", exact=True).fill(task)
    page.get_by_label(re.compile(f"^{mode}")).check()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator("h1")).to_have_text(task)


@pytest.mark.proves("P28", "P56", "P60", "P92", "P95", "P97")
def test_start_watch_approve_steer_stop(window_of: Any) -> None:
    window = window_of(research, tools=[rest])
    page = window.open()
    start(page, "Compare Alpha and Beta")

    expect(page.locator(".thought", has_text="Let me break this down.")).to_be_visible()
    expect(page.locator(".thought strong")).to_have_text("Planning")
    expect(page.locator(".node.is-completed")).to_have_count(1)
    card = page.locator(".asks .ask")
    expect(card.locator(".prose strong")).to_have_text("the team")
    expect(page.locator(".run-head")).to_contain_text("Step 1/2")
    card.get_by_role("button", name=YES).click()
    expect(card).to_have_count(0)

    page.locator("#steer").fill("be short")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".heard", has_text="be short")).to_be_visible()
    expect(page.locator("#steer")).to_be_focused()

    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Stop the run").click()
    expect(page.locator("dialog .receipt")).to_contain_text("step was told to stop")
    page.get_by_role("button", name="Close").last.click()
    expect(page.locator(".run-head .state")).to_have_text("Stopped")
    expect(page.locator(".node.is-cancelled")).to_have_count(1)
    expect(page.locator(":is(.node, .tool):is(.is-running, .is-in_progress)")).to_have_count(0)
    assert window.api(f"/v1/runs/{window.run('Compare')}")["status"] == "cancelled"
    assert window.complaints == []


@pytest.mark.proves("L12", "P97")
def test_a_server_that_dies_and_comes_back_is_said_and_made_up_for(chromium: Browser, tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        return "The end." if ask.turn == 1 else call("ask_input", message="Which city?")

    with held_port() as port:
        with home_served(tmp_path / "home", script, port=port) as (url, link), looking(chromium, url, link) as window:
            page = window.open()
            start(page, "Write about a city")
            expect(page.locator(".asks .ask")).to_be_visible()
            state = window.context.storage_state()
        context = chromium.new_context(storage_state=state)
        page = context.new_page()
        with home_served(tmp_path / "home", script, port=port):
            page.goto(url)
            page.get_by_role("link", name="Write about a city").first.click()
            expect(page.locator(".asks .ask")).to_be_visible()
        expect(page.locator(".stale").first).to_be_visible()
        with home_served(tmp_path / "home", script, port=port):
            expect(page.locator(".stale")).to_have_count(0)
            page.get_by_label("Your answer").fill("Ghent")
            page.get_by_role("button", name="Answer").click()
            expect(page.locator(".result")).to_contain_text("The end.")
            shown = page.locator(".items .item").evaluate_all("all => all.map(one => one.innerText)")
            assert len([text for text in shown if "Write about a city" in text]) == 1
            assert len([text for text in shown if "The end." in text]) == 1
        context.close()


def test_an_answer_in_one_tab_closes_the_card_in_the_other(window_of: Any) -> None:
    window = window_of(lambda ask: "thanks" if ask.turn else call("ask_approval", message="Go?", options=["Yes", "No"]))
    first = window.open()
    start(first, "Ask me")
    expect(first.locator(".asks .ask")).to_be_visible()
    second = window.context.new_page()
    second.goto(first.url)
    expect(second.locator(".asks .ask")).to_be_visible()
    second.get_by_role("button", name="Yes").click()
    expect(first.locator(".asks .ask")).to_have_count(0)
    expect(first.locator(".result")).to_contain_text("thanks")


def test_the_list_asks_filters_and_stops_many(window_of: Any) -> None:
    async def before(world: World) -> None:
        for number in range(3):
            await world.asked(await world.start(f"Question {number}"))
        await world.ended(await world.start("Say hello", mode="fast"))

    def script(ask: Ask) -> Line:
        return "hello" if "hello" in ask.task else call("ask_approval", message=f"{ask.task}: go?", options=["Yes", "No"])

    window = window_of(script, before=before)
    page = window.open()
    expect(page.locator("h2", has_text="3 need you")).to_be_visible()
    expect(page.locator("table.runs tbody tr")).to_have_count(4)
    page.get_by_label("Mode").select_option("fast")
    expect(page.locator("table.runs tbody tr")).to_have_count(1)
    assert "mode=fast" in page.url
    page.get_by_label("Mode").select_option("")
    page.get_by_label("State").select_option("asks")
    page.get_by_label("Choose all").check()
    page.get_by_role("button", name="Stop 3").click()
    expect(page.locator("dialog")).to_contain_text("Stop 3 runs?")
    page.locator("dialog").get_by_role("button", name="Stop 3").click()
    page.get_by_label("State").select_option("cancelled")
    expect(page.locator("table.runs tbody tr")).to_have_count(3)
    assert window.complaints == []


def test_the_arguments_of_a_gated_call_may_be_changed(window_of: Any) -> None:
    seen = list[str]()

    @tool(effect="once", permission="ask", target=lambda args: args["table"])
    async def empty(ctx, table: str) -> str:
        """Empty a table."""
        seen.append(table)
        return f"emptied {table}"

    window = window_of(lambda ask: "done" if ask.turn else call("empty", table="customers"), tools=[empty])
    page = window.open()
    start(page, "Empty a table")
    expect(page.locator(".subject")).to_contain_text("customers")
    page.get_by_role("button", name="Change").click()
    page.locator(".args-edit").fill('{"table": "drafts"}')
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.locator(".result")).to_contain_text("done")
    assert seen == ["drafts"]


def test_by_keyboard_alone(window_of: Any) -> None:
    async def before(world: World) -> None:
        await world.ended(await world.start("Say hello", mode="fast"))

    window = window_of(["hello"], before=before)
    page = window.open()
    expect(page.locator(".run-link")).to_be_visible()
    page.locator(".run-link").focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Say hello")
    expect(page.locator(".item", has_text="Completed")).to_be_visible()
    page.keyboard.press(",")
    expect(page.locator(".item.here")).to_have_count(1)
    first = page.url
    page.keyboard.press(",")
    expect(page).not_to_have_url(first)
    page.goto(window.url + "/?new=1")
    expect(page.locator("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
