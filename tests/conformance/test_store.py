"""The laws of `ports.store` for every store there is, but for those of inboxes and leases."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from auteryn.errors import Conflict, Corrupt, Invalid, NotFound
from auteryn.ports import Store
from auteryn.schema import event as e
from auteryn.schema.change import SUMMARY_EVERY, Doc, Send
from auteryn.schema.fold import after, born
from conformance.backends import STORES, Place, on_every
from conformance.samples import FAILED, MINUTE, NOON, SOON, change, completed, leased, message, newborn

# ---- S1 to S3: commits


@pytest.mark.proves("L1", "F10")
@on_every(STORES)
async def test_a_second_commit_at_a_number_raises_conflict_and_writes_nothing(place: Place[Store]) -> None:
    """S1: the journal is the lock; two slices of one run cannot both go on."""
    async with place.open() as store, place.open() as zombie:
        run = await store.create(newborn())
        other = await store.create(newborn())
        first = change(run)
        await store.commit(first)
        late = change(
            run,
            completed(),
            sends=(Send(run=other.id, message=message()),),
            children=(newborn(run_id="run_late"),),
            docs=(Doc(kind="note", id="late", scope=run.id, body="late", at=NOON),),
        )

        with pytest.raises(Conflict):
            await zombie.commit(late)

        assert await store.get(run.id) == first.run
        assert list(await store.journal(run.id, after=1)) == [first.entry]
        assert list(await store.inbox(other.id)) == []
        assert await store.doc("note", "late") is None
        with pytest.raises(NotFound):
            await store.get("run_late")


@pytest.mark.proves("L1")
@on_every(STORES)
async def test_of_many_simultaneous_commits_at_one_number_exactly_one_holds(place: Place[Store]) -> None:
    """S1, raced: the losers are told, the winner is whole."""
    async with place.open() as one, place.open() as two:
        run = await one.create(newborn())
        rivals = [change(run) for _ in range(10)]

        results = await asyncio.gather(
            *((one, two)[i % 2].commit(rival) for i, rival in enumerate(rivals)), return_exceptions=True
        )

        won = [rival for rival, result in zip(rivals, results, strict=True) if result is None]
        assert len(won) == 1
        assert all(isinstance(result, Conflict) for result in results if result is not None)
        assert list(await one.journal(run.id, after=1)) == [won[0].entry]


@pytest.mark.proves("L1", "L5")
@on_every(STORES)
async def test_a_commit_is_applied_whole(place: Place[Store]) -> None:
    """S2: entry, summary, consumed messages, sends, children, documents and the lease's end become true together."""
    async with place.open() as store:
        run, other = await store.create(newborn()), await store.create(newborn())
        heard = message()
        await store.send(run.id, heard)
        await leased(store, run)
        child = newborn("Look at the first one", parent=run)
        said = message("The step has ended")
        doc = Doc(kind="note", id="n1", scope=run.id, body={"text": "two were bought"}, at=NOON)
        commit = change(
            run, consumed=(heard.id,), sends=(Send(run=other.id, message=said),), children=(child,), docs=(doc,), leave=True
        )

        await store.commit(commit)

        assert await store.get(run.id) == commit.run
        assert list(await store.inbox(run.id)) == []
        assert list(await store.inbox(other.id)) == [said]
        assert await store.get(child.run.id) == child.run
        assert list(await store.journal(child.run.id)) == [child.entry]
        assert await store.doc("note", "n1") == doc
        assert await store.lease(run.id) is None


@pytest.mark.proves("L1")
@on_every(STORES)
async def test_a_commit_that_cannot_be_whole_leaves_nothing(place: Place[Store]) -> None:
    """S2: a child that exists already refuses the entry, the sends and the other children with it."""
    async with place.open() as store:
        run, other = await store.create(newborn()), await store.create(newborn())
        commit = change(
            run,
            sends=(Send(run=other.id, message=message()),),
            children=(newborn(run_id="run_new", parent=run), newborn(run_id=other.id, parent=run)),
        )

        with pytest.raises(Conflict):
            await store.commit(commit)

        assert await store.get(run.id) == run
        assert list(await store.inbox(other.id)) == []
        assert await store.get(other.id) == other
        with pytest.raises(NotFound):
            await store.get("run_new")
        await store.commit(change(run))  # and the number is still free


