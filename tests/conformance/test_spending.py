"""The ledger of what owners spend, over every store: however many processes take from it, nobody spends more than the limit."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import to_builtins

from auteryn.ports import Store
from auteryn.runtime.spending import KNOWN, Spending
from auteryn.schema.change import Doc
from auteryn.schema.event import CallAnswered
from auteryn.schema.record import derived_id
from auteryn.schema.routing import Decision
from auteryn.schema.run import Limits, Run
from auteryn.schema.spend import LIMIT, LINE, SpendLimit
from auteryn.testing.clock import SkippingClock
from conformance.backends import STORES, Place, on_every

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
SURE = Decision(mode="fast", stage="forced", confidence=1.0, sure=True, reason="a test")


def run_of(owner: str, name: str) -> Run:
    limits = Limits(llm_calls=9)
    return Run(
        id=name, title=name, mode="fast", routing=SURE, created_at=NOON, deadline_at=NOON, limits=limits, owner=owner
    )  # fmt: skip


def paid(credits: int):
    return (CallAnswered(call="call_1", tool="t", output={}, credits=credits),)


@on_every(STORES)
@pytest.mark.proves("L11")
async def test_processes_at_once_never_take_more_than_the_limit_and_waste_little_of_it(place: Place[Store]) -> None:
    limit, cost, spent = SpendLimit(credits=10_000), 130, list[int]()

    async def process(store: Store, number: int) -> None:
        spending, run = Spending(store, SkippingClock(NOON), limit), run_of("ann", f"run_{number}")
        while (await spending.room("ann", run.id, lambda: cost)) is None:
            await asyncio.sleep(0)
            spent.append(cost)
            spending.spent(run, paid(cost))
        await spending.left("ann", run.id)

    async with place.open() as store:
        await asyncio.gather(*(process(store, number) for number in range(6)))
        assert sum(spent) <= 10_000
        while sum(spent) + cost <= 10_000:  # what the others gave back is there for who comes later
            before = len(spent)
            await process(store, 99)
            assert len(spent) > before
        standing = await Spending(store, SkippingClock(NOON), limit).standing("ann")
        assert standing and (standing.spent, standing.held) == (sum(spent), 0)


@on_every(STORES)
async def test_what_a_killed_process_held_is_wasted_and_not_spent_twice_and_the_next_window_is_whole(
    place: Place[Store],
) -> None:
    limit, clock = SpendLimit(credits=10_000), SkippingClock(NOON)
    async with place.open() as store:
        killed = Spending(store, clock, limit)
        assert await killed.room("ann", "run_1", lambda: 9_000) is None
        other = Spending(store, clock, limit)
        refused = await other.room("ann", "run_2", lambda: 2_000)
        assert refused and refused.at == NOON + timedelta(minutes=1) and "other runs" in refused.why
        assert await other.room("bob", "run_3", lambda: 9_000) is None
        other.spent(run_of("ann", "run_2"), paid(500))
        await other.left("ann", "run_2")
        assert await other.room("ann", "run_2", lambda: 500) is None
        refused = await other.room("ann", "run_4", lambda: 9_900)
        assert refused and refused.at == datetime(2026, 11, 27, tzinfo=UTC) and "used up" in refused.why
        clock.jump(timedelta(hours=12))
        assert await other.room("ann", "run_4", lambda: 9_900) is None
        clock.jump(timedelta(days=2))
        assert await other.room("ann", "run_4", lambda: 9_900) is None
        assert {doc.at.day for doc in await store.docs(LINE, "ann")} == {29}


@on_every(STORES)
async def test_before_somebody_is_refused_the_limit_is_read_again(place: Place[Store]) -> None:
    """What another process has raised a moment ago counts at once, and what it has lifted; a new limit soon."""

    def own(credits: int | None, span: timedelta = timedelta(days=1)) -> Doc:
        body = {"owner": "ann", "limit": to_builtins(SpendLimit(credits=credits, span=span)), "set_at": NOON.isoformat()}
        return Doc(kind=LIMIT, id=derived_id(LIMIT, "ann"), scope=LIMIT, body=body, at=NOON)

    async with place.open() as store:
        clock = SkippingClock(NOON)
        spending, run = Spending(store, clock), run_of("ann", "run_1")
        assert await spending.room("ann", run.id, lambda: 900_000) is None, "nobody has limited it"
        await store.put(own(1_000))
        clock.jump(KNOWN)
        assert await spending.room("ann", run.id, lambda: 900) is None
        spending.spent(run, paid(900))
        assert await spending.room("ann", run.id, lambda: 900) is not None
        await store.put(own(2_000))
        assert await spending.room("ann", run.id, lambda: 900) is None
        spending.spent(run, paid(900))
        assert (standing := await spending.standing("ann")) and standing.spent == 1_800
        await store.put(own(2_000, timedelta(days=2)))  # another window: what was promised is held in it
        assert await spending.room("ann", run.id, lambda: 1_500) is None
        assert await Spending(store, clock).room("ann", "run_2", lambda: 900) is not None
        await store.put(own(None))
        clock.jump(KNOWN)
        assert await spending.room("ann", run.id, lambda: 9_000) is None


@on_every(STORES)
async def test_what_was_spent_is_in_the_books_once_though_a_turn_was_broken_off_as_it_was_written(
    place: Place[Store],
) -> None:
    async with place.open() as store:
        spending, run = Spending(store, SkippingClock(NOON), SpendLimit(credits=10_000)), run_of("ann", "run_1")
        assert await spending.room("ann", run.id, lambda: 130) is None
        spending.spent(run, paid(150))
        turn, plain = asyncio.create_task(spending.room("ann", run.id, lambda: 130)), store.put

        async def put(doc: Doc, *, if_absent: bool = False) -> bool:
            written = await plain(doc, if_absent=if_absent)
            turn.cancel()
            await asyncio.sleep(0)
            return written

        with pytest.MonkeyPatch.context() as patched, pytest.raises(asyncio.CancelledError):
            patched.setattr(store, "put", put)
            await turn
        assert (standing := await spending.standing("ann")) and standing.spent == 150
        await spending.left("ann", run.id)
        assert (standing := await spending.standing("ann")) and (standing.spent, standing.held) == (150, 0)


@on_every(STORES)
@pytest.mark.proves("L11")
async def test_a_line_whose_confirmation_was_lost_is_known_as_ones_own(place: Place[Store]) -> None:
    """A write that is sent again because its reply was lost is refused: it is there already."""
    async with place.open() as store:
        spending, run = Spending(store, SkippingClock(NOON), SpendLimit(credits=10_000)), run_of("ann", "run_1")
        plain, lost = store.put, 0

        async def put(doc: Doc, *, if_absent: bool = False) -> bool:
            nonlocal lost
            lost += 1
            return await plain(doc, if_absent=if_absent) and lost % 2 == 0

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(store, "put", put)
            assert await spending.room("ann", run.id, lambda: 130) is None
            spending.spent(run, paid(150))
            lost = 0
            await spending.left("ann", run.id)
        assert (standing := await spending.standing("ann")) and (standing.spent, standing.held) == (150, 0)
