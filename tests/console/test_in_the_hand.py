"""A phone in the hand, a screen reader at the ear: what is written is kept, only news is read aloud, keys lead everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from auteryn.api.keys import issue
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from console.test_for_everybody import complaints_of
from console.test_journeys import YES, research, rest, start


def approval(ask: Ask) -> Line:
    return "thanks" if ask.turn else call("ask_approval", message="Go?", options=["Yes", "No"])


async def asked(world: World) -> None:
    await world.asked(await world.start("Ask me"))


def fits(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.proves("P56", "P97")
def test_on_a_phone_a_run_is_approved_steered_from_any_tab_and_stopped(window_of: Any) -> None:
    window = window_of(research, tools=[rest], width=360)
    page = window.open()
    start(page, "Compare Alpha and Beta")
    page.locator(".asks .ask").get_by_role("button", name=YES).click()
    expect(page.locator(".asks .ask")).to_have_count(0)
    page.get_by_role("tab", name="Plan").click()
    expect(page.locator(".node")).to_have_count(2)
    page.get_by_role("button", name="Steer").click()
    said = page.get_by_label("Message to the agent")
    expect(said).to_be_focused()
    page.keyboard.type("be short")
    page.get_by_role("tab", name="Plan").click()
    expect(said).to_have_count(0)
    page.get_by_role("tab", name="Activity").click()
    expect(said).to_have_value("be short")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".heard", has_text="be short")).to_be_visible()
    expect(said).to_have_value("")
    assert fits(page)
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Stop the run").click()
    expect(page.locator("dialog .receipt")).to_be_visible()
    assert fits(page)
    assert window.complaints == []


def test_what_is_being_written_outlives_a_session_that_ends(window_of: Any) -> None:
    keys = list[str]()

    async def before(world: World) -> None:
        await asked(world)
        given: dict[str, Any] = {"name": "mine", "owner": "local", "role": "operator", "lifetime": timedelta(days=1)}
        keys.append((await issue(world.services.store, world.now(), **given))[1])

    def again(ask: Ask) -> Line:
        """What is said to it withdraws its question: with another one it does not end, and there is a field to look at."""
        return call("ask_approval", message=f"Go {ask.turn}?", options=["Yes", "No"])

    window = window_of(again, before=before)
    page = window.open(f"/runs/{window.run('Ask me')}")
    said = page.get_by_label("Message to the agent")
    said.fill("use euros")
    window.context.clear_cookies()
    expect(page.get_by_role("alert")).to_contain_text("Your session has ended")
    page.get_by_label("API key").fill(keys[0])
    page.get_by_role("button", name="Sign in").click()
    expect(said).to_have_value("use euros")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".heard")).to_contain_text("use euros")


def test_a_link_that_comes_too_late_is_told_where_one_signs_in(window_of: Any) -> None:
    window = window_of(approval)
    window.context.clear_cookies()
    page = window.open("/login?token=old")
    expect(page.get_by_role("alert")).to_contain_text("This link has expired")
    assert complaints_of(page) == []


def test_ages_go_by_the_server_s_clock(window_of: Any) -> None:
    window = window_of(approval, before=asked)
    page = window.page
    page.add_init_script("const here = Date.now; Date.now = () => here() + 2 * 3600e3")
    page.goto(f"{window.url}/runs/{window.run('Ask me')}")
    expect(page.locator(".asks .when")).to_have_text(re.compile(r"^\d+ (ms|s|min)$"))
    expect(page.locator(".asks .hint").last).to_contain_text("(in 23 h 5")
    page.goto(window.url)
    expect(page.locator("td.age")).to_have_text(re.compile("^(just now|\\d+ (s|min) ago)"))


WIDE = f"""| Firm | {"A long heading about the trend of prices | " * 3}
|---|---:|---|---|
| Acme | rising-since-March | falling-since-June | flat-as-ever |

```
{"a line of code that is longer than a phone is wide; " * 3}
```

{"Donaudampfschifffahrtselektrizitätenhauptbetriebswerk" * 3}