@pytest.mark.proves("L1")
@on_every(STORES)
async def test_a_refused_commit_does_not_spoil_the_ones_beside_it(place: Place[Store]) -> None:
    """S2: commits of other runs made at the same moment hold."""
    async with place.open() as store:
        runs = [await store.create(newborn()) for _ in range(6)]
        await store.commit(change(runs[2]))
        commits = [change(run) for run in runs]
        commits[4] = change(runs[4], children=(newborn(run_id=runs[0].id),))

        results = await asyncio.gather(*map(store.commit, commits), return_exceptions=True)

        assert [type(result) for result in results] == [type(None), type(None), Conflict, type(None), Conflict, type(None)]
        assert [(await store.get(run.id)).seq for run in runs] == [2, 2, 2, 2, 1, 2]


@pytest.mark.proves("L1", "F13")
@on_every(STORES)
async def test_a_commit_sent_again_after_a_lost_reply_succeeds_and_is_applied_once(place: Place[Store]) -> None:
    """S3: finding one's own commit id means success, also for another process, also for a create."""
    async with place.open() as store, place.open() as again:
        born_now = newborn()
        run = await store.create(born_now)
        other = await store.create(newborn())
        commit = change(run, sends=(Send(run=other.id, message=message()),), children=(newborn(run_id="run_child"),))
        await store.commit(commit)
        await store.commit(change(commit.run))

        await again.commit(commit)

        assert await again.create(born_now) == run
        assert len(await store.journal(run.id)) == 3
        assert len(await store.inbox(other.id)) == 1


# ---- S8: keys


@pytest.mark.proves("L15", "P30")
@on_every(STORES)
async def test_a_create_repeated_with_its_key_is_the_same_run(place: Place[Store]) -> None:
    """S8: for this owner; the first run as it is now comes back and nothing is written."""
    async with place.open() as store:
        born_now = newborn("one", owner="ann")
        first = await store.create(born_now, key="k")
        await store.commit(commit := change(first))

        again = await store.create(newborn("two", owner="ann"), key="k")
        other = await store.create(newborn("three", owner="bob"), key="k")

        assert again == commit.run
        assert await store.create(born_now, key="k") == commit.run
        assert other.id != first.id
        assert len((await store.runs()).runs) == 2


@pytest.mark.proves("L15")
@on_every(STORES)
async def test_simultaneous_creates_with_one_key_make_one_run(place: Place[Store]) -> None:
    """S8, raced."""
    async with place.open() as one, place.open() as two:
        made = await asyncio.gather(*((one, two)[i % 2].create(newborn(f"try {i}"), key="k") for i in range(10)))

        assert len({run.id for run in made}) == 1
        assert len((await one.runs()).runs) == 1


# ---- S9: reading


@on_every(STORES)
async def test_get_equals_the_fold_of_the_whole_journal(place: Place[Store]) -> None:
    """S9: whichever commits wrote a summary, and whoever else has committed since one looked last."""
    async with place.open() as store, place.open() as elsewhere:
        run = await store.create(newborn())
        for number in range(2 * SUMMARY_EVERY + 5):
            commit = change(run, summary=number % SUMMARY_EVERY == SUMMARY_EVERY - 1)
            await store.commit(commit)
            run = commit.run
            assert await store.get(run.id) == run
            opened, whole = await store.opened(run.id)
            assert opened == run and (whole is None or list(whole) == list(await store.journal(run.id)))
            assert number % 3 or await elsewhere.get(run.id) == run

        journal = await store.journal(run.id)
        folded = born(journal[0])
        for entry in journal[1:]:
            folded = after(folded, entry)
        assert folded == run


@on_every(STORES)
async def test_the_journal_is_read_from_anywhere_in_order(place: Place[Store]) -> None:
    """S9: entries with `seq > after`, at most `limit`, and no other run's."""
    async with place.open() as store:
        run, beside = await store.create(newborn()), await store.create(newborn())
        for _ in range(4):
            commit, other = change(run), change(beside)
            await asyncio.gather(store.commit(commit), store.commit(other))
            run, beside = commit.run, other.run

        assert [entry.seq for entry in await store.journal(run.id)] == [1, 2, 3, 4, 5]
        assert [entry.seq for entry in await store.journal(run.id, after=3)] == [4, 5]
        assert [entry.seq for entry in await store.journal(run.id, after=1, limit=2)] == [2, 3]
        assert list(await store.journal(run.id, after=5)) == []


@on_every(STORES)
async def test_an_unknown_run_is_not_found(place: Place[Store]) -> None:
    """S9"""
    async with place.open() as store:
        with pytest.raises(NotFound):
            await store.get("run_unknown")


