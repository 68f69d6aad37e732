"""What owners may spend: set it, look at it, and refuse new work to owners who have spent it."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

import msgspec

from auteryn.errors import Invalid, NotFound, SpendLimited
from auteryn.policy.durations import moment
from auteryn.policy.spend import used_up
from auteryn.ports import Store
from auteryn.ports.store import every_run
from auteryn.runtime.engine import Engine
from auteryn.runtime.spending import Spent
from auteryn.schema.change import Doc
from auteryn.schema.inbox import Poke
from auteryn.schema.record import Record, derived_id, new_id
from auteryn.schema.run import ForBudget, Run
from auteryn.schema.spend import LIMIT, SpendLimit
from auteryn.service.access import Access

LOOKED_AT = 200
"""Runs read at a time; the newest among which the one of a repeated request is looked for."""


class OwnLimit(Record):
    """The limit of one owner."""

    owner: str
    limit: SpendLimit
    set_at: datetime


async def check_spend(access: Access, wanted: str = "") -> None:
    """Raises `SpendLimited`, with the time when there is room again, if the owner has spent the limit. The repeat of a request
    that made a run passes (`wanted`: its fingerprint)."""
    standing = await access.engine.spending.standing(access.owner)
    if standing is None or not standing.used_up:
        return
    if wanted and await _made_before(access, wanted):
        return
    until = standing.window.end
    raise SpendLimited(f"{used_up(standing.limit)}; it frees at {moment(until)}", retry_after=until - access.now())


async def standing(access: Access) -> Spent | None:
    """How the owner stands; None without a limit."""
    return await access.engine.spending.standing(access.owner)


async def set_limit(engine: Engine, owner: str, limit: SpendLimit | None) -> None:
    """From now on the owner may spend this much; None: as much as everybody. Runs that wait for the old limit look again."""
    if not owner.strip() or len(owner) > 200 or not owner.isprintable():
        raise Invalid("owner", owner, "must name whose runs are limited, in at most 200 characters")
    store, now, name = engine.services.store, engine.now(), derived_id(LIMIT, owner)
    if limit is None:
        await store.drop(LIMIT, name)
    else:
        own = OwnLimit(owner=owner, limit=limit, set_at=now)
        await store.put(Doc(kind=LIMIT, id=name, scope=LIMIT, body=msgspec.to_builtins(own), at=now))
    for run in await _waiting(store, owner):
        with suppress(NotFound):  # erased meanwhile; one that has ended since takes no harm
            await store.send(run.id, Poke(id=new_id("poke"), sent_at=now))
            await engine.wake(run.id)
    await store.safe()


async def limits(store: Store) -> list[OwnLimit]:
    """The owners who have a limit of their own, in the order of when it was set."""
    return [msgspec.convert(doc.body, OwnLimit) for doc in await store.docs(LIMIT, LIMIT)]


# ---- pieces --------------------------------------------------------------------------------------------------


async def _waiting(store: Store, owner: str) -> list[Run]:
    """The owner's runs that wait until the owner may spend again."""
    waiting = every_run(store, owner=owner, status=("waiting",), roots_only=False)
    return [run async for run in waiting if any(isinstance(wait, ForBudget) and wait.at for wait in run.waits)]


async def _made_before(access: Access, wanted: str) -> bool:
    for run in (await access.services.store.runs(owner=access.owner, limit=LOOKED_AT)).runs:
        if await access.asked_for(run) == wanted:
            return True
    return False
