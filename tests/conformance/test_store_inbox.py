"""Of the laws of `ports.store` those of the inbox, S4, S5, S14 and S15, for every store there is."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from auteryn.errors import Conflict, NotFound, Unread, WrongState
from auteryn.ports import Store
from auteryn.schema.change import Doc, Send
from auteryn.schema.inbox import Poke
from conformance.backends import STORES, Place, on_every
from conformance.samples import CANCELLED, EVEN_LATER, FAILED, NOON, change, completed, message, newborn

# ---- S4, S5: the inbox


@pytest.mark.proves("L5")
@on_every(STORES)
async def test_a_message_id_is_accepted_once_for_the_life_of_a_run(place: Place[Store]) -> None:
    """S4: a repeat is a no-op, also after the message was consumed, also when it comes with a commit."""
    async with place.open() as store:
        run, other = await store.create(newborn()), await store.create(newborn())
        said = message(message_id="msg_1")

        assert await store.send(run.id, said) is True
        assert await store.send(run.id, message("Something else", message_id="msg_1")) is False
        assert list(await store.inbox(run.id)) == [said]
        consuming = change(run, consumed=("msg_1",))
        await store.commit(consuming)
        assert await store.send(run.id, said) is False
        await store.commit(change(other, sends=(Send(run=run.id, message=said),)))
        assert list(await store.inbox(run.id)) == []
        assert await store.send(other.id, said) is True  # ids are a run's own


@pytest.mark.proves("L5", "F21")
@on_every(STORES)
async def test_of_two_senders_of_one_id_exactly_one_is_told_that_it_was_new(place: Place[Store]) -> None:
    """S4, raced: an ask has one answer."""
    async with place.open() as one, place.open() as two:
        run = await one.create(newborn())

        new = await asyncio.gather(
            *((one, two)[i % 2].send(run.id, message(f"answer {i}", message_id="answer-ask_1")) for i in range(10))
        )

        assert sum(new) == 1
        assert len(await one.inbox(run.id)) == 1


@pytest.mark.proves("L5")
@on_every(STORES)
async def test_the_inbox_lists_what_is_not_consumed_in_order_of_arrival(place: Place[Store]) -> None:
    """S5"""
    async with place.open() as store:
        run, other = await store.create(newborn()), await store.create(newborn())
        said = [message(f"line {i}", message_id=f"msg_{(i * 7) % 10}") for i in range(10)]
        for one in said[:9]:
            await store.send(run.id, one)
        await store.commit(change(other, sends=(Send(run=run.id, message=said[9]),)))

        assert list(await store.inbox(run.id)) == said
        await store.commit(change(run, consumed=tuple(one.id for one in said[2:9])))
        assert list(await store.inbox(run.id)) == [said[0], said[1], said[9]]
        last = message("the last")
        await store.send(run.id, last)
        assert list(await store.inbox(run.id)) == [said[0], said[1], said[9], last]


@pytest.mark.proves("L5")
@on_every(STORES)
async def test_a_part_of_the_inbox_is_as_many_messages_as_were_asked_for(place: Place[Store]) -> None:
    """S5: any that are not consumed; none only where there is none."""
    async with place.open() as store:
        run = await store.create(newborn())
        assert list(await store.inbox(run.id, limit=1)) == []
        said = [message(f"line {number}") for number in range(4)]
        for one in said:
            await store.send(run.id, one)
        await store.commit(change(run, consumed=(said[0].id, said[2].id)))

        first, some = await store.inbox(run.id, limit=1), await store.inbox(run.id, limit=5)
        assert len(first) == 1 and first[0] in (said[1], said[3])
        assert {one.id for one in some} == {said[1].id, said[3].id}


# ---- S14 and S15: nobody is accepted and not heard


@pytest.mark.proves("L5", "F10")
@on_every(STORES)
async def test_a_run_completes_over_no_unread_message(place: Place[Store]) -> None:
    """S14: nothing of the commit is written; one that takes the message in completes it."""
    async with place.open() as store:
        run, other = await store.create(newborn()), await store.create(newborn())
        for number in range(3):
            await store.send(run.id, Poke(id=f"poke_{number}", sent_at=NOON))
        await store.commit(first := change(run, consumed=("poke_0",)))
        ends = change(
            first.run,
            completed(),
            consumed=("poke_1",),
            sends=(Send(run=other.id, message=message()),),
            docs=(Doc(kind="note", id="late", scope=run.id, body="late", at=NOON),),
            leave=True,
        )

        with pytest.raises(Unread, match="poke_2"):
            await store.commit(ends)

        assert await store.get(run.id) == first.run
        assert list(await store.journal(run.id, after=1)) == [first.entry]
        assert [one.id for one in await store.inbox(run.id)] == ["poke_1", "poke_2"]
        assert list(await store.inbox(other.id)) == [] and await store.doc("note", "late") is None
        await store.commit(replace(ends, consumed=("poke_1", "poke_2")))
        assert await store.get(run.id) == ends.run and list(await store.inbox(run.id)) == []


@on_every(STORES)
async def test_an_end_without_a_result_ends_what_lies_in_the_inbox(place: Place[Store]) -> None:
    """S14: who fails or is cancelled reads nothing any more."""
    async with place.open() as store:
        for end in (FAILED, CANCELLED):
            run = await store.create(newborn())
            await store.send(run.id, message())
            await store.commit(change(run, end, leave=True))
            assert (await store.get(run.id)).terminal


@pytest.mark.proves("L1", "F10")
@on_every(STORES)
async def test_a_completion_that_is_said_again_is_made_once_whoever_has_written_since(place: Place[Store]) -> None:
    """S14 does not undo S3, nor S1: what is there of the commit, or of another one, is found first."""
    async with place.open() as store:
        run = await store.create(newborn())
        await store.commit(ends := change(run, completed(), leave=True))
        await store.send(run.id, Poke(id="poke", sent_at=NOON))

        await store.commit(ends)
        with pytest.raises(Conflict):
            await store.commit(change(run, completed(), leave=True))

        assert list(await store.journal(run.id, after=1)) == [ends.entry]


@pytest.mark.proves("L5", "L10")
@on_every(STORES)
async def test_what_is_said_to_an_ended_run_is_refused_unless_it_was_heard(place: Place[Store]) -> None:
    """S15: it is nowhere afterwards. Whoever repeats what was consumed is told what he was told before."""
    async with place.open() as store:
        for end in (completed(), FAILED, CANCELLED):
            run, heard, late = await store.create(newborn()), message(), message()
            assert await store.send(run.id, heard, heard=True) is True
            assert await store.send(run.id, heard, heard=True) is False
            await store.commit(change(run, end, consumed=(heard.id,), leave=True))

            assert await store.send(run.id, heard, heard=True) is False
            for _ in range(2):
                with pytest.raises(WrongState, match=run.id):
                    await store.send(run.id, late, heard=True)
            assert list(await store.inbox(run.id)) == [] and list(await store.due(EVEN_LATER)) == []
            assert await store.send(run.id, Poke(id="poke", sent_at=NOON)) is True  # nobody counts on it
        with pytest.raises(NotFound):
            await store.send("run_unknown", message(), heard=True)


@on_every(STORES)
async def test_what_lay_unread_as_the_run_failed_is_refused_when_it_is_repeated(place: Place[Store]) -> None:
    """S15: it was accepted once, and now it is known that nobody will hear it."""
    async with place.open() as store:
        run, said = await store.create(newborn()), message()
        await store.send(run.id, said, heard=True)
        await store.commit(change(run, FAILED, leave=True))

        with pytest.raises(WrongState, match="failed"):
            await store.send(run.id, said, heard=True)


@pytest.mark.proves("L5", "F10")
@on_every(STORES)
async def test_of_a_last_word_and_a_completion_exactly_one_is_refused(place: Place[Store]) -> None:
    """S14 and S15, raced: the run goes on and reads it, or whoever said it knows that it came too late."""
    async with place.open() as one, place.open() as two:
        for number in range(10):
            run = await one.create(newborn())
            ends, said = one.commit(change(run, completed(), leave=True)), two.send(run.id, message(), heard=True)
            order = (ends, said) if number % 2 else (said, ends)

            told = [type(one) for one in await asyncio.gather(*order, return_exceptions=True)]

            completes = (await one.get(run.id)).status == "completed"
            assert set(told) == ({type(None), WrongState} if completes else {Unread, bool})
            assert len(await one.inbox(run.id)) == (not completes)