@on_every(STORES)
async def test_everything_is_there_after_a_restart(place: Place[Store]) -> None:
    """S9: a store that is closed and opened again holds what it held."""
    async with place.open() as store:
        run = await store.create(newborn(wake_at=None), key="k")
        said = message()
        await store.send(run.id, said)
        doc = Doc(kind="note", id="n", scope=run.id, body=["a", 1, None], at=NOON)
        await store.commit(commit := change(run, docs=(doc,), summary=False))

    async with place.open() as store:
        assert await store.get(run.id) == commit.run
        assert list(await store.inbox(run.id)) == [said]
        assert await store.doc("note", "n") == doc
        assert await store.create(newborn(), key="k") == commit.run
        assert list(await store.due(NOON)) == [run.id]


@on_every(STORES)
async def test_a_cursor_that_is_none_of_ours_is_refused(place: Place[Store]) -> None:
    async with place.open() as store:
        for cursor in ("", "x", "-1", "٣", "9" * 30, "e30", "W10"):
            with pytest.raises(Invalid, match="cursor"):
                await store.runs(cursor=cursor)


@on_every(STORES)
async def test_runs_are_listed_newest_first_and_page_by_page(place: Place[Store]) -> None:
    """S9: each exactly once, roots only unless asked otherwise."""
    async with place.open() as store:
        made = [await store.create(newborn(created_at=NOON + i * MINUTE)) for i in range(7)]
        child = newborn(parent=made[0], created_at=NOON + 8 * MINUTE)
        await store.commit(change(made[0], children=(child,)))

        listed: list[str] = []
        cursor, pages = None, 0
        while pages == 0 or cursor:
            page = await store.runs(limit=3, cursor=cursor)
            listed += [run.id for run in page.runs]
            cursor, pages = page.next, pages + 1

        assert listed == [run.id for run in reversed(made)]
        assert (await store.runs()).at.keys() == set(listed)
        assert pages == 3
        assert [run.id for run in (await store.runs(roots_only=False, limit=1)).runs] == [child.run.id]
        assert [run.id for run in (await store.runs(parent=made[0].id)).runs] == [child.run.id]


@on_every(STORES)
async def test_runs_are_listed_by_owner_and_status(place: Place[Store]) -> None:
    """S9"""
    async with place.open() as store:
        ann, bob = await store.create(newborn(owner="ann")), await store.create(newborn(owner="bob"))
        done = await store.create(newborn(owner="ann"))
        await store.commit(change(done, completed(), leave=True))

        assert {run.id for run in (await store.runs(owner="ann")).runs} == {ann.id, done.id}
        assert await store.count(owner="ann", status=["pending", "running"], most=9) == 1
        assert await store.count(owner="ann", status=["pending", "running", "completed"], most=9) == 2
        assert await store.count(owner="ann", status=["pending", "running", "completed"], most=1) == 1
        assert await store.count(owner="nobody", status=["pending"], most=9) == 0
        assert [run.id for run in (await store.runs(status=["completed"])).runs] == [done.id]
        assert [run.id for run in (await store.runs(owner="ann", status=["pending", "running"])).runs] == [ann.id]
        assert [run.id for run in (await store.runs(owner="bob")).runs] == [bob.id]
        assert (await store.runs(status=["failed"])).runs == ()


# ---- S10: documents


@on_every(STORES)
async def test_put_replaces_and_if_absent_keeps_the_first_body(place: Place[Store]) -> None:
    """S10: and says whether it wrote."""
    async with place.open() as store:
        first = Doc(kind="note", id="n", scope="run_1", body={"text": "first"}, at=NOON)
        second = Doc(kind="note", id="n", scope="run_2", body={"text": "second"}, at=SOON)
        same_id = Doc(kind="memory", id="n", scope="run_1", body=1, at=NOON)

        assert await store.put(first, if_absent=True) is True
        assert await store.put(second, if_absent=True) is False
        assert await store.doc("note", "n") == first
        assert await store.put(same_id) is True
        assert await store.put(second) is True
        assert await store.doc("note", "n") == second
        assert list(await store.docs("note", "run_1")) == []
        await store.drop("note", "n")
        await store.drop("note", "n")
        assert await store.doc("note", "n") is None
        assert await store.doc("memory", "n") == same_id


@on_every(STORES)
async def test_of_simultaneous_puts_if_absent_one_is_kept(place: Place[Store]) -> None:
    """S10, raced."""
    async with place.open() as one, place.open() as two:
        docs = [Doc(kind="claim", id="c", scope="s", body=i, at=NOON) for i in range(10)]

        kept = await asyncio.gather(*((one, two)[i % 2].put(doc, if_absent=True) for i, doc in enumerate(docs)))

        assert sum(kept) == 1
        assert await one.doc("claim", "c") == docs[kept.index(True)]