قارن أسعار عشرة منافسين
"""


async def ended_and_queued(world: World) -> None:
    await world.ended(await world.start("Say much"))
    stopped = (await world.asked(await world.start("Ask and be stopped"))).id
    await world.cancel(stopped)
    await world.ended(stopped)
    waits = (await world.asked(await world.start("Ask and be told"))).id
    await world.say(waits, "use euros", when="queue")
    await world.until(waits, lambda one: bool(one.queued))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_whatever_a_run_ends_with_fits_on_a_phone_and_axe_finds_nothing(window_of: Any, scheme: str) -> None:
    window = window_of(
        lambda ask: WIDE if ask.task == "Say much" else approval(ask), before=ended_and_queued, width=360, scheme=scheme
    )
    found = dict[str, list[str]]()
    for title, sign in (
        ("Say much", ".result table"),
        ("Ask and be stopped", ".receipt h2"),
        ("Ask and be told", ".heard.later"),
    ):
        page = window.open(f"/runs/{window.run(title)}?tab=activity")
        expect(page.locator(sign).first).to_be_visible()
        found[title] = complaints_of(page)
        assert fits(page), title
    expect(page.locator(".heard.later .prose")).to_have_text("use euros")
    page.goto(f"{window.url}/?compare={window.run('Say much')},{window.run('Ask and be told')}")
    expect(page.locator(".compare table table")).to_be_visible()
    found["compare"] = complaints_of(page)
    assert fits(page)
    assert {place: one for place, one in found.items() if one} == {}
    assert window.complaints == []


ALOUD = """() => [...document.querySelectorAll('[role=status], [role=alert], [aria-live=polite]')].map((one) => {
  const said = one.cloneNode(true);
  said.querySelectorAll('[aria-hidden=true]').forEach((silent) => silent.remove());
  return said.textContent;
})"""


def test_what_is_read_aloud_does_not_tick(window_of: Any) -> None:
    window = window_of(approval, before=asked)
    page = window.open(f"/runs/{window.run('Ask me')}?tab=health")
    expect(page.locator(".asks .when")).to_have_text(re.compile("s$|min"))
    aloud = page.evaluate(ALOUD)
    assert "1 question to answer" in aloud
    window.context.set_offline(True)
    expect(page.locator(".top .stale")).to_contain_text("since")
    aloud += page.evaluate(ALOUD)
    assert [text for text in aloud if re.search(r"\d+ (s|ms|min|h)\b", text)] == []


GRAPH = [{"description": f"Part {number}", "depends_on": [1] if number > 1 else []} for number in range(1, 6)]


def test_a_plan_is_one_stop_for_the_tab_key_and_its_steps_go_by_arrows(window_of: Any) -> None:
    def script(ask: Ask) -> Line:
        if ask.task == "Plan it":
            return "done" if ask.turn else call("plan_create", goal="All of it", steps=GRAPH)
        return approval(ask)

    async def before(world: World) -> None:
        run = await world.start("Plan it")
        found = await world.until(run, lambda one: bool(one.plan) and one.plan.steps[0].run is not None)
        assert found.plan and found.plan.steps[0].run
        await world.asked(found.plan.steps[0].run)

    window = window_of(script, before=before)
    page = window.open(f"/runs/{window.run('Plan it')}?tab=plan")
    nodes = page.locator(".node")
    expect(nodes).to_have_count(5)
    expect(nodes.first).to_have_class(re.compile("is-asks"))
    assert nodes.evaluate_all("all => all.filter((one) => one.tabIndex === 0).length") == 1
    page.get_by_role("link", name="Skip the transcript").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Message to the agent")).to_be_focused()
    nodes.first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(nodes.nth(2)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".chosen h3")).to_have_text("Step 3")
    page.keyboard.press("ArrowLeft")
    expect(nodes.nth(1)).to_be_focused()
    page.get_by_role("button", name="List", exact=True).click()
    expect(page.locator(".step-list li", has=page.locator(".chosen"))).to_have_count(1)
    assert complaints_of(page) == []
    page.goto(window.url)
    expect(page.locator("table.runs .state")).to_have_text("Needs you")
    assert window.complaints == []


WORDS = "競合他社三社の価格ページを調査し、機能比較表と要約レポートを作成してください"


@pytest.mark.parametrize("width", [360, 1280])
def test_the_words_of_a_step_stay_in_its_box_in_every_script(window_of: Any, width: int) -> None:
    written = (
        WORDS,
        f"Price of {WORDS}",
        "Donaudampfschifffahrtsgesellschaftskapitän",
        "قارن بين أسعار المنافسين الثلاثة واكتب تقريرًا",
    )

    async def planned(world: World) -> None:
        await world.ended(await world.start("Compare", mode="deep", plan=written))

    window = window_of(["found"], before=planned, width=width)
    page = window.open(f"/runs/{window.run('Compare')}?tab=plan")
    expect(page.locator(".node")).to_have_count(len(written))
    over = page.evaluate(
        """() => [...document.querySelectorAll(".node")].flatMap((node) => {
            const right = (part) => part.getBoundingClientRect().right, edge = right(node.querySelector(".box"));
            return [...node.querySelectorAll(".words")].filter((line) => right(line) > edge).map((line) => line.textContent);
        })"""
    )
    assert over == []
    assert page.locator(".node", has_text="Donau").locator(".words").count() == 1


def three(ask: Ask) -> Line:
    return "thanks" if ask.turn else call("ask_approval", message=f"{ask.task}: delete the records?", options=["Yes", "No"])


async def three_ask(world: World) -> None:
    for name in ("One", "Two", "Three"):
        await world.asked(await world.start(name))


@contextmanager
def finger(window: Any) -> Iterator[Page]:
    """The list, to be touched."""
    looks: dict[str, Any] = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}
    context = window.context.browser.new_context(storage_state=window.context.storage_state(), **looks)
    page = context.new_page()
    page.goto(window.url)
    yield page
    context.close()


def answers_of(page: Page) -> list[str]:
    """What this page answers from now on, as it is sent."""
    sent = list[str]()
    page.on("request", lambda one: sent.append(one.post_data_json["value"]) if one.url.endswith("/answer") else None)
    return sent


TAPPED_AGAIN = """({ x, y }) => new MutationObserver(() => document.elementFromPoint(x, y)
  .dispatchEvent(new PointerEvent("click", { pointerType: "touch", bubbles: true, cancelable: true })))
  .observe(document.querySelector(".cards"), { childList: true })"""
"""A finger that comes down in the very moment in which a card goes and the next one takes its place."""


@pytest.mark.proves("P60", "P97")
def test_a_finger_that_taps_twice_answers_one_question_once(window_of: Any) -> None:
    window = window_of(three, before=three_ask)
    with finger(window) as page:
        sent = answers_of(page)
        expect(page.locator(".ask")).to_have_count(3)
        box = page.locator(".ask").first.get_by_role("button", name="Yes").bounding_box()
        assert box
        x, y = box["x"] + 9, box["y"] + 9
        page.evaluate(TAPPED_AGAIN, {"x": x, "y": y})
        while not sent:  # what has just come takes no tap
            page.touchscreen.tap(2, 2)  # elsewhere, so that the next is the first of its place
            page.touchscreen.tap(x, y)
        page.touchscreen.tap(x, y)
        expect(page.locator(".ask")).to_have_count(2)
        expect(page.locator(".notice")).to_have_count(0)
        assert [ask["message"] for ask in window.api("/v1/asks")["asks"]] == [
            "Two: delete the records?",
            "Three: delete the records?",
        ]
        assert sent == ["Yes"]


def test_a_key_that_is_held_down_answers_one_question(window_of: Any) -> None:
    window = window_of(three, before=three_ask)
    page = window.open()
    sent = answers_of(page)
    expect(page.locator(".ask")).to_have_count(3)
    page.locator(".ask").first.focus()
    page.keyboard.down("y")
    expect(page.locator(".ask")).to_have_count(2)
    expect(page.locator(".ask").first).to_be_focused()
    page.keyboard.down("y")
    page.keyboard.up("y")
    page.keyboard.press("n")
    expect(page.locator(".ask")).to_have_count(1)
    assert sent == ["Yes", "No"]


ENDLESS = "https://example.com/" + "averylongname" * 30


def endless(ask: Ask) -> Line:
    return "thanks" if ask.turn else call("ask_approval", message=f"Take {ENDLESS}?", options=[ENDLESS, f"Not {ENDLESS}"])


def test_a_question_of_endless_words_stays_on_the_page(window_of: Any) -> None:
    window = window_of(endless, before=asked, width=360)
    page = window.open()
    expect(page.locator(".ask")).to_have_count(1)
    assert fits(page)
    page.goto(f"{window.url}/runs/{window.run('Ask me')}")
    expect(page.locator(".ask").first).to_be_visible()
    assert fits(page)


def test_whoever_goes_back_finds_the_list_as_they_left_it(window_of: Any) -> None:
    window = window_of(three, before=three_ask, width=360)
    page = window.open()
    expect(page.locator(".runs .run-link")).to_have_count(3)
    link = page.get_by_role("link", name="Two").last
    link.scroll_into_view_if_needed()
    left = page.evaluate("scrollY")
    link.click()
    expect(page.locator("h1")).to_have_text("Two")
    assert page.evaluate("scrollY") == 0 < left
    page.go_back()
    expect(page.locator(".runs .run-link")).to_have_count(3)
    assert page.evaluate("scrollY") == left


def test_going_back_closes_what_was_opened_over_the_list(window_of: Any) -> None:
    window = window_of(lambda _: "done", width=360)
    page = window.open()
    for close in (page.go_back, lambda: page.keyboard.press("Escape")):
        page.get_by_role("button", name="New run").click()
        page.get_by_label("Task", exact=True).fill("Say hello")
        close()
        expect(page.locator("dialog")).to_have_count(0)
        expect(page).to_have_url(f"{window.url}/")
    start(page, "Say hello")
    expect(page.locator("h1")).to_have_text("Say hello")
    page.go_back()
    expect(page.locator(".runs .run-link")).to_have_text("Say hello")
    expect(page.locator("dialog")).to_have_count(0)
