"""Lists of runs and schedules: what fits, page by page."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from auteryn.service import listing
from auteryn.service.new import NewRun
from auteryn.testing.clock import SkippingClock, skipping
from auteryn.testing.scripted import call
from auteryn.tools.time import schedule


async def listed(http, query: str) -> list[str]:
    """Titles, over all pages."""
    found, cursor = [], ""
    while True:
        page = (await http.get(f"/v1/runs?{query}{cursor}")).json()
        found += [run["title"] for run in page["runs"]]
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"


@pytest.mark.proves("P40")
def test_runs_are_found_by_status_mode_words_labels_and_open_questions(opened):
    async def main():
        async with opened() as office, await office.client() as http:
            for number, mode in enumerate(("fast", "deep", "fast", "deep", "deep"), 1):
                labels = {"team": "a" if number % 2 else "b", "n": str(number)}
                run = await office.desk.create(NewRun(input=f"Task {number}", mode=mode, labels=labels))
                await office.world.ended(run.id)
            await office.desk.ask("Shall I go on?", options=("Yes", "No"))
            assert await listed(http, "limit=2") == ["Shall I go on?", *(f"Task {n}" for n in (5, 4, 3, 2, 1))]
            assert await listed(http, "limit=2&mode=deep") == ["Task 5", "Task 4", "Task 2"]
            assert await listed(http, "limit=1&text=TASK 2") == ["Task 2"]
            assert await listed(http, "label=team=a&label=n=3") == ["Task 3"]
            assert await listed(http, "label=team=b&mode=fast") == []
            assert await listed(http, "asking=true") == await listed(http, "status=waiting") == ["Shall I go on?"]
            assert await listed(http, "limit=3&status=completed&status=failed&text=task&mode=fast") == ["Task 3", "Task 1"]
            for wrong in ("label=team", "mode=slow", "asking=perhaps"):
                assert (await http.get(f"/v1/runs?{wrong}")).status_code == 422, wrong

    skipping(main())


def test_a_filter_that_fits_nothing_gets_a_short_page_and_a_cursor_instead_of_a_long_wait(opened, monkeypatch):
    async def main():
        async with opened() as office, await office.client() as http:
            for number in range(5):
                await office.desk.ask(f"Question {number}?", options=("Yes",))
            monkeypatch.setattr(listing, "SCANNED", 2)
            pages, cursor = 0, ""
            while cursor is not None:
                page = (await http.get(f"/v1/runs?text=question 0&limit=2{cursor}")).json()
                pages, cursor = pages + 1, page["next"] and f"&cursor={page['next']}"
                assert bool(page["runs"]) == (cursor is None)
            assert pages == 3

    skipping(main())


@pytest.mark.proves("P75")
def test_schedules_show_their_next_ticks_and_stop_when_they_are_told_to(opened):
    def script(ask):
        if ask.task != "Watch":
            return "nothing new"
        if ask.turn == 0:
            return call("schedule", every="6h", instruction="Look", until="7d")
        return "summary" if "has ended" in ask.last else "set"

    async def main():
        clock = SkippingClock()
        async with opened(script, clock=clock, tools=[schedule]) as office, await office.client() as http:
            run = (await office.desk.create(NewRun(input="Watch", mode="deep"))).id
            await clock.sleep(timedelta(hours=13))
            [planned] = (await http.get("/v1/schedules")).json()["schedules"]
            assert (planned["run"], planned["schedule"]["name"], planned["over"]) == (run, "Look", False)
            begun = datetime.fromisoformat(planned["schedule"]["start"])
            ticks = [datetime.fromisoformat(one) - begun for one in planned["next"]]
            assert ticks == [timedelta(hours=6 * n) for n in (3, 4, 5, 6, 7)]
            where = f"/v1/runs/{run}/schedules"
            assert (await http.get(where)).json()["schedules"] == [planned]
            assert (await http.delete(f"{where}/other")).status_code == 404
            for _ in range(2):
                assert (await http.delete(f"{where}/Look")).status_code in (200, 409)
            end = await office.world.ended(run)
            assert (end.result, end.schedules[0].ended) == ("summary", 3)
            assert (await http.get("/v1/schedules")).json()["schedules"] == []
            [over] = (await http.get(where)).json()["schedules"]
            assert (over["over"], over["next"]) == (True, [])
            assert "stopped by ann" in str((await http.get(f"/v1/runs/{run}/logs")).json())

    skipping(main())
