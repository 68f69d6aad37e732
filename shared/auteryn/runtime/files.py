"""Where the files of a tree are while a slice works on them: at home they lie in a folder, and that is all."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from auteryn.agent.thread import Thread
from auteryn.errors import Invalid
from auteryn.schema.change import Doc
from auteryn.schema.event import AnyEvent, CallAnswered, CallSuspended
from auteryn.schema.record import derived_id
from auteryn.schema.run import Run
from auteryn.tools.hidden import PutAway
from auteryn.tools.workspace import Workspace


class Files:
    """Folders that stay: one for each tree, shared by its slices."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, root: str) -> Workspace:
        """The folder of a tree on this machine. Raises `Invalid` for what names no folder of its own."""
        return Workspace(_folder_of(self.folder, root))

    async def begin(self, run: Run, keys: Collection[str] = ()) -> Workspace:
        """The tree's files as they are, for one slice. `keys`: of the calls that are open."""
        return self.of(run.root)

    async def news(self, run: Run, files: Workspace) -> None:
        """Take over what other slices of the tree have committed since."""

    async def changed(self, run: Run, files: Workspace, keys: Collection[str], now: datetime) -> tuple[Doc, ...]:
        """What the slice's next commit must hold. `keys`: of calls that will still be open after it."""
        return ()

    def at_rest(self, files: Workspace) -> bool:
        """Whether there is nothing to `end`."""
        return not files.half_made()

    async def end(self, files: Workspace) -> None:
        """The slice is over: remove what broken-off calls left half-made."""
        if not self.at_rest(files):
            await asyncio.to_thread(files.sweep)

    async def given(self, root: str, write: Callable[[Workspace], None], now: datetime) -> None:
        """Let `write` put files into a tree's workspace before its first slice."""
        await asyncio.to_thread(write, self.of(root))

    async def copied(self, old: str, new: str, now: datetime) -> None:
        """The tree `new` begins with the files of `old`."""
        await asyncio.to_thread(_copy, self.of(old), self.of(new))

    async def drop(self, root: str) -> None:
        """Remove a tree's files, because its creation failed or it is erased."""
        await asyncio.to_thread(self.of(root).remove)


@lru_cache(maxsize=1_000)
def _folder_of(folder: Path, root: str) -> Path:
    if "/" in root or "\\" in root or not root.strip("."):
        raise Invalid("run", root, "is no name a run can have")
    return folder / root


def open_keys(thread: Thread, events: Iterable[AnyEvent]) -> list[str]:
    """Keys of the calls that have no answer even after these events: by its key a repeat finds that it was done."""
    answered = {event.call for event in events if isinstance(event, CallAnswered)}
    return [derived_id("key", thread.run, call.id) for call in thread.open_calls if call.id not in answered]


def touches_files(events: Iterable[AnyEvent]) -> bool:
    return not _TOUCHING.isdisjoint(map(type, events))


_TOUCHING = frozenset[type]({CallAnswered, CallSuspended})


def _copy(old: Workspace, new: Workspace) -> None:
    from shutil import copyfileobj  # here: only forks want it, and what it brings along

    if not old.root.exists():
        return
    for away in old.all_away():
        new.mark_away(away)
    for found in old.walk(skip=frozenset()):
        with suppress(PutAway), old.reading(found.path) as file, new.path_to_write(found.path) as aside:
            at = os.fstat(file.fileno())
            with aside.open("xb") as copy:
                copyfileobj(file, copy)
            aside.chmod(0o755 if at.st_mode & 0o100 else 0o644)
            os.utime(aside, ns=(at.st_mtime_ns, at.st_mtime_ns))
