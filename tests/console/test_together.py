"""Several people at one run: who was first, what was heard, what was handed over, what was deleted."""

from __future__ import annotations

import asyncio
import re
import threading
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from auteryn.tools.tool import tool


def approval(ask: Ask) -> Line:
    return "thanks" if ask.turn else call("ask_approval", message="Go?", options=["Yes", "No"])


@pytest.mark.proves("P60")
def test_who_answers_second_is_told_who_was_first_and_that_the_answer_does_not_count(window_of: Any) -> None:
    async def before(world: World) -> None:
        await world.asked(await world.start("Ask me"))

    window = window_of(approval, before=before)
    early = window.open(f"/runs/{window.run('Ask me')}")
    late = window.context.new_page()
    late.goto(window.url + "/")
    card = late.locator(".inbox .ask")
    expect(card).to_be_visible()
    late.route("**/v1/asks", lambda route: route.abort())  # it hears nothing new; what it says still arrives
    early.locator(".asks .ask").get_by_role("button", name="Yes").click()
    expect(early.locator(".run-head .state")).to_have_text("Completed")
    card.get_by_role("button", name="No").click()
    told = late.locator(".notice.bad")
    expect(told).to_contain_text("Your answer “No” came too late and does not count")
    expect(told).to_contain_text("answered 'Yes' by local")
    told.get_by_role("button", name="Close").click()
    expect(told).to_have_count(0)


def test_who_only_looks_hears_that_somebody_else_has_answered(window_of: Any) -> None:
    async def before(world: World) -> None:
        await world.asked(await world.start("Ask me"))

    window = window_of(approval, before=before)
    first = window.open(f"/runs/{window.run('Ask me')}")
    expect(first.locator(".asks .ask")).to_be_visible()
    second = window.context.new_page()
    second.goto(first.url)
    second.locator(".asks .ask").get_by_role("button", name="Yes").click()
    expect(first.locator(".notice")).to_have_text("local has answered “Yes”.")
    expect(second.locator(".run-head .state")).to_have_text("Completed")
    expect(second.locator(".notice")).to_have_count(0)
    assert window.complaints == []


@pytest.mark.proves("P56")
def test_a_word_to_the_agent_says_before_which_turn_it_was_heard(window_of: Any) -> None:
    said = threading.Event()

    @tool(effect="read", timeout=timedelta(days=1))
    async def rest(ctx) -> str:
        """Rest until somebody has spoken."""
        await asyncio.to_thread(said.wait)
        return "rested"

    def script(ask: Ask) -> Line:
        match ask.turn:
            case 0:
                return call("note_write", section="a", text="b")
            case 1:
                return call("rest")
            case 2:
                return call("ask_approval", message="Is this short enough?", options=["Yes", "No"])
            case _:
                return f"heard: {'be short' in str(ask.request.contents)}"

    async def before(world: World) -> None:
        run = await world.start("Work")
        await world.until(run, lambda found: found.turns == 2)

    window = window_of(script, tools=[rest], before=before)
    page = window.open(f"/runs/{window.run('Work')}")
    page.get_by_label("Message to the agent").fill("be short")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".pending")).to_contain_text("on its way")
    said.set()
    expect(page.locator(".pending .applied")).to_contain_text("heard before turn 3")
    expect(page.locator(".heard .label")).to_have_text("local, heard before turn 3")
    page.get_by_role("button", name="Yes").click()
    expect(page.locator(".result")).to_contain_text("heard: True")
    page.reload()
    expect(page.locator(".heard .label")).to_have_text("local, heard before turn 3")
    assert window.complaints == []


@pytest.mark.proves("P56")
def test_what_it_does_right_now_is_broken_off_for_a_word_that_cannot_wait(window_of: Any) -> None:
    @tool(effect="read")
    async def mix() -> str:
        """Mix the paint, for ever."""
        await asyncio.Event().wait()
        return "mixed"

    async def before(world: World) -> None:
        run = await world.start("Paint")
        await world.until(run, lambda found: found.turns == 1)

    def script(ask: Ask) -> Line:
        return "in blue" if "make it blue" in str(ask.request.contents) else call("mix")

    window = window_of(script, tools=[mix], before=before)
    page = window.open(f"/runs/{window.run('Paint')}")
    page.get_by_role("button", name="At once").click()
    page.get_by_label("Message to the agent").fill("make it blue")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".result")).to_contain_text("in blue")
    expect(page.locator(".tool-body")).to_contain_text("interrupted by a message from the owner")
    assert window.complaints == []


