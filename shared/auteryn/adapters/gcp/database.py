"""The Firestore client of a process, made when it is first used: explicit time-outs, one place that tries again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from google.api_core.exceptions import AlreadyExists, FailedPrecondition, GoogleAPICallError, NotFound

from auteryn.adapters.gcp.clients import PerLoop
from auteryn.adapters.gcp.faults import CALL_SECONDS, PATIENCE, from_google, persist
from auteryn.errors import NotFound as Missing
from auteryn.errors import Unavailable

if TYPE_CHECKING:
    from google.cloud.firestore_v1 import AsyncClient

T = TypeVar("T")
Fields = dict[str, Any]

PRECONDITIONS = (AlreadyExists, FailedPrecondition, NotFound)
"""What a batch is refused with, whole, because a document is not as it should be."""

PAGE = 300
"""Documents a query brings at once: at 32 kB each some 10 MB, well inside one reply's time."""


class Database:
    """One database of one project. `host` leads its client to an emulator, as `FIRESTORE_EMULATOR_HOST` does.

    A reply that takes longer than `reply_seconds` counts as lost; a call is repeated as long as `patience` lasts.
    """

    def __init__(
        self,
        project: str,
        database: str = "(default)",
        *,
        patience: timedelta = PATIENCE,
        reply_seconds: float = CALL_SECONDS,
        host: str | None = None,
    ) -> None:
        self.project, self.name, self._patience, self._host = project, database, patience, host
        self._reply_seconds = reply_seconds
        self._clients: PerLoop[AsyncClient] = PerLoop(self._connect, _disconnect)

    @property
    def client(self) -> AsyncClient:
        return self._clients.get()

    def ref(self, *path: str) -> Any:
        """The document at `collection, id, collection, id …`."""
        return self.client.document(*path)

    async def commit(self, fill: Callable[[Any], object]) -> Sequence[Any]:
        """Send one batch, again if its reply is lost; raises Google's own errors for preconditions that do not hold.

        After a lost reply the repeat meets its own traces: the caller tells them from another writer's.
        """
        batch = self.client.batch()
        fill(batch)
        return await self.calling(lambda: batch.commit(retry=None, timeout=self._reply_seconds), raw=PRECONDITIONS)

    async def get(self, *path: str, fields: Sequence[str] | None = None) -> Any:
        """A snapshot, which may say that there is nothing."""
        ref = self.ref(*path)
        return await self.calling(lambda: ref.get(field_paths=fields, retry=None, timeout=self._reply_seconds))

    async def get_all(self, refs: Sequence[Any]) -> list[Any]:
        """Snapshots of these documents, in any order, with one request."""

        async def read() -> list[Any]:
            return [snapshot async for snapshot in self.client.get_all(list(refs), retry=None, timeout=self._reply_seconds)]

        return await self.calling(read) if refs else []

    async def find(self, query: Any) -> list[Any]:
        """All a query finds, with one request."""
        return await self.calling(lambda: query.get(retry=None, timeout=self._reply_seconds))

    async def pages(self, query: Any, limit: int | None = None) -> AsyncIterator[list[Any]]:
        """What an ordered query finds, page by page, at most `limit` in all."""
        left = limit
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            page = await self.find(query.limit(size))
            if page:
                yield page
            if len(page) < size:
                return
            query, left = query.start_after(page[-1]), None if left is None else left - size

    async def calling(self, call: Callable[[], Awaitable[T]], *, raw: tuple[type[Exception], ...] = ()) -> T:
        try:
            return await persist(call, self._patience)
        except raw:
            raise
        except GoogleAPICallError as error:
            known = from_google(error, f"Firestore database {self.name!r} of project {self.project!r}")
            # A document that is not there is found out otherwise: this is the database.
            raise (Unavailable(str(known)) if isinstance(known, Missing) else known) from error

    async def close(self) -> None:
        await self._clients.close()

    def _connect(self) -> AsyncClient:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud.firestore_v1 import AsyncClient

        if self._host is None:
            return AsyncClient(project=self.project, database=self.name)
        client: Any = AsyncClient(project=self.project, database=self.name, credentials=AnonymousCredentials())
        client._emulator_host = self._host  # what its variable sets; two processes' worth of clients may live in one
        return client


async def _disconnect(client: AsyncClient) -> None:
    api: Any = client._firestore_api  # pyright: ignore[reportPrivateUsage] - its own `close` leaves the channel open
    await api.transport.close()


def where(query: Any, field: str, relation: str, value: Any) -> Any:
    """The query, narrowed."""
    from google.cloud.firestore_v1.base_query import FieldFilter

    return query.where(filter=FieldFilter(field, relation, value))
