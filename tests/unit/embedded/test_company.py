"""To whom a run is left that wants tools which not every process of its home has."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from auteryn.adapters.embedded.alive import Alive
from auteryn.adapters.embedded.company import PATIENCE, HomeCompany
from auteryn.adapters.embedded.database import Database
from auteryn.adapters.embedded.queue import SqliteQueue
from auteryn.testing.clock import SkippingClock, skipping
from conformance.samples import newborn

RUN = replace(newborn().run, own_tools=("stock", "weigh"))


@pytest.mark.parametrize(
    ("mine", "others", "left"),
    [
        ((), ("stock", "weigh"), True),
        (("stock",), ("count", "stock", "weigh"), True),
        (("stock", "weigh"), ("stock", "weigh"), False),
        ((), ("stock",), False),
        ((), (), False),
    ],
)
def test_a_run_is_left_to_whoever_has_all_its_tools(
    tmp_path: Path, mine: tuple[str, ...], others: tuple[str, ...], left: bool
) -> None:
    async def main() -> None:
        database, clock = Database(tmp_path), SkippingClock()
        here, there = HomeCompany(database.alive, SqliteQueue(database, clock)), Alive(tmp_path)
        here.bring(mine)
        there.tell(others)
        assert await here.takes(RUN, clock.now()) is left
        assert not await here.takes(replace(RUN, own_tools=()), clock.now())
        there.close()
        assert not await here.takes(RUN, clock.now())
        database.close()

    skipping(main())


def test_a_sign_of_life_that_nobody_can_read_has_no_tools(tmp_path: Path) -> None:
    here, there = Alive(tmp_path), Alive(tmp_path)
    (tmp_path / "alive" / there.token).write_bytes(b"stock \xff\x00")
    assert (here.others_have(["weigh"]), here.others_have(["stock"])) == (False, True)
    here.close()
    there.close()


def test_whoever_lives_and_does_not_take_it_is_not_waited_for(tmp_path: Path) -> None:
    async def main() -> None:
        database, clock = Database(tmp_path), SkippingClock()
        here, there = HomeCompany(database.alive, SqliteQueue(database, clock)), Alive(tmp_path)
        there.tell(RUN.own_tools)
        assert await here.takes(RUN, clock.now())
        await clock.sleep(PATIENCE / 2)
        assert await here.takes(RUN, clock.now())
        await clock.sleep(PATIENCE / 2)
        assert not await here.takes(RUN, clock.now())
        assert await here.takes(replace(RUN, seq=RUN.seq + 1), clock.now())  # it went on: the other one has worked on it
        there.close()
        database.close()

    skipping(main())