@pytest.mark.proves("L12")
def test_a_page_asks_for_the_newest_events_first_and_then_for_what_follows(window_of: Any) -> None:
    async def before(world: World) -> None:
        await world.asked(await world.start("Ask me"))

    window = window_of(approval, before=before)
    run = window.run("Ask me")
    page = window.open(f"/runs/{run}")
    expect(page.locator(".asks .ask")).to_be_visible()
    asked = [parse_qs(urlsplit(url).query) for url in window.asked if urlsplit(url).path == f"/v1/runs/{run}/events"]
    assert asked == [{"tail": ["400"]}]


def office(ask: Ask) -> Line:
    match ask.turn:
        case 0:
            rows = [["Acme", 1200], ["Globex", 990]]
            sheet = {"name": "Prices", "columns": [{"header": "firm"}, {"header": "price"}], "rows": rows}
            return [
                call("file_write", path="a.md", content="# Prices\n\n**Acme** is dear."),
                call("file_write", path="a.csv", content="firm,price\nAcme,1200\n"),
                call("sheet_create", path="a.xlsx", sheets=[sheet]),
                call("docx_create", path="a.docx", markdown="# Prices\n\nAcme is dear."),
                call("pdf_create", path="a.pdf", source="# Prices\n\nAcme is dear."),
                call("slides_create", path="a.pptx", title="Prices", slides=[{"layout": "title", "title": "Acme is dear"}]),
                call("chart_create", path="a.png", kind="bar", data=[{"firm": "Acme", "price": 1200}], x="firm", y="price"),
            ]
        case 1:
            return [call("artifact_publish", path=f"a.{form}", title=f"As {form}") for form in FORMS]
        case _:
            return "done"


FORMS = ("md", "csv", "xlsx", "docx", "pdf", "pptx", "png")


@pytest.mark.proves("P92")
def test_every_kind_of_file_is_shown_under_the_page_s_own_policy(window_of: Any) -> None:
    window = window_of(office)
    run = window.page.evaluate(
        """async () => {
            const { csrf } = await (await fetch('/v1/session')).json();
            const body = '{"input": "Make files", "mode": "deep"}';
            const headers = { 'X-CSRF-Token': csrf, 'Content-Type': 'application/json' };
            return (await (await fetch('/v1/runs', { method: 'POST', headers, body })).json()).id }"""
    )
    page = window.open(f"/runs/{run}?tab=files")
    expect(page.locator(".run-head .state")).to_have_text("Completed", timeout=120_000)
    expect(page.locator(".file-row")).to_have_count(len(FORMS))
    shown = page.locator(".preview")
    for form in FORMS:
        row = page.locator(".file-row", has_text=f"a.{form}")
        row.click()
        match form:
            case "md" | "docx" | "pptx":
                expect(shown.locator(".prose")).to_contain_text("Acme")
            case "csv" | "xlsx":
                expect(shown.locator("td", has_text="1200")).to_be_visible()
            case "png":
                expect(shown.locator("img")).to_have_js_property("complete", True)
                assert shown.locator("img").evaluate("image => image.naturalWidth") > 100
            case "pdf":
                expect(shown.locator("iframe")).to_have_attribute("src", re.compile("^blob:"))
                frame = shown.locator("iframe").element_handle().content_frame()
                assert frame and frame.url.startswith("blob:")
        row.click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save all").click()
    assert saved.value.suggested_filename.endswith(".zip")
    assert window.complaints == []


@pytest.mark.proves("P40")
def test_an_ended_run_is_deleted_from_its_page(window_of: Any) -> None:
    async def before(world: World) -> None:
        await world.ended(await world.start("Say hello", mode="fast"))

    window = window_of(["hello"], before=before)
    run = window.run("Say hello")
    page = window.open(f"/runs/{run}")
    page.get_by_label("More", exact=True).click()
    page.get_by_role("button", name="Delete…").click()
    expect(page.locator("dialog")).to_contain_text("for good")
    page.locator("dialog").get_by_role("button", name="Delete it").click()
    expect(page.locator("dialog .receipt")).to_contain_text("nothing of it is left")
    page.locator("dialog").get_by_role("button", name="Close").last.click()
    expect(page.locator(".empty h2")).to_have_text("Nothing here yet")
    page.goto(f"{window.url}/runs/{run}")
    expect(page.locator("h1")).to_have_text("There is no such run")
