"""Of the laws of `ports.store` those of leases and of what is due, S6 and S7, for every store there is."""

from __future__ import annotations

import asyncio

import pytest

from auteryn.errors import Conflict, NotFound
from auteryn.ports import Store
from auteryn.ports.store import Lease
from auteryn.schema.inbox import Poke
from auteryn.schema.run import Run
from conformance.backends import STORES, Place, on_every
from conformance.samples import EVEN_LATER, FAILED, MINUTE, NOON, SOON, change, leased, message, newborn

# ---- S6: leases


@on_every(STORES)
async def test_a_live_lease_is_taken_by_nobody_else(place: Place[Store]) -> None:
    """S6: one holder at a time, in this process and in others; a second slice of the same holder is another one."""
    async with place.open() as store, place.open() as other:
        run = await store.create(newborn())
        lease = await leased(store, run)

        assert await other.take_lease(run.id, holder="two", now=NOON + MINUTE, until=EVEN_LATER) is None
        assert await store.take_lease(run.id, holder="one", now=NOON + MINUTE, until=EVEN_LATER) is None
        assert await other.lease(run.id) == lease


@pytest.mark.proves("F3")
@on_every(STORES)
async def test_of_many_who_want_a_lease_one_gets_it(place: Place[Store]) -> None:
    """S6, raced."""
    async with place.open() as one, place.open() as two:
        run = await one.create(newborn())

        got = await asyncio.gather(
            *((one, two)[i % 2].take_lease(run.id, holder=f"holder {i}", now=NOON, until=SOON) for i in range(10))
        )

        assert sum(lease is not None for lease in got) == 1


@on_every(STORES)
async def test_a_lease_ends_at_its_time_by_leaving_and_by_being_given_back(place: Place[Store]) -> None:
    """S6: and every take has a higher number."""
    async with place.open() as store:
        run = await store.create(newborn())
        assert await store.lease(run.id) is None

        first = await leased(store, run, "one")
        second = await store.take_lease(run.id, holder="two", now=first.until, until=first.until + MINUTE)
        assert second
        await store.give_back(second)
        third = await leased(store, run, "three")
        await store.commit(change(run, leave=True))
        fourth = await leased(store, run, "four")

        assert first.number < second.number < third.number < fourth.number


@pytest.mark.proves("F10")
@on_every(STORES)
async def test_an_earlier_lease_of_the_same_holder_is_lost_all_the_same(place: Place[Store]) -> None:
    """S6: two slices of one process are two; the older one neither lengthens nor ends what the newer one has."""
    async with place.open() as store, place.open() as elsewhere:
        run = await store.create(newborn())
        old = await leased(store, run, "one")
        new = await store.take_lease(run.id, holder="one", now=SOON, until=SOON + MINUTE)
        assert new and new.number > old.number
        for one in (store, elsewhere):
            with pytest.raises(Conflict):
                await one.renew(old, until=EVEN_LATER)
            await one.give_back(old)
        assert await store.lease(run.id) == new


@pytest.mark.proves("L3")
@on_every(STORES)
async def test_what_decides_whether_a_run_wants_a_slice_is_read_together(place: Place[Store]) -> None:
    async with place.open() as store, place.open() as other:
        run = await store.create(newborn())

        async def stands(run: Run) -> Lease | None:
            seen = await other.standing(run.id)
            inbox = await other.inbox(run.id)
            assert (seen.run, seen.lease) == (await store.get(run.id), await store.lease(run.id))
            assert seen.run == run and (seen.unread in inbox if inbox else seen.unread is None)
            return seen.lease

        assert await stands(run) is None
        lease = await leased(store, run)
        assert await stands(run) == lease
        first, second = message("one"), message("two")
        await store.send(run.id, first)
        await store.send(run.id, second)
        assert await stands(run) == lease
        working = change(run, consumed=(first.id,), summary=False)
        await store.commit(working)
        assert await stands(working.run) == lease
        left = change(working.run, consumed=(second.id,), leave=True)
        await store.commit(left)
        assert await stands(left.run) is None
        with pytest.raises(NotFound):
            await other.standing("run_unknown")


