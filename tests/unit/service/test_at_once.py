"""Two who act on the same thing at the same time, from two processes: neither undoes what the other was told."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from auteryn.errors import NotFound
from auteryn.runtime.outbox import stored_endpoints
from auteryn.schema.post import ENDPOINT, OVERLAP, ROTATED
from auteryn.service.asks import Question
from auteryn.service.desk import Desk
from auteryn.service.fork import Fork
from auteryn.service.new import NewRun
from auteryn.testing.clock import SkippingClock, skipping
from auteryn.testing.scripted import call, safety
from auteryn.tools.notes import note_write
from auteryn.tools.time import wait

URL = "https://hooks.example.com/runs"


def meanwhile(monkeypatch: pytest.MonkeyPatch, desk: Desk, method: str, kind: str, act: Any, *, first: bool) -> None:
    """The next call of this method of the store about documents of this kind: somebody else acts before it, or after it."""
    store = desk._access.services.store
    plain = getattr(store, method)

    async def once(about: Any, *args: Any, **more: Any) -> Any:
        if getattr(about, "kind", about) != kind:
            return await plain(about, *args, **more)
        monkeypatch.setattr(store, method, plain)
        if first:
            await act()
        found = await plain(about, *args, **more)
        if not first:
            await act()
        return found

    monkeypatch.setattr(store, method, once)


@pytest.mark.parametrize("first", [True, False])
def test_an_endpoint_that_is_removed_while_its_secret_is_rotated_stays_removed(opened, monkeypatch, first: bool):
    async def main():
        async with opened() as desk:
            hook, _ = await desk.add_webhook(URL)
            meanwhile(monkeypatch, desk, "put", ROTATED, lambda: Desk(desk._access.engine).remove_webhook(hook.id), first=first)
            with pytest.raises(NotFound):
                await desk.rotate_webhook(hook.id)
            store = desk._access.services.store
            assert await desk.webhooks() == [] and not await store.docs(ENDPOINT, "local")
            assert not await store.docs(ROTATED, hook.id)

    skipping(main())


def test_secrets_that_were_rotated_at_the_same_time_both_sign_and_older_ones_for_a_day(opened, monkeypatch):
    async def main():
        clock = SkippingClock()
        async with opened(clock=clock) as desk:
            engine, given = desk._access.engine, list[str]()
            hook, old = await desk.add_webhook(URL)

            async def other() -> None:
                given.append((await Desk(engine).rotate_webhook(hook.id))[1])

            meanwhile(monkeypatch, desk, "put", ROTATED, other, first=True)
            given.append((await desk.rotate_webhook(hook.id))[1])
            [now] = await stored_endpoints(engine.services.store, "local")
            assert [one.text for one in now.secrets] == [*reversed(given), old] and now.secrets[0].until is None
            assert {one.until for one in now.secrets[1:]} == {engine.now() + OVERLAP}
            await clock.sleep(OVERLAP - timedelta(seconds=1))
            await desk.rotate_webhook(hook.id)
            [later] = await stored_endpoints(engine.services.store, "local")
            assert [one.until for one in later.secrets[2:]] == [one.until for one in now.secrets[1:]]

    skipping(main())


def test_a_run_that_is_cancelled_by_another_at_the_same_time_is_cancelled(opened, monkeypatch):
    async def main():
        async with opened() as desk:
            run = await desk.ask(Question(message="Go?", options=("Yes", "No")))

            async def other() -> None:
                await desk.cancel(run.id, "bob")
                await desk.result(run.id)

            meanwhile(monkeypatch, desk, "get", run.id, other, first=False)
            assert (await desk.cancel(run.id, "ann")).status == "cancelled"

    skipping(main())


def test_a_list_of_questions_that_was_read_before_an_answer_changes_nothing(opened, monkeypatch):
    async def main():
        async with opened() as desk:
            run = await desk.ask(Question(message="Go?", options=("Yes", "No")))

            async def answered() -> None:
                await desk.answer(run.asks[0].id, "Yes", "ann")
                await desk.result(run.id)

            meanwhile(monkeypatch, desk, "docs", "ask", answered, first=False)
            assert await desk.asks() == []
            line = await desk._access.services.store.doc("ask", run.asks[0].id)
            assert line and (line.body["open"], line.body["by"], line.body["how"]) == (False, "ann", "answered")

    skipping(main())


@pytest.mark.parametrize("how", ["fork", "retry"])
def test_of_a_run_that_was_made_already_no_copy_of_notes_stays(opened, tmp_path, how: str):
    note = call("note_write", section="facts", text="A secret of the run.")

    async def main():
        async with opened([note, "done" if how == "fork" else safety(), "done"], tools=[note_write]) as desk:
            run = (await desk.create(NewRun(input="Note it", mode="deep"))).id
            await desk.result(run)
            made = [await (desk.fork(run, Fork(key="once")) if how == "fork" else desk.retry(run)) for _ in range(2)]
            assert made[0].id == made[1].id
            await desk.result(made[0].id)
            return {run, made[0].id}

    made = skipping(main())
    with closing(sqlite3.connect(tmp_path / "home" / "auteryn.db")) as database:
        found = database.execute("SELECT DISTINCT scope FROM docs WHERE kind='note'").fetchall()
    assert {scope for (scope,) in found} == made


@pytest.mark.proves("L12", "P40")
def test_whoever_follows_a_run_that_ends_and_is_erased_between_two_looks_is_told_so(opened):
    """Its last entries were never seen here: there is nothing to wait for any more."""

    async def told(desk: Desk, run: str, how: str) -> None:
        match how:
            case "result":
                await desk.result(run)
            case "log":
                [line async for line in desk.log_tail(run)]
            case _:
                [event async for event in desk.events(run)]

    async def main():
        async with opened([call("wait", until="1d")], tools=[wait]) as desk:
            run = (await desk.create(NewRun(input="Wait"))).id
            follow = [asyncio.ensure_future(told(desk, run, how)) for how in ("result", "log", "events", "events, too")]
            await desk._access.services.clock.sleep(timedelta(minutes=1))
            await desk._access.services.store.erase(run)  # what is left of an erased run: nothing
            ended = await asyncio.wait_for(asyncio.gather(*follow, return_exceptions=True), 3_600)
            assert [type(one) for one in ended] == [NotFound] * 4

    skipping(main())
