"""Erase a run: every copy of what it was told, thought and made."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec

from auteryn.errors import Corrupt, NotFound, WrongState
from auteryn.ports.store import Store, every_run
from auteryn.runtime.outgoing import ASK
from auteryn.schema import event as e
from auteryn.schema.files import KIND, FileChanges
from auteryn.schema.post import POST, POSTS
from auteryn.schema.record import Record
from auteryn.schema.run import Run
from auteryn.service.access import Access
from auteryn.service.follow import ended
from auteryn.service.listing import UNDER_WAY
from auteryn.service.memories import memories
from auteryn.service.tree import files_in, tree_of
from auteryn.tools.notes import KIND as NOTE

STOPPING = timedelta(seconds=15)
"""How long is waited for what is below an ended run, and was told to stop with it."""


class Erased(Record):
    """What was erased. `leftovers` names what a second look still found; empty if all is well."""

    runs: tuple[str, ...]
    """The run and its steps and ticks."""
    asks: int
    blobs: int
    """Blobs deleted: of published files, of pictures that were looked at, and in the cloud of the run's other files, too."""
    shared_blobs: int
    """Blobs that stay, because another run has the same bytes."""
    leftovers: tuple[str, ...]
    memories: int = 0
    """What its runs have saved for later ones: it stays until it is forgotten."""


async def erase(access: Access, run_id: str) -> Erased:
    """Erase a run that has ended, and everything below it. Raises `WrongState` for one that has not, or belongs to another run,
    and where something below does not stop. After a crash, a repeat erases the rest."""
    run = await access.run(run_id)
    if run.parent:
        raise WrongState(f"run {run_id!r} belongs to {run.parent.root!r}: erase that run, and it goes with it")
    if not run.terminal:
        raise WrongState(f"run {run_id!r} is {run.status}: cancel it first")
    store, give_up_at = access.services.store, access.now() + STOPPING
    tree = list[Run]()
    async for one in tree_of(store, run):  # what a run below it has begun is listed when that has ended
        await _stopped(access, one, give_up_at)
        tree.append(one)
    ids = {one.id for one in tree}
    entries = [entry for one in tree for entry in await _readable(store, one)]
    asks = {fact.ask.id for fact in e.facts(entries) if isinstance(fact, e.AskOpened)}
    published = _blobs(entries) | await _kept_aside(store, run.id)
    shared = await _elsewhere(store, ids, published)
    for sha256 in published - shared:
        await access.services.blobs.delete(sha256)
    files = access.engine.files.of(run.id).root
    await asyncio.to_thread(shutil.rmtree, files, ignore_errors=True)
    await access.engine.files.drop(run.id)  # after its blobs: until then a repeat finds which they are
    for ask in asks:
        await store.drop(ASK, ask)
    for post in await store.docs(POST, POSTS):  # on its way to somebody
        if post.body["root"] == run.id:
            await store.drop(POST, post.id)
    for one in reversed(tree):  # the run itself goes last: until then a repeat finds its steps
        await store.erase(one.id)
    left = [f"run {one.id}" for one in tree if await _there(store, one.id)]
    left += [f"question {ask}" for ask in asks if await store.doc(ASK, ask)]
    left += [f"blob {sha256}" for sha256 in published - shared if await access.services.blobs.has(sha256)]
    left += ["files"] if files.exists() else []
    return Erased(
        runs=tuple(one.id for one in tree),
        asks=len(asks),
        blobs=len(published - shared),
        shared_blobs=len(shared),
        leftovers=tuple(left),
        memories=sum(one.run in ids for one in await memories(access)),
    )


async def _stopped(access: Access, one: Run, give_up_at: datetime) -> None:
    """Back when the run has ended: a slice at work would write again what was erased. Raises `WrongState` if it does not in
    time."""
    if one.terminal:
        return
    try:
        with suppress(Corrupt):  # it never ends, and nobody works on it
            await ended(access, one.id, max(give_up_at - access.now(), timedelta()))
    except TimeoutError as error:
        raise WrongState(f"run {one.id!r} below it was told to stop and has not yet: erase it again in a minute") from error


async def _readable(store: Store, run: Run) -> Sequence[e.Entry]:
    """The journal; of one that is damaged, or whose old bytes the bucket has deleted, what of it can be read."""
    with suppress(Corrupt):
        return await store.journal(run.id)
    found = list[e.Entry]()
    for seq in range(run.seq):
        with suppress(Corrupt):
            found += await store.journal(run.id, after=seq, limit=1)
    return found


async def _elsewhere(store: Store, tree: set[str], blobs: set[str]) -> set[str]:
    """Which of these blobs other runs still use, of whatever owner; older versions of their files included."""
    if not blobs:
        return set()
    found, at_work = set[str](), set[str]()
    async for run in every_run(store, roots_only=False):
        if run.id not in tree:
            found |= await _used(store, run)
            at_work |= set() if run.terminal else {run.id}
    # Where there are many this has taken long: who was at work then, or has begun since, may have put the same bytes meanwhile.
    at_work |= {run.id async for run in every_run(store, status=UNDER_WAY, roots_only=False)}
    for one in at_work:
        with suppress(NotFound, Corrupt):
            found |= await _used(store, await store.get(one))
    return found & blobs


async def _used(store: Store, run: Run) -> set[str]:
    """The blobs of a run. A journal that cannot be read keeps nobody else's run from being erased."""
    found = set[str]()
    if await _has_published(store, run):
        found |= {one.sha256 for one in run.artifacts}
        with suppress(Corrupt):
            found |= _blobs(await store.journal(run.id))
    if run.parent is None:
        with suppress(Corrupt):
            found |= await _kept_aside(store, run.id)
    return found


async def _has_published(store: Store, run: Run) -> bool:
    """Whether the run has published anything. The list shows a run at work as of its last summary, so it is read itself."""
    with suppress(NotFound, Corrupt):  # erased meanwhile; or its journal says it
        run = run if run.terminal or run.artifacts else await store.get(run.id)
    return bool(run.artifacts)


def _blobs(entries: Sequence[e.Entry]) -> set[str]:
    """Blobs of everything these entries published or took over, and of the pictures that were looked at."""
    seen = [image for fact in e.facts(entries) if isinstance(fact, e.CallAnswered) for image in fact.images]
    return {one.sha256 for one in (*files_in(entries), *seen)}


async def _kept_aside(store: Store, root: str) -> set[str]:
    """Blobs of a tree's files, where they do not lie in a folder that stays."""
    changes = [msgspec.convert(doc.body, FileChanges) for doc in await store.docs(KIND, root)]
    return {state.sha256 for one in changes for state in one.files if state.sha256}


async def _there(store: Store, run: str) -> bool:
    try:
        await store.get(run)
    except NotFound:
        return bool(await store.journal(run, limit=1) or await store.inbox(run) or await store.docs(NOTE, run, limit=1))
    return True