@on_every(STORES)
async def test_documents_of_a_scope_come_in_order_of_their_time_then_of_writing(place: Place[Store]) -> None:
    """S10"""
    async with place.open() as store:
        late = Doc(kind="note", id="a", scope="s", body="late", at=SOON)
        early = [Doc(kind="note", id=name, scope="s", body=name, at=NOON) for name in ("z", "m", "b")]
        for doc in (late, *early, Doc(kind="note", id="x", scope="t", body=0, at=NOON)):
            await store.put(doc)

        assert list(await store.docs("note", "s")) == [*early, late]
        assert list(await store.docs("note", "s", limit=2)) == early[:2]


# ---- S11: damage


@on_every(STORES)
async def test_what_cannot_be_read_is_corrupt_and_harms_no_other_run(place: Place[Store]) -> None:
    """S13: the error names the run; everything else goes on."""
    async with place.open() as store:
        bad, good = await store.create(newborn()), await store.create(newborn())
        for run in (bad, good):
            await store.commit(change(run))
    place.damage(bad.id)

    async with place.open() as store:
        with pytest.raises(Corrupt, match=bad.id):
            await store.get(bad.id)
        with pytest.raises(Corrupt, match=bad.id):
            await store.journal(bad.id)
        assert (await store.get(good.id)).seq == 2
        assert good.id in {run.id for run in (await store.runs()).runs}
        assert good.id in await store.due(NOON)
        await store.commit(change(await store.get(good.id)))


@pytest.mark.proves("F29")
@on_every(STORES)
async def test_whose_step_it_is_can_be_told_of_a_run_that_cannot_be_read(place: Place[Store]) -> None:
    """S13: where the child itself is damaged; of a root and of what is not there it is nobody's."""
    async with place.open() as store:
        root = await store.create(newborn())
        child, born_later = newborn(parent=root), newborn(parent=root)
        await store.create(child)
        await store.commit(change(root, children=(born_later,)))
    place.damage(child.run.id)

    async with place.open() as store:
        with pytest.raises(Corrupt):
            await store.get(child.run.id)
        assert await store.parent_of(child.run.id) == root.id == await store.parent_of(born_later.run.id)
        assert await store.parent_of(root.id) is None and await store.parent_of("run_unknown") is None


# ---- S11, S12: a run with a past, and none any more


@on_every(STORES)
async def test_a_run_with_a_past_is_there_as_a_whole(place: Place[Store]) -> None:
    """S11: its journal reads as if it had been written commit by commit, its summary is as of the last entry."""
    async with place.open() as store:
        first, entries = newborn(), []
        run = first.run
        for _ in range(SUMMARY_EVERY + 5):
            one = change(run)
            entries.append(one.entry)
            run = one.run
        made = await store.create(replace(first, run=run, past=tuple(entries)), key="k")
        again = await store.create(newborn(), key="k")

        assert made == again == await store.get(run.id) == run
        assert list(await store.journal(run.id)) == [first.entry, *entries]
        assert (await store.runs(limit=1)).runs == (run,)
        on = change(run)
        await store.commit(on)
        assert (await store.get(run.id)).seq == len(entries) + 2


@on_every(STORES)
@pytest.mark.proves("L1", "L15")
async def test_a_past_touches_nothing_that_is_there_and_of_one_that_is_not_needed_nothing_is_kept(place: Place[Store]) -> None:
    """S8, S11: a run that goes on is not rewritten by one of its name that was taken out earlier, or by a stranger's."""
    async with place.open() as store:
        first, late = newborn(), newborn()
        stranger = newborn(run_id=first.run.id)
        run = await store.create(first)
        await store.commit(on := change(run))
        earlier = change(run, e.RunCancelled(by="import", receipt=e.Receipt()))
        await store.create(replace(first, run=earlier.run, past=(earlier.entry,)))
        past = change(stranger.run)
        with pytest.raises(Conflict):
            await store.create(replace(stranger, run=past.run, past=(past.entry,)))
        assert list(await store.journal(run.id)) == [first.entry, on.entry]

        made, past = await store.create(newborn(), key="k"), change(late.run)
        assert await store.create(replace(late, run=past.run, past=(past.entry,)), key="k") == made
        assert list(await store.journal(late.run.id)) == []


@on_every(STORES)
async def test_a_run_with_a_short_past_is_listed_as_it_has_become(place: Place[Store]) -> None:
    """S11: a past is no reason to be listed as one was born."""
    async with place.open() as store:
        first = newborn()
        past = change(first.run)
        made = await store.create(replace(first, run=past.run, past=(past.entry,)))
        on = change(made, summary=True)
        await store.commit(on)
        assert (await store.runs(limit=1)).runs == (on.run,)


