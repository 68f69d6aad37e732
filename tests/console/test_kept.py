"""What a run keeps and goes by: older versions of its files, what no summary may lose, its clock, its limits, its trace."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from playwright.sync_api import expect

from auteryn.adapters.otel.observer import OtelObserver
from auteryn.schema import event as e
from auteryn.schema.change import Change
from auteryn.schema.fold import after
from auteryn.schema.record import new_id
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World


def twice(ask: Ask) -> Line:
    """Published, written anew, published again."""
    if ask.turn == 4:
        return "done"
    if ask.turn % 2:
        return call("artifact_publish", path="a.txt")
    return call("file_write", path="a.txt", content=f"v{ask.turn}", mode="overwrite")


@pytest.mark.proves("P92")
def test_an_older_version_of_a_file_is_saved_as_it_was(window_of: Any) -> None:
    async def before(world: World) -> None:
        await world.ended(await world.start("Write it"))

    window = window_of(twice, before=before)
    page = window.open(f"/runs/{window.run('Write it')}?tab=files")
    page.locator(".file-row").click()
    expect(page.locator(".preview .code")).to_have_text("v2")
    expect(page.locator(".versions li")).to_have_count(1)
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save version 1 of a.txt").click()
    assert saved.value.suggested_filename == "a.txt"
    assert Path(saved.value.path()).read_text() == "v0"
    assert window.complaints == []


REPLAYED = """
async () => {
  const preloaded = [...document.querySelectorAll('link[rel=modulepreload]')];
  const { begin, seen, told } = await import(preloaded.find((one) => one.href.endsWith('/story.js')).href);
  const file = (id) => ({ id, path: 'a.txt' });
  const said = (seq, id, run_id = 'r') => ({ kind: 'log', kind_of: 'artifact_published', seq, run_id, artifact: file(id) });
  const ids = (story) => story.artifacts.map((one) => one.id);
  const known = seen(begin('r'), { id: 'r', seq: 9, artifacts: [file('second')], asks: [], plan: null });
  return [ids(told(known, [said(5, 'first')])), ids(told(known, [said(10, 'third')])),
    ids(told(begin('r'), [said(3, 'first', 'step'), said(5, 'second', 'step')]))];
}
"""


def test_a_file_has_one_row_whichever_of_its_versions_is_told_last(window_of: Any) -> None:
    assert window_of(twice).open().evaluate(REPLAYED) == [["second"], ["third"], ["second"]]


BROKEN_OFF = """
async () => {
  const preloaded = [...document.querySelectorAll('link[rel=modulepreload]')];
  const { begin, told } = await import(preloaded.find((one) => one.href.endsWith('/story.js')).href);
  const run_id = 'r', said = (text) => ({ delta: true, kind: 'message', run_id, text });
  const broken = [{ kind: 'log', kind_of: 'model_failed', run_id }, { kind: 'status', run_id, slice: 2, state: 'running' }];
  const shown = (event) => told(begin('r'), [said('The answer is'), event, said('The answer'), said(' is 42')]).live.r.message;
  return broken.map(shown);
}
"""


def test_an_answer_that_broke_and_came_again_is_shown_once(window_of: Any) -> None:
    assert window_of(twice).open().evaluate(BROKEN_OFF) == ["The answer is 42"] * 2


@pytest.mark.proves("P35")
def test_what_no_summary_may_lose_is_shown_beside_how_often_there_was_one(window_of: Any) -> None:
    def script(ask: Ask) -> Line:
        if "Summarise this transcript" in ask.last:
            return "it was long"
        if "it was long" in str(ask.request.contents):
            return call("ask_approval", message="Is it blue?", options=["Yes", "No"])
        if ask.turn:
            return call("note_write", section="decisions", text="the second supplier")
        return call("note_write", section="found", text="x" * 20_000)

    async def before(world: World) -> None:
        await world.asked(await world.start("Choose a supplier"))

    window = window_of(script, before=before, settings={"compact_at_tokens": 4_000, "keep_tokens": 600})
    page = window.open(f"/runs/{window.run('Choose')}?tab=notes")
    kept = page.locator(".ledger")
    expect(kept.locator("pre").first).to_have_text("Choose a supplier")
    for text in ("Decisions:\n- the second supplier", "Open questions:\n- Is it blue?"):
        expect(kept.locator("pre").last).to_contain_text(text)
    expect(kept).to_contain_text("was summarised once")
    assert window.complaints == []


@pytest.mark.proves("P75")
def test_the_schedules_say_why_a_tick_was_skipped(window_of: Any) -> None:
    def script(ask: Ask) -> Line:
        watch = ask.task == "Watch" and ask.turn == 0
        return call("schedule", every="6h", instruction="Look", until="5d") if watch else "seen"

    async def before(world: World) -> None:
        run = await world.start("Watch")
        await world.until(run, lambda one: any(s.ended for s in one.schedules))
        await world.close()
        await world.open(hosting=False)  # nobody else writes while this does
        found = await world.run(run)
        skip = e.TicksStarted(schedule=found.schedules[0].id, index=1, skipped=1, reason="the tick before is still running")
        for facts in ((skip,), *((e.Logged(level="info", message="a line"),) * 100 for _ in range(10))):
            entry = e.Entry(seq=found.seq + 1, at=world.now(), slice=found.slice, commit=new_id("c"), events=facts)
            found = after(found, entry)
            await world.services.store.commit(Change(run=found, entry=entry, summary=True))

    window = window_of(script, before=before)
    page = window.open("/?view=schedules")
    expect(page.locator(".schedule")).to_contain_text("1 tick skipped: the tick before is still running")
    page.goto(f"{window.url}/runs/{window.run('Watch')}")
    expect(page.locator(".timeline .hint")).to_contain_text("Of what is loaded: the newest")
    expect(page.locator(".schedule")).to_contain_text("1 tick skipped: the tick before is still running")
    assert window.complaints == []


def test_a_run_is_started_with_a_span_in_ones_own_words_and_without_approvals(window_of: Any) -> None:
    window = window_of(lambda ask: call("ask_approval", message="Go?", options=["Yes", "No"]))
    page = window.open("/?new=1")
    page.get_by_label("Task", exact=True).fill("Work")
    page.get_by_label(re.compile("^Deep")).check()
    page.get_by_label("At most").select_option("Another span")
    page.get_by_label("Approvals").select_option("Auto: risky calls need no approval")
    for wrong in ("soon", "2h1d"):
        page.get_by_label("Span", exact=True).fill(wrong)
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("At most: must be a span such as '90s'")
        expect(page.get_by_role("button", name="Start", exact=True)).to_be_enabled()
    page.get_by_label("Span", exact=True).fill("1d 12h")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator("h1")).to_have_text("Work")
    run = window.api(f"/v1/runs/{window.run('Work')}")
    began, ends = (datetime.fromisoformat(run[name]) for name in ("created_at", "deadline_at"))
    assert ends - began == timedelta(days=1, hours=12)
    assert run["options"]["approve"] == "auto"


TRACES = "https://traces.example.com/{trace}?tab=spans"


def test_the_log_leads_to_the_run_s_trace(window_of: Any) -> None:
    observer = OtelObserver(processor=SimpleSpanProcessor(InMemorySpanExporter()), reader=InMemoryMetricReader())

    async def before(world: World) -> None:
        await world.ended(await world.start("Say hello"))

    window = window_of(["hello"], before=before, settings={"observer": observer, "trace_url": TRACES})
    run = window.run("Say hello")
    page = window.open(f"/runs/{run}?tab=logs")
    trace = observer.trace(run)
    assert re.fullmatch("[0-9a-f]{32}", trace)
    expect(page.get_by_role("link", name=trace)).to_have_attribute("href", TRACES.replace("{trace}", trace))
    expect(page.locator(".log-line").last).to_contain_text("completed")
    page.locator(".log-window").focus()
    page.keyboard.press("ArrowUp")
    expect(page.locator(".log-line.picked")).to_contain_text(page.locator(".log-whole pre").inner_text())
    assert window.complaints == []
