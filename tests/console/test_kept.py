"""What a run keeps and goes by: older versions of its files, what no summary may lose, its clock, its limits, its trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

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
