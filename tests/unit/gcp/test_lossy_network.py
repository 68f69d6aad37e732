"""Random schedules of rivals and lost messages: what everybody was told is what is stored."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auteryn.adapters.gcp.database import Database
from auteryn.adapters.gcp.store import FirestoreStore
from auteryn.errors import Conflict
from auteryn.ports.store import Lease
from auteryn.schema.record import Record
from conformance.samples import NOON, change, newborn
from unit.gcp.rooms import Room, room

Trouble = tuple[Literal["none", "lose", "refuse"], int]
"""What happens to the next commits on the way, and to how many."""

troubles = st.one_of(st.just(("none", 0)), st.tuples(st.sampled_from(["lose", "refuse"]), st.integers(1, 2)))
writers = st.integers(0, 1)


def play(story: Any) -> None:
    """In an empty project, with a second process on it."""

    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with room(Path(folder)) as opened:
                database = opened.store.database
                rival = FirestoreStore(Database(database.project), opened.blobs)
                try:
                    await story(opened, (opened.store, rival))
                finally:
                    await rival.close()

    asyncio.run(main())


def meet(opened: Room, trouble: Trouble) -> None:
    opened.network.faults.heal()
    kind, times = trouble
    if kind != "none":
        opened.network.faults.plan("Commit", kind, times=times)


@pytest.mark.proves("L1", "F10", "F13")
@settings(max_examples=20, deadline=None)
@given(steps=st.lists(st.tuples(writers, troubles, st.booleans()), max_size=10))
def test_the_journal_is_gapless_and_holds_exactly_the_commits_that_were_confirmed(
    steps: list[tuple[int, Trouble, bool]],
) -> None:
    """Two slices of one run, each believing in its own last state until it is told of a conflict."""

    async def story(opened: Room, stores: tuple[FirestoreStore, FirestoreStore]) -> None:
        run = await opened.store.create(newborn())
        views, confirmed = [run, run], list[str]()
        for writer, trouble, summary in steps:
            commit = change(views[writer], summary=summary)
            meet(opened, trouble)
            try:
                await stores[writer].commit(commit)
            except Conflict:
                views[writer] = await stores[writer].get(run.id)
            else:
                views[writer] = commit.run
                confirmed.append(commit.entry.commit)
        journal = await opened.store.journal(run.id)
        assert [entry.seq for entry in journal] == list(range(1, len(confirmed) + 2))
        assert [entry.commit for entry in journal[1:]] == confirmed
        assert (await opened.store.get(run.id)).seq == len(journal)

    play(story)


class Right(Record):
    """What a lease is, as simply as it can be said."""

    number: int = 0
    writer: int | None = None
    until: datetime = NOON

    def live(self, now: datetime) -> bool:
        return self.writer is not None and self.until > now


verbs = st.sampled_from(["take", "renew", "give back", "wait"])


@pytest.mark.proves("L4", "F3", "F13")
@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.tuples(verbs, writers, troubles), max_size=14))
def test_a_lease_has_one_holder_whatever_was_lost(steps: list[tuple[str, int, Trouble]]) -> None:
    """Takes, renewals and returns of two processes, told the same as a model of one line each."""

    async def story(opened: Room, stores: tuple[FirestoreStore, FirestoreStore]) -> None:
        run, now, right = await opened.store.create(newborn()), NOON, Right()
        held: list[Lease | None] = [None, None]
        for verb, writer, trouble in steps:
            meet(opened, trouble)
            store, lease, until = stores[writer], held[writer], now + timedelta(seconds=60)
            mine = lease is not None and right.writer == writer and right.number == lease.number
            if verb == "take":
                took = await store.take_lease(run.id, holder=f"writer {writer}", now=now, until=until)
                assert (took is None) == right.live(now)
                if took:
                    right = Right(number=right.number + 1, writer=writer, until=until)
                    assert took.number == right.number
                    held[writer] = took
            elif verb == "renew" and lease:
                if mine:
                    held[writer] = await store.renew(lease, until=until)
                    right = Right(number=right.number, writer=writer, until=until)
                else:
                    with pytest.raises(Conflict):
                        await store.renew(lease, until=until)
            elif verb == "give back" and lease:
                await store.give_back(lease)
                right = Right(number=right.number) if mine else right
            elif verb == "wait":
                now += timedelta(seconds=45)
            seen = await opened.store.lease(run.id)
            assert (seen and (seen.number, seen.until)) == (None if right.writer is None else (right.number, right.until))

    play(story)
