"""For every eye, hand and screen: axe finds nothing, a phone shows all, and long runs stay light."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from auteryn.schema import event as e
from auteryn.schema.change import Change
from auteryn.schema.fold import after
from auteryn.schema.record import new_id
from auteryn.testing.scripted import Ask, Line, Say, call
from auteryn.testing.world import World

TABS = ("plan", "files", "notes", "costs", "logs", "health")
STEPS = [{"description": "Look at Alpha"}, {"description": "Look at Beta"}, {"description": "Compare", "depends_on": [1, 2]}]


def everything(ask: Ask) -> Line:
    """A run with a bit of all there is to see."""
    if ask.task.startswith("Compare both"):
        plan = call("plan_create", goal="Compare", steps=[dict(step) for step in STEPS])
        return Say(thoughts="Let me see.", calls=(plan,)) if ask.turn == 0 else "compared"
    if ask.task.startswith("Watch"):
        return call("schedule", every="6h", instruction="Look again", until="5d") if ask.turn == 0 else "The watch is set."
    if ask.task.startswith("Compare"):
        match ask.turn:
            case 0:
                return [
                    call("file_write", path="a.md", content="# A\n\n- one\n"),
                    call("note_write", section="found", text="*much*"),
                ]
            case 1:
                return call("artifact_publish", path="a.md", title="A")
            case _:
                return call("ask_input", message="Where to?", input_type="text", validation="email")
    return "seen"


async def made(world: World) -> None:
    await world.asked(await world.start("Compare: send it away"))
    run = await world.start("Compare both")
    await world.until(run, lambda found: bool(found.plan) and found.plan.steps[2].status == "in_progress")
    await world.waiting(await world.start("Watch the prices"))
    for one in await world.tree(run):
        if one.parent and one.parent.key == 3:
            await world.asked(one.id)


def complaints_of(page: Page) -> list[str]:
    """What axe finds on the page as it is."""
    page.evaluate(AXE_SCRIPT)
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
    return [f"{one['id']}: {one['help']} ({[node['html'][:140] for node in one['nodes'][:3]]})" for one in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(window_of: Any, scheme: str) -> None:
    window = window_of(everything, before=made, scheme=scheme)
    page = window.open()
    expect(page.locator(".runs tbody tr")).to_have_count(3)
    expect(page.locator(".inbox .ask")).to_have_count(2)
    found = {"list": complaints_of(page)}
    page.goto(window.url + "/?new=1")
    expect(page.locator("dialog")).to_be_visible()
    found["new run"] = complaints_of(page)
    page.goto(window.url + "/?view=schedules")
    expect(page.locator(".schedule")).to_be_visible()
    found["schedules"] = complaints_of(page)
    run = window.run("Compare both")
    for tab in TABS:
        page.goto(f"{window.url}/runs/{run}?tab={tab}")
        expect(page.locator(".item").first).to_be_visible()
        expect(page.locator(f"[data-tab={tab}][aria-selected=true]")).to_be_visible()
        found[tab] = complaints_of(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_visible()
    found["sign in"] = complaints_of(page)
    assert {place: one for place, one in found.items() if one} == {}
    assert window.complaints == []


def test_a_phone_shows_all_of_it_without_scrolling_sideways(window_of: Any) -> None:
    window = window_of(everything, before=made, width=360)
    page = window.open()
    run = window.run("Compare both")
    places = ["/", "/?new=1", "/?view=schedules", *(f"/runs/{run}?tab={tab}" for tab in ("activity", *TABS))]
    wide = dict[str, int]()
    for place in places:
        page.goto(window.url + place)
        expect(page.locator("main")).to_be_visible()
        expect(page.locator(".schedule, .runs, .item, .panel").first).to_be_visible()
        wide[place] = page.evaluate("document.documentElement.scrollWidth")
    assert {place: width for place, width in wide.items() if width > 360} == {}


LINES, A_COMMIT = 50_000, 1_000


async def long_run(world: World) -> None:
    """A waiting run whose journal holds 50,000 lines."""
    run = await world.asked(await world.start("Compare: a long story"))
    for _ in range(LINES // A_COMMIT):
        facts = tuple(e.Logged(level="info", message=f"line {run.seq}.{number}") for number in range(A_COMMIT))
        entry = e.Entry(seq=run.seq + 1, at=world.now(), slice=run.slice, commit=new_id("c"), events=facts)
        run = after(run, entry)
        await world.services.store.commit(Change(run=run, entry=entry))


def test_fifty_thousand_lines_are_as_light_as_fifty(window_of: Any) -> None:
    window = window_of(everything, before=long_run)
    page = window.open()
    run = window.run("Compare: a long")
    page.goto(f"{window.url}/runs/{run}?tab=logs")
    expect(page.locator(".log-line").last).to_contain_text(".999", timeout=60_000)
    assert page.locator(".log-line").count() < 100
    assert page.locator(".items .item").count() <= 240
    streams = [address for address in window.asked if f"/v1/runs/{run}/events" in address]
    assert streams and all("tail=" in address or "after=" in address for address in streams)
    page.locator(".log-window").evaluate("box => { box.scrollTop = 0 }")
    expect(page.locator(".log-line").first).to_contain_text("created")
    assert page.locator(".log-line").count() < 100
    assert window.complaints == []
