"""What goes wrong is said, what is open is reachable, what is printed is whole: the console's other states."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from auteryn.testing.scenarios import given
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from console.test_for_everybody import complaints_of


def approval(ask: Ask) -> Line:
    if ask.task.startswith("Say"):
        return "hello"
    return "thanks" if ask.turn else call("ask_approval", message="Go?", options=["Yes", "No"])


async def two(world: World) -> None:
    await world.asked(await world.start("Ask me"))
    await world.ended(await world.start("Say hello", mode="fast"))


def refused(page: Page, path: str, status: int, **more: Any) -> None:
    body = json.dumps({"status": status, "code": "x", "detail": f"refused with {status}", **more})

    def answer(route: Route) -> None:
        route.fulfill(status=status, body=body, content_type="application/problem+json")

    page.route(path, answer)


def test_a_session_that_ends_asks_to_sign_in_again_and_comes_back_to_the_same_place(window_of: Any) -> None:
    window = window_of(approval, before=two)
    page = window.open(f"/runs/{window.run('Ask me')}?tab=health")
    expect(page.locator(".asks .ask")).to_be_visible()
    cookies = window.context.cookies()
    window.context.clear_cookies()
    expect(page.get_by_role("alert")).to_contain_text("Your session has ended")
    assert complaints_of(page) == []
    window.context.add_cookies(cookies)
    page.reload()
    expect(page.locator("[data-tab=health][aria-selected=true]")).to_be_visible()


@pytest.mark.parametrize(
    ("status", "said"),
    [(403, "not yours to see"), (404, "no such run"), (429, "too many requests"), (503, "tries again by itself")],
)
def test_a_run_that_cannot_be_shown_says_why_and_leads_back(window_of: Any, status: int, said: str) -> None:
    window = window_of(approval, before=two)
    run = window.run("Ask me")
    refused(window.page, f"**/v1/runs/{run}", status)
    page = window.open(f"/runs/{run}")
    expect(page.locator("main.empty")).to_contain_text(said)
    assert complaints_of(page) == []
    if status in (429, 503):
        expect(page.locator(".top .stale")).to_contain_text("Not up to date")
        page.unroute(f"**/v1/runs/{run}")
        expect(page.locator("h1")).to_have_text("Ask me")
        expect(page.locator(".top .stale")).to_have_count(0)
    else:
        page.get_by_role("link", name="All runs", exact=True).click()
        expect(page.locator("table.runs")).to_be_visible()


def test_a_fault_of_the_page_is_said_with_a_way_on(window_of: Any) -> None:
    window = window_of(approval, before=two)
    page, run = window.open(), window.run("Ask me")
    broken = {**window.api(f"/v1/runs/{run}"), "limits": None}
    page.route(f"**/v1/runs/{run}", lambda route: route.fulfill(json=broken))
    page.get_by_role("link", name="Ask me").last.click()
    expect(page.get_by_role("alert")).to_contain_text("This page has a fault")
    page.unroute(f"**/v1/runs/{run}")
    page.get_by_role("button", name="Load it again").click()
    expect(page.locator("h1")).to_have_text("Ask me")
    expect(page.locator(".asks .ask")).to_be_visible()


def test_offline_is_said_and_forgotten_when_it_is_over(window_of: Any) -> None:
    window = window_of(approval, before=two)
    page = window.open()
    expect(page.locator("table.runs tbody tr")).to_have_count(2)
    window.context.set_offline(True)
    expect(page.locator(".top .stale")).to_contain_text("Not up to date")
    expect(page.locator("table.runs tbody tr")).to_have_count(2)
    window.context.set_offline(False)
    expect(page.locator(".top .stale")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_dialogs_menus_and_empty_places(window_of: Any, scheme: str) -> None:
    window = window_of(approval, before=two, scheme=scheme)
    page, found = window.open(f"/runs/{window.run('Ask me')}"), dict[str, list[str]]()
    expect(page.locator(".asks .ask")).to_be_visible()
    page.get_by_label("More", exact=True).click()
    expect(page.get_by_role("button", name="Fork…")).to_be_visible()
    found["menu"] = complaints_of(page)
    page.get_by_role("button", name="Fork…").click()
    expect(page.locator("dialog")).to_be_visible()
    found["fork"] = complaints_of(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Stop", exact=True).click()
    found["stop"] = complaints_of(page)
    page.get_by_role("button", name="Stop the run").click()
    expect(page.locator("dialog")).to_contain_text("Receipt")
    found["receipt"] = complaints_of(page)
    page.get_by_role("button", name="Close").last.click()
    page.goto(window.url + "/?q=nothing+like+this")
    expect(page.locator(".empty h2")).to_have_text("No run fits")
    found["no run fits"] = complaints_of(page)
    page.get_by_role("button", name="Show all").click()
    page.get_by_label("Choose all").check()
    found["bulk"] = complaints_of(page)
    page.get_by_role("link", name="Compare").click()
    expect(page.locator(".compare tbody tr")).to_have_count(13)
    expect(page.locator(".differs", has_text="Mode")).to_have_count(1)
    found["compare"] = complaints_of(page)
    page.go_back()
    page.get_by_label("Choose all").check()
    page.get_by_role("button", name="Delete 2").click()
    found["delete"] = complaints_of(page)
    page.locator("dialog").get_by_role("button", name="Delete 2").click()
    expect(page.locator("dialog .receipt")).to_be_visible()
    found["deleted"] = complaints_of(page)
    page.locator("dialog").get_by_role("button", name="Close").last.click()
    expect(page.locator(".empty h2")).to_have_text("Nothing here yet")
    found["nothing"] = complaints_of(page)
    page.keyboard.press("?")
    found["keys"] = complaints_of(page)
    assert {place: one for place, one in found.items() if one} == {}
    assert window.complaints == []


def test_a_menu_closes_by_escape_and_gives_the_focus_back(window_of: Any) -> None:
    window = window_of(approval, before=two)
    page = window.open(f"/runs/{window.run('Say hello')}")
    more = page.get_by_label("More", exact=True)
    more.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Fork…")).to_be_focused()
    page.keyboard.press("Escape")
    expect(more).to_be_focused()
    expect(page.get_by_role("button", name="Fork…")).to_be_hidden()
    page.get_by_role("link", name="Auteryn, all runs").press("Enter")
    expect(page.locator("#content")).to_be_focused()


def test_nothing_moves_for_who_wants_no_motion_and_paper_shows_all_of_it(window_of: Any) -> None:
    window = window_of(approval, before=two)
    page = window.open(f"/runs/{window.run('Ask me')}?tab=costs")
    expect(page.locator(".item").first).to_be_visible()
    page.emulate_media(reduced_motion="reduce")
    moving = page.evaluate("document.getAnimations().filter((one) => one.playState === 'running').length")
    assert moving == 0
    for title in ("Ask me", "Say hello"):
        page.emulate_media(media="screen")
        page.goto(f"{window.url}/runs/{window.run(title)}?tab=costs")
        expect(page.locator(".costs")).to_be_visible()
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 700, "height": 500})  # paper is narrow
        expect(page.locator(".left .item").first).to_be_visible()
        expect(page.locator(".costs")).to_be_visible()
        for part in (".composer", ".top", ".result button"):
            expect(page.locator(part)).to_be_hidden()
        assert page.locator(".scroll").evaluate("box => box.scrollHeight <= box.clientHeight + 1")


GRAPH = """
async () => {
  const preloaded = [...document.querySelectorAll('link[rel=modulepreload]')];
  const script = preloaded.find((one) => one.href.endsWith('/graph.js'));
  const { CHIP, NODE, layout, longest, waves } = await import(script.href);
  const step = (id, ...depends_on) => ({ id, depends_on });
  const few = [step(1), step(2, 1), step(3, 1), step(4, 2, 3)], took = { 1: 5, 2: 90, 3: 10, 4: 1 };
  const many = Array.from({ length: 200 }, (_, index) => step(index + 1, ...(index >= 60 ? [index - 59] : [])));
  const drawn = layout(many, CHIP, 500), boxes = drawn.nodes;
  const clear = (a, b) => Math.abs(a.x - b.x) >= CHIP.width || Math.abs(a.y - b.y) >= CHIP.height;
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  const on = (node) => (one, { x, y }) =>
    x > one.x + 1 && x < one.x + node.width - 1 && y > one.y + 1 && y < one.y + node.height - 1;
  const through = (steps, node, room) => {   // lines that run over a step they have nothing to do with
    const { nodes, edges } = layout(steps, node, room), hit = on(node);
    return edges.filter(({ from, to, path }) => {
      line.setAttribute('d', path);
      const others = nodes.filter(({ step }) => step.id !== from && step.id !== to), long = line.getTotalLength();
      return Array.from({ length: 81 }, (_, at) => line.getPointAtLength(at / 80 * long))
        .some((point) => others.some((one) => hit(one, point)));
    }).length;
  };
  const far = Array.from({ length: 30 }, (_, at) => step(at + 1, ...(at ? [Math.ceil(at / 2), Math.max(1, at - 7)] : [])));
  const past = [step(1), step(2), step(3), step(4, 1, 2), step(5, 3, 4)];
  const apart = boxes.every((a, i) => boxes.every((b, j) => i >= j || clear(a, b)));
  return {
    way: longest(few, (one) => took[one.id]), unknown: longest(few, () => null).path.length,
    waves: waves(few).map((wave) => wave.length),
    none: layout([], NODE, 300), apart, width: drawn.width, drawn: boxes.length, edges: drawn.edges.length,
    through: [through(past, NODE, 500), through(far, NODE, 600), through(many, CHIP, 500)],
    circle: waves([step(1, 2), step(2, 1)]).flat().length,
  };
}
"""


COLUMNS = """
async () => {
  const preloaded = [...document.querySelectorAll('link[rel=modulepreload]')];
  const { column, spans } = await import(preloaded.find((one) => one.href.endsWith('/words.js')).href);
  const all = (make, values) => values.map(make(values));
  return { thousands: all(column, [12345.6, 3, 0.2, 0]), some: all(column, [352.26, 1, 0.02, 0]),
    little: all(column, [0.25, 0.0004, 0]), none: all(column, [0]), empty: column([])(0),
    short: all(spans, [25_300, 12, 0]), long: all(spans, [3.6e6 * 20, 60e3]),
    least: all(spans, [900, 0]) };
}
"""


def test_the_figures_of_a_column_have_one_format(window_of: Any) -> None:
    assert window_of(approval).open().evaluate(COLUMNS) == {
        "thousands": ["12,346", "3", "<1", "0"],
        "some": ["352.3", "1.0", "<0.1", "0.0"],
        "little": ["0.250", "<0.001", "0.000"],
        "none": ["0.000"],
        "empty": "0.000",
        "short": ["25.3 s", "<0.1 s", "0.0 s"],
        "long": ["20.0 h", "<0.1 h"],
        "least": ["900 ms", "0 ms"],
    }


def test_a_plan_is_drawn_by_its_waves_within_its_room_and_knows_its_longest_way(window_of: Any) -> None:
    found = window_of(approval).open().evaluate(GRAPH)
    assert found["way"] == {"path": [1, 2, 4], "ms": 96}
    assert (found["unknown"], found["waves"], found["circle"]) == (3, [1, 2, 1], 2)
    assert found["none"]["height"] == 0
    assert (found["drawn"], found["edges"], found["apart"]) == (200, 140, True)
    assert found["through"] == [0, 0, 0], "no line runs over a step it has nothing to do with"
    assert found["width"] <= 500


@pytest.mark.proves("P40")
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_the_list_tells_whose_turn_it_is_a_persons_the_clocks_or_its_own_steps(window_of: Any, scheme: str, width: int) -> None:
    def script(ask: Ask) -> Line:
        task = given(ask)
        if ask.turn or task in ("Look", "Listen"):
            return "seen"
        if task == "Watch":
            return [call("schedule", every="6h", instruction=text, until="5d") for text in ("Look", "Listen")]
        return call("ask_approval", message="Go?", options=["Yes", "No"]) if "Ask" in task else call("wait", until="5h")

    async def before(world: World) -> None:
        for task in ("Ask me", "Sleep well"):
            await world.until(await world.start(task), lambda one: bool(one.waits))
        for task, step in (("Plan a sleep", "Sleep"), ("Plan to hear", "Ask")):
            await world.until(await world.start(task, plan=[step]), lambda one: one.status == "waiting" and bool(one.shares))
        await world.until(await world.start("Watch"), lambda one: any(s.ended for s in one.schedules) and bool(one.waits))

    window = window_of(script, before=before, scheme=scheme, width=width)
    page = window.open()
    for task, state, on in (
        ("Ask me", "Needs you", "a person"),
        ("Sleep well", "Sleeping", "a time"),
        ("Plan a sleep", "Steps under way", "its steps"),
        ("Plan to hear", "Needs you", "a person"),
        ("Watch", "Sleeping", "its next tick"),
    ):
        row = page.locator("table.runs tbody tr", has=page.get_by_role("link", name=task, exact=True))
        expect(row.locator(".state")).to_have_text(state)
        if width > 1000:
            expect(row.locator("td.why")).to_contain_text(on)
    for figure, count in (("Need you", "2"), ("Waiting", "3")):  # whose step asks is counted once
        expect(page.locator(".summary div", has_text=figure).locator("button")).to_have_text(count)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth") and complaints_of(page) == []
    page.goto(f"{window.url}/runs/{window.run('Plan a sleep')}")
    expect(page.locator(".run-head .state")).to_have_text("Steps under way")
    page.goto(f"{window.url}/runs/{window.run('Watch')}")
    for name in ("Look", "Listen"):
        expect(page.locator(".lane-names")).to_contain_text(f"Tick 1 of '{name}'")
    assert window.complaints == []
