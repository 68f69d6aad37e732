"""What a slice keeps open is made once, and closed whatever happens."""

from __future__ import annotations

import asyncio

import pytest

from auteryn.testing.clock import skipping
from auteryn.tools.sitting import Sitting, seen_through


class Thing:
    def __init__(self, log: list[str], name: str, *, broken: bool = False) -> None:
        self.log, self.name, self.broken = log, name, broken
        log.append(f"made {name}")

    async def close(self) -> None:
        self.log.append(f"closed {self.name}")
        if self.broken:
            raise OSError("gone")


async def made(log: list[str], name: str, *, broken: bool = False) -> Thing:
    await asyncio.sleep(0)
    return Thing(log, name, broken=broken)


def test_calls_side_by_side_share_one_thing_and_all_are_closed_newest_first() -> None:
    log = list[str]()

    async def story() -> None:
        sitting = Sitting()
        same = await asyncio.gather(*(sitting.keep("a", lambda: made(log, "a")) for _ in range(3)))
        assert same[0] is same[1] is same[2]
        await sitting.keep("b", lambda: made(log, "b", broken=True))
        await sitting.close()
        with pytest.raises(asyncio.CancelledError):
            await sitting.keep("a", lambda: made(log, "a"))

    asyncio.run(story())
    assert log == ["made a", "made b", "closed b", "closed a"]


def test_what_could_not_be_made_is_tried_again() -> None:
    log = list[str]()

    async def fails() -> Thing:
        raise OSError("not now")

    async def story() -> None:
        sitting = Sitting()
        with pytest.raises(OSError, match="not now"):
            await sitting.keep("a", fails)
        thing = await sitting.keep("a", lambda: made(log, "a"))
        await sitting.drop("a", thing)
        await sitting.keep("a", lambda: made(log, "a"))
        await sitting.close()

    asyncio.run(story())
    assert log == ["made a", "closed a"] * 2


def test_what_is_being_made_while_its_call_is_cancelled_is_closed_as_well() -> None:
    log = list[str]()

    async def story() -> None:
        sitting, go_on = Sitting(), asyncio.Event()

        async def slowly() -> Thing:
            await go_on.wait()
            return await made(log, "a")

        call = asyncio.create_task(sitting.keep("a", slowly))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        go_on.set()
        await sitting.close()

    asyncio.run(story())
    assert log == ["made a", "closed a"]


def test_a_cancellation_waits_until_what_is_being_closed_is_closed() -> None:
    closed, closing = list[str](), asyncio.Event()

    async def close() -> None:
        closing.set()
        await asyncio.sleep(0)
        closed.append("browser")

    async def main() -> None:
        task = asyncio.create_task(seen_through(close()))
        await closing.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert closed == ["browser"]

    asyncio.run(main())


def test_a_broken_thing_is_dropped_once_and_the_new_one_stays() -> None:
    """Two calls fail with the same one: the second to say so does not take away what a third has begun with."""
    log = list[str]()

    async def story() -> None:
        sitting = Sitting()
        broken = await sitting.keep("a", lambda: made(log, "a"))
        await sitting.drop("a", broken)
        new = await sitting.keep("a", lambda: made(log, "b"))
        await sitting.drop("a", broken)
        await sitting.drop("a", None)
        assert await sitting.keep("a", lambda: made(log, "c")) is new
        await sitting.close()

    asyncio.run(story())
    assert log == ["made a", "closed a", "made b", "closed b"]


def test_what_takes_too_long_to_be_made_does_not_outlive_the_slice() -> None:
    log = list[str]()

    async def story() -> None:
        sitting = Sitting()

        async def never() -> Thing:
            try:
                await asyncio.Event().wait()
            finally:
                log.append("broken off")
            return Thing(log, "a")

        call = asyncio.create_task(sitting.keep("a", never))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await sitting.close()
        assert log == ["broken off"]

    skipping(story())