@on_every(STORES)
async def test_of_an_erased_run_nothing_is_left_and_others_are_as_they_were(place: Place[Store]) -> None:
    """S12: whatever it had, and however often it is erased."""
    async with place.open() as store, place.open() as elsewhere:
        kept, gone = await store.create(newborn(), key="kept"), await store.create(newborn(), key="gone")
        for run in (kept, gone):
            await store.send(run.id, message(message_id="m1"))
            await store.put(Doc(kind="note", id=f"n-{run.id}", scope=run.id, body="x" * 40_000, at=NOON))
            await leased(store, run)
            one = change(run, consumed=("m1",), summary=True)
            await store.commit(one)
            assert await elsewhere.get(run.id) == one.run
        await store.erase(gone.id)
        with pytest.raises(NotFound):
            await elsewhere.get(gone.id)
        await elsewhere.erase(gone.id)
        await store.erase(gone.id)

        with pytest.raises(NotFound):
            await elsewhere.get(gone.id)
        assert list(await store.journal(gone.id)) == list(await store.inbox(gone.id)) == []
        assert await store.lease(gone.id) is None and await store.doc("note", f"n-{gone.id}") is None
        assert [run.id for run in (await store.runs()).runs] == [kept.id]
        assert (await store.get(kept.id)).seq == 2 and await store.doc("note", f"n-{kept.id}")
        assert await store.send(kept.id, message(message_id="m1")) is False
        anew = await store.create(newborn(run_id=gone.id), key="gone")
        assert anew.seq == 1 and await elsewhere.send(gone.id, message(message_id="m1"))


@on_every(STORES)
async def test_whoever_knew_an_erased_run_takes_no_other_for_it(place: Place[Store]) -> None:
    """S12: another process, and a run that begins where the erased one was."""
    async with place.open() as store, place.open() as elsewhere:
        gone = await store.create(newborn())
        assert len(await elsewhere.journal(gone.id)) == 1
        await store.erase(gone.id)
        other = await store.create(newborn())
        await store.commit(change(other))
        assert list(await elsewhere.journal(gone.id)) == []
        assert len(await elsewhere.journal(other.id)) == 2


@pytest.mark.proves("L1")
@on_every(STORES)
async def test_for_a_run_that_was_erased_meanwhile_nothing_is_written(place: Place[Store]) -> None:
    """S12: a slice that knew the run is refused, whichever of its commits comes, and whatever it brings."""
    async with place.open() as store, place.open() as zombie:
        run, other = await store.create(newborn()), await store.create(newborn())
        first = change(run)
        await store.commit(first)
        assert await zombie.get(run.id) == first.run
        lease = await leased(zombie, run)
        await store.erase(run.id)
        for late in (
            change(first.run, summary=False, sends=(Send(run=other.id, message=message()),)),
            change(first.run, summary=False, docs=(Doc(kind="note", id="late", scope=other.id, body="late", at=NOON),)),
            change(first.run, summary=True, leave=True, wake_at=NOON),
            change(first.run, FAILED),
            change(first.run, completed()),
            change(run, summary=False),
        ):
            with pytest.raises(Conflict, match="was erased"):
                await zombie.commit(late)
        for heard in (True, False):
            with pytest.raises(NotFound):
                await zombie.send(run.id, message(), heard=heard)
        with pytest.raises(Conflict):
            await zombie.renew(lease, until=SOON + MINUTE)
        await zombie.give_back(lease)
        assert await zombie.lease(run.id) is None
        for gone in (store.journal(run.id), store.inbox(run.id), store.inbox(other.id)):
            assert list(await gone) == []
        assert await store.doc("note", "late") is None


@pytest.mark.proves("L1")
@on_every(STORES)
async def test_an_erasure_and_the_commits_of_a_slice_at_work_leave_nothing(place: Place[Store]) -> None:
    """S12, raced: what is written while the run is erased goes with it."""
    async with place.open() as store, place.open() as elsewhere:
        run = await store.create(newborn())
        assert await elsewhere.get(run.id)
        begun = asyncio.Event()

        async def work() -> None:
            now = run
            while True:
                on = change(now, summary=False)
                await elsewhere.commit(on)
                now = on.run
                begun.set()

        async def erase() -> None:
            await begun.wait()
            await store.erase(run.id)

        refused, _ = await asyncio.gather(work(), erase(), return_exceptions=True)
        assert isinstance(refused, Conflict)
        assert list(await store.journal(run.id)) == []
