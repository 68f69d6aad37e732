"""The list of runs: found, chosen, exported and deleted, however many there are."""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import Any

import pytest
from playwright.sync_api import expect

from auteryn.service.asks import Question
from auteryn.service.desk import Desk
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World

MORE_THAN_A_PAGE = 110


def asks_or_says(ask: Ask) -> Line:
    return (
        call("ask_approval", message="Go?", options=["Yes", "No"]) if ask.task.startswith("Ask") and not ask.turn else "hello"
    )


async def many(world: World) -> None:
    await world.asked(await world.start("Ask about the needle"))
    await world.ended(await world.start("Needle in the hay", mode="fast"))
    for number in range(MORE_THAN_A_PAGE):
        await world.ended(await world.start(f"Hay {number}", mode="fast"))


@pytest.mark.proves("P40")
def test_filters_search_all_runs_and_stand_in_the_address(window_of: Any) -> None:
    window = window_of(asks_or_says, before=many)
    page = window.open()
    rows = page.locator("table.runs tbody tr")
    expect(rows).to_have_count(100)
    expect(page.get_by_role("link", name="Needle in the hay")).to_have_count(0)
    page.get_by_label("Search runs").fill("needle")
    expect(rows).to_have_count(2)
    assert "q=needle" in page.url
    page.get_by_label("State").select_option("completed")
    expect(rows).to_have_count(1)
    page.reload()
    expect(rows).to_have_count(1)
    expect(page.get_by_label("Search runs")).to_have_value("needle")
    page.get_by_label("State").select_option("asks")
    expect(page.get_by_role("link", name="Ask about the needle").last).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    expect(rows).to_have_count(100)
    page.get_by_role("button", name="Older runs").click()
    expect(rows).to_have_count(MORE_THAN_A_PAGE + 2)
    page.get_by_role("combobox", name="Cost").select_option("1000")
    expect(page.locator(".empty")).to_contain_text("No run fits")
    page.get_by_role("button", name="Show all").click()
    expect(rows).to_have_count(100)
    page.get_by_label("Started").select_option("1")
    expect(rows).to_have_count(100)
    expect(page.get_by_role("combobox", name="Owner")).to_have_count(0)
    assert window.complaints == []


def test_a_view_is_saved_under_a_name_and_is_there_again_tomorrow(window_of: Any) -> None:
    async def before(world: World) -> None:
        await world.ended(await world.start("Say hello", mode="fast"))
        await world.asked(await world.start("Ask me"))

    page = window_of(asks_or_says, before=before).open()
    rows = page.locator("table.runs tbody tr")
    page.get_by_label("Mode").select_option("fast")
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="Save this view").click()
    page.get_by_label("Name of the view").fill("Quick ones")
    page.keyboard.press("Enter")
    view = page.get_by_role("button", name="Quick ones", exact=True)
    expect(view).to_have_attribute("aria-pressed", "true")
    page.goto(page.url.split("?")[0])
    expect(rows).to_have_count(2)
    view.click()
    expect(rows).to_have_count(1)
    assert "mode=fast" in page.url
    page.get_by_role("button", name="Forget “Quick ones”").click()
    expect(view).to_have_count(0)


@pytest.mark.proves("P95")
def test_an_admin_sees_whose_runs_they_are_and_may_open_them(window_of: Any) -> None:
    async def before(world: World) -> None:
        await world.ended(await world.start("Say hello", mode="fast"))
        await Desk(world.host.engine, "bea@example.com").ask(Question(message="May I?", options=("Yes", "No")))

    window = window_of(asks_or_says, before=before)
    page = window.open()
    rows = page.locator("table.runs tbody tr")
    expect(rows).to_have_count(1)
    page.get_by_role("combobox", name="Owner").fill("*")
    expect(rows).to_have_count(2)
    expect(page.locator("td.owner")).to_have_text(["bea@example.com", "local"])
    page.get_by_role("combobox", name="Owner").fill("bea@example.com")
    expect(rows).to_have_count(1)
    expect(page.locator(".inbox .ask")).to_contain_text("May I?")
    page.locator("table.runs").get_by_role("link", name="May I?").click()
    page.locator(".asks .ask").get_by_role("button", name="Yes").click()
    expect(page.locator(".run-head .state")).to_have_text("Completed")
    assert window.complaints == []


@pytest.mark.proves("P40")
def test_runs_are_saved_as_files_and_erased_with_a_receipt(window_of: Any) -> None:
    async def before(world: World) -> None:
        for number in range(2):
            await world.ended(await world.start(f"Say hello {number}", mode="fast"))
        await world.asked(await world.start("Ask me"))

    window = window_of(asks_or_says, before=before)
    page = window.open()
    page.get_by_label("Choose Say hello 0").check()
    page.get_by_role("button", name="Export 1").click()
    with page.expect_download() as saved:
        page.locator("dialog").get_by_role("button", name="Export 1").click()
    names = zipfile.ZipFile(BytesIO(saved.value.path().read_bytes())).namelist()
    assert any("manifest" in name for name in names)
    page.get_by_label("Choose all").check()
    page.get_by_role("button", name="Delete 2").click()
    expect(page.locator("dialog")).to_contain_text("It cannot be done with 1 chosen run: it is left alone")
    page.locator("dialog").get_by_role("button", name="Delete 2").click()
    expect(page.locator("dialog .receipt")).to_contain_text("nothing of it is left")
    page.locator("dialog").get_by_role("button", name="Close").last.click()
    expect(page.locator("table.runs tbody tr")).to_have_count(1)
    assert [run["title"] for run in window.api("/v1/runs")["runs"]] == ["Ask me"]
    assert window.complaints == []


def test_the_list_by_keyboard(window_of: Any) -> None:
    async def before(world: World) -> None:
        for number in range(3):
            await world.ended(await world.start(f"Say hello {number}", mode="fast"))

    page = window_of(asks_or_says, before=before).open()
    links = page.locator("a.run-link")
    expect(links).to_have_count(3)
    page.keyboard.press("j")
    expect(links.nth(0)).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator(".bulk")).to_contain_text("1 run chosen")
    page.keyboard.press("k")
    expect(links.nth(0)).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_label("Search runs")).to_be_focused()
    page.keyboard.type("jx?")
    expect(page.locator(".empty")).to_contain_text("No run fits")
    expect(page.locator("dialog")).to_have_count(0)
    page.get_by_role("button", name="Show all").click()
    page.keyboard.press("?")
    expect(page.locator("dialog .keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    page.keyboard.press("n")
    expect(page.get_by_label("Task", exact=True)).to_be_focused()


def test_when_what_had_the_focus_is_gone_it_goes_on_nearby(window_of: Any) -> None:
    async def before(world: World) -> None:
        await world.until(await world.start("Ask twice"), lambda run: len(run.asks) == 2)

    twice = [call("ask_approval", message=f"{what}?", options=["Yes", "No"]) for what in ("First", "Second")]
    page = window_of(lambda ask: "done" if ask.turn else twice, before=before).open()
    page.goto(page.url + page.locator("a.run-link").get_attribute("href").lstrip("/"))  # type: ignore[union-attr]
    page.get_by_role("button", name="Stop").focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Stop")).to_be_focused()
    page.get_by_label("More", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Rename…").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Title")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_label("More", exact=True)).to_be_focused()
    cards = page.locator(".asks .ask")
    cards.filter(has_text="First").focus()
    page.keyboard.press("y")
    expect(cards).to_have_count(1)
    expect(cards).to_be_focused()
    cards.get_by_role("button", name="No").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".run-head .state")).to_have_text("Completed")
    expect(page.locator("#content")).to_be_focused()