@on_every(STORES)
async def test_a_lease_is_renewed_by_its_holder_and_by_nobody_who_lost_it(place: Place[Store]) -> None:
    """S6: `renew` of a lost lease raises `Conflict`, and giving it back changes nothing."""
    async with place.open() as store:
        run = await store.create(newborn())
        lease = await leased(store, run)
        renewed = await store.renew(lease, until=SOON + MINUTE)
        assert renewed.until == SOON + MINUTE
        assert renewed.number == lease.number
        assert await store.take_lease(run.id, holder="two", now=SOON, until=EVEN_LATER) is None

        taken = await store.take_lease(run.id, holder="two", now=SOON + MINUTE, until=EVEN_LATER)

        with pytest.raises(Conflict):
            await store.renew(renewed, until=EVEN_LATER)
        await store.give_back(renewed)
        assert await store.lease(run.id) == taken


# ---- S7: what is due


@pytest.mark.proves("L3", "L4")
@on_every(STORES)
async def test_due_names_runs_whose_time_has_come(place: Place[Store]) -> None:
    """S7: by their `wake_at`, set when they are created and when a slice leaves."""
    async with place.open() as store:
        run = await store.create(newborn(wake_at=SOON))
        never = await store.create(newborn(wake_at=None))
        sleeper = await store.create(newborn(wake_at=NOON))
        await leased(store, sleeper)
        await store.commit(change(sleeper, leave=True, wake_at=EVEN_LATER))

        assert list(await store.due(SOON - MINUTE)) == []
        assert list(await store.due(SOON)) == [run.id]
        assert set(await store.due(EVEN_LATER)) == {run.id, sleeper.id}
        assert never.id not in await store.due(EVEN_LATER)


@pytest.mark.proves("L3", "L5")
@on_every(STORES)
async def test_due_names_runs_with_unread_messages(place: Place[Store]) -> None:
    """S7: until the message is consumed."""
    async with place.open() as store:
        run = await store.create(newborn(wake_at=None))
        await store.create(newborn(wake_at=None))
        await store.send(run.id, Poke(id="poke_1", sent_at=NOON))

        assert list(await store.due(NOON)) == [run.id]
        await store.commit(change(run, consumed=("poke_1",), leave=True))
        assert list(await store.due(NOON)) == []


@pytest.mark.proves("L4", "F9")
@on_every(STORES)
async def test_due_names_a_run_whose_lease_ended_by_itself(place: Place[Store]) -> None:
    """S7: its slice is dead; while the lease lives nothing makes it due, once it was given up nothing is left of it."""
    async with place.open() as store:
        run = await store.create(newborn(wake_at=NOON))
        await leased(store, run, until=SOON)
        await store.send(run.id, Poke(id="poke_1", sent_at=NOON))

        assert list(await store.due(SOON - MINUTE)) == []
        assert list(await store.due(SOON)) == [run.id]
        await store.commit(change(run, consumed=("poke_1",), leave=True))
        assert list(await store.due(EVEN_LATER)) == []


@pytest.mark.proves("L4")
@on_every(STORES)
async def test_a_run_whose_lease_was_given_back_without_a_commit_is_as_due_as_before(place: Place[Store]) -> None:
    """S7: no sitting that came to nothing takes a run's next wake with it."""
    async with place.open() as store:
        run = await store.create(newborn(wake_at=NOON))
        await store.give_back(await leased(store, run))

        assert list(await store.due(NOON)) == [run.id]


@pytest.mark.proves("L10")
@on_every(STORES)
async def test_a_run_that_has_ended_is_never_due(place: Place[Store]) -> None:
    """S7: whatever was planned for it, and whoever still writes to it."""
    async with place.open() as store:
        run = await store.create(newborn(wake_at=NOON))
        await leased(store, run)
        await store.send(run.id, Poke(id="poke_1", sent_at=NOON))
        await store.commit(change(run, FAILED, leave=True, wake_at=NOON))
        await store.send(run.id, Poke(id="poke_2", sent_at=NOON))
        await leased(store, run)  # by a slice that was told to come before it ended

        assert list(await store.due(EVEN_LATER)) == []


@on_every(STORES)
async def test_due_names_each_run_once_and_no_more_than_asked_for(place: Place[Store]) -> None:
    """S7"""
    async with place.open() as store:
        runs = [await store.create(newborn(wake_at=NOON)) for _ in range(5)]
        for run in runs:
            await store.send(run.id, Poke(id="poke_1", sent_at=NOON))

        assert sorted(await store.due(NOON)) == sorted(run.id for run in runs)
        some = await store.due(NOON, limit=3)
        assert len(some) == len(set(some)) == 3
