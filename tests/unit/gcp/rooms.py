"""Firestore behind a network that can be told to fail."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from auteryn.adapters.embedded.blobs import FolderBlobs
from auteryn.adapters.gcp.database import Database
from auteryn.adapters.gcp.store import FirestoreStore
from auteryn.schema.record import new_id
from auteryn.testing.emulators.proxy import Proxy
from auteryn.testing.emulators.servers import FIRESTORE, host_of

HANG = 30
"""Seconds after which a test that waits for something that never comes is ended."""


@dataclass(frozen=True)
class Room:
    store: FirestoreStore
    network: Proxy
    blobs: FolderBlobs


@asynccontextmanager
async def room(
    folder: Path, *, patience: timedelta = timedelta(seconds=15), reply_seconds: float = HANG
) -> AsyncGenerator[Room]:
    """A store of an empty project; its client reaches the emulator through the network only.

    No reply is given up for lost because it is slow: calls are counted, and a busy emulator must not add to them.
    """
    before = os.environ.get("FIRESTORE_EMULATOR_HOST")
    async with Proxy(host_of(FIRESTORE)) as network:
        os.environ["FIRESTORE_EMULATOR_HOST"] = network.host
        blobs = FolderBlobs(folder / "blobs")
        database = Database(f"test-{new_id('p')[-12:]}", patience=patience, reply_seconds=reply_seconds)
        store = FirestoreStore(database, blobs)
        try:
            yield Room(store, network, blobs)
        finally:
            await store.close()
            os.environ.pop("FIRESTORE_EMULATOR_HOST")
            if before:
                os.environ["FIRESTORE_EMULATOR_HOST"] = before


def in_a_room(test: Callable[[Room], Awaitable[None]]) -> Callable[[Path], None]:
    """Turn `async def test(room)` into a test."""

    def run(tmp_path: Path) -> None:
        async def main() -> None:
            async with room(tmp_path) as opened:
                await asyncio.wait_for(test(opened), HANG)

        asyncio.run(main())

    run.__name__, run.__qualname__, run.__doc__ = test.__name__, test.__qualname__, test.__doc__
    return run
