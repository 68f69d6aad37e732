"""Lists of runs and schedules: what fits, page by page."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from auteryn.service import listing
from auteryn.service.asks import Question
from auteryn.service.desk import Desk
from auteryn.service.new import NewRun
from auteryn.testing.clock import SkippingClock, skipping
from auteryn.testing.scripted import call
from auteryn.tools.human import ask_input
from auteryn.tools.time import schedule, wait


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
            await office.desk.ask(Question(message="Shall I go on?", options=("Yes", "No")))
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


def test_a_run_whose_step_asks_is_found_as_one_that_asks(opened):
    def script(ask):
        if "Look" in ask.task:
            return (call("ask_input", message="Which shop?"), "seen")[ask.turn]
        return "told"

    async def main():
        async with opened(script, tools=[ask_input]) as office, await office.client() as http:
            run = (await http.post("/v1/runs", json={"title": "Prices", "steps": [{"description": "Look"}]})).json()["id"]
            while not (asks := (await http.get("/v1/asks")).json()["asks"]):
                await office.world.after(timedelta(seconds=1))
            assert asks[0]["run"] != run and await listed(http, "asking=true") == ["Prices"]
            await http.post(f"/v1/asks/{asks[0]['id']}/answer", json={"value": "the small one"})
            await office.world.ended(run)
            assert await listed(http, "asking=true") == []

    skipping(main())


def test_runs_are_found_by_when_they_began_and_what_they_cost_however_many_there_are(opened, monkeypatch):
    async def main():
        clock, reads = SkippingClock(), list[int]()
        async with opened(clock=clock) as office, await office.client() as http:
            begun = list[str]()
            for number in range(1, 6):
                begun.append(clock.now().isoformat().replace("+00:00", "Z"))
                await office.world.ended((await office.desk.create(NewRun(input=f"Task {number}", mode="fast"))).id)
                await clock.sleep(timedelta(hours=1))
            assert await listed(http, f"limit=2&since={begun[2]}") == ["Task 5", "Task 4", "Task 3"]
            assert await listed(http, f"limit=2&until={begun[2]}") == ["Task 2", "Task 1"]
            assert await listed(http, f"limit=1&since={begun[1]}&until={begun[3]}") == ["Task 3", "Task 2"]
            store = office.world.services.store
            look = store.runs

            async def counted(**how):
                reads.append(how["limit"])
                return await look(**how)

            monkeypatch.setattr(store, "runs", counted)
            assert await listed(http, f"limit=1&since={begun[4]}") == ["Task 5"]
            assert len(reads) == 2, "nobody reads on to what is older"
            cost = (await http.get("/v1/runs")).json()["runs"][0]["credits"]
            assert cost > 0
            assert len(await listed(http, f"least_credits={cost}")) == 5
            assert await listed(http, f"least_credits={cost + 1}") == []
            for wrong in ("since=yesterday", "since=2026-01-05T09:00:00", "least_credits=-1"):
                assert (await http.get(f"/v1/runs?{wrong}")).status_code == 422, wrong

    skipping(main())


@pytest.mark.proves("P95")
def test_an_admin_finds_everybody_s_runs_and_acts_for_whose_run_it_follows_a_link_to(opened):
    async def main():
        async with opened() as office, await office.client("admin", "boss") as admin, await office.client() as local:
            mine = await office.desk.ask(Question(message="Shall I go on?", options=("Yes", "No")))
            await Desk(office.world.host.engine, "bea").ask(Question(message="May I?", options=("Yes", "No")))
            assert await listed(admin, "limit=1") == []
            assert await listed(admin, "limit=1&owner=*") == ["May I?", "Shall I go on?"]
            assert await listed(admin, "limit=1&owner=bea") == ["May I?"]
            assert await listed(local, "owner=local") == ["Shall I go on?"]
            for other in ("*", "bea", "boss"):
                assert (await local.get(f"/v1/runs?owner={other}")).status_code == 403, other
            for role, seen in (("admin", 200), ("operator", 404)):
                async with office.browser() as console:
                    _, key = await office.key(role, "boss")
                    await console.post("/v1/session", json={"key": key})
                    assert (await console.get(f"/v1/runs/{mine.id}")).status_code == seen
                    assert (await console.get(f"/v1/asks/{mine.asks[0].id}")).status_code == seen
                    token = (await console.get("/v1/session")).json()["csrf"]
                    assert (await console.get(f"/v1/runs/{mine.id}", headers={"auteryn-owner": "bea"})).status_code in (
                        403,
                        404,
                    )
                    console.headers["x-csrf-token"] = token
                    stopped = await console.post(f"/v1/runs/{mine.id}/cancel", json={})
                    assert stopped.status_code == seen
            assert (await office.world.ended(mine.id)).status == "cancelled"

    skipping(main())


def test_a_filter_that_fits_nothing_gets_a_short_page_and_a_cursor_instead_of_a_long_wait(opened, monkeypatch):
    async def main():
        async with opened() as office, await office.client() as http:
            for number in range(5):
                await office.desk.ask(Question(message=f"Question {number}?", options=("Yes",)))
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


@pytest.mark.proves("P75")
def test_a_skipped_tick_is_told_with_its_reason_the_newest_first(opened):
    def script(ask):
        if ask.task != "Watch":
            return call("wait", until="19h") if ask.turn == 0 else "nothing new"
        return call("schedule", every="6h", instruction="Look", until="7d") if ask.turn == 0 else "set"

    async def main():
        clock = SkippingClock()
        async with opened(script, clock=clock, tools=[schedule, wait]) as office, await office.client() as http:
            run = (await office.desk.create(NewRun(input="Watch", mode="deep"))).id
            await clock.sleep(timedelta(hours=5))
            [planned] = (await http.get("/v1/schedules")).json()["schedules"]
            found = planned["schedule"]
            assert (found["skips"], found["skipped"]) == ([], 0)
            begun = datetime.fromisoformat(found["start"])
            for hours, decided, skipped in ((20, [19], 2), (24, [38, 19], 4), (40, [76, 57, 38], 8)):
                await clock.sleep(timedelta(hours=hours))
                [planned] = (await http.get("/v1/schedules")).json()["schedules"]
                found = planned["schedule"]
                assert found["skipped"] == skipped
                at = [(datetime.fromisoformat(one["at"]) - begun) // timedelta(hours=1) for one in found["skips"]]
                assert at == decided
                assert {(one["ticks"], one["reason"]) for one in found["skips"]} == {(2, "2 earlier ticks were missed")}
            assert (await http.get(f"/v1/runs/{run}/schedules")).json()["schedules"] == [planned]

    skipping(main())
