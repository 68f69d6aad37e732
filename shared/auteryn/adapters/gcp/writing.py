"""One commit in the making: writes whose large bodies go to blobs first, so that no document and no batch is too big.

A body is stored as its JSON text, or as `{"blob": sha256}`. A commit that is refused afterwards leaves a blob nobody names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from auteryn.adapters.gcp.database import Database, Fields
from auteryn.errors import Corrupt, NotFound
from auteryn.ports.blobs import Blobs

INLINE_BYTES = 32_000
"""Larger bodies go to blobs (L8): a journal is read back at little cost, and no document comes near 1 MiB."""

COMMIT_BYTES = 3_000_000
"""A batch above this puts its largest bodies aside as well. The service takes 10 MiB, the emulator's transport 4 MiB."""

WRITE_BYTES = 700
"""What a write takes beside its bodies, about: path, names of fields, timestamps."""

SMALL_BYTES = 200
"""Bodies that are not worth a blob even in a batch that is too big."""

UPLOADS = 16
"""Blobs under way at one time."""


class Body:
    """JSON on its way into a document."""

    def __init__(self, json: bytes) -> None:
        self.json = json
        self.blob: str | None = None

    def value(self) -> Any:
        return {"blob": self.blob} if self.blob else self.json.decode()


class First:
    """A list that keeps the first body ever put into it in front; the same body put again changes nothing."""

    def __init__(self, body: Body) -> None:
        self.body = body


class Aside:
    """A list of all blobs in which a body has ever lain; nothing is added for one that lies in its document."""

    def __init__(self, body: Body) -> None:
        self.body = body


class AtLeast:
    """A number that never falls."""

    def __init__(self, value: int) -> None:
        self.value = value


class Writing:
    """Writes that become true together. `send` may be called once."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database, self._blobs = database, blobs
        self._writes: list[tuple[Callable[[Any, Any, Fields], None], tuple[str, ...], Fields]] = []
        self._bodies: list[Body] = []

    def body(self, json: bytes) -> Body:
        body = Body(json)
        self._bodies.append(body)
        return body

    def create(self, *path: str, fields: Fields) -> None:
        """The document must not exist."""
        self._writes.append((_create, path, fields))

    def update(self, *path: str, fields: Fields, seen: Any = None) -> None:
        """The document must exist, and (`seen`) be as it was written at that moment; other fields stay."""
        option = None if seen is None else self._database.client.write_option(last_update_time=seen)
        self._writes.append((partial(_update, option=option), path, fields))

    def require(self, *path: str) -> None:
        """The document must exist, and stays as it is."""
        from google.cloud.firestore_v1 import DELETE_FIELD

        self.update(*path, fields={"nothing": DELETE_FIELD})

    def merge(self, *path: str, fields: Fields) -> None:
        """Whether or not the document exists; other fields stay."""
        self._writes.append((_merge, path, fields))

    def put(self, *path: str, fields: Fields) -> None:
        """The document is this and nothing else."""
        self._writes.append((_put, path, fields))

    async def send(self) -> Sequence[Any]:
        """Everything is written, or nothing and one of `database.PRECONDITIONS` is raised. One result a write."""
        await self._put_aside(_too_big(self._bodies, len(self._writes)))
        return await self._database.commit(self._fill)

    def _fill(self, batch: Any) -> None:
        for write, path, fields in self._writes:
            values = {name: _value(value) for name, value in fields.items() if not _is_nothing(value)}
            write(batch, self._database.ref(*path), values)

    async def _put_aside(self, bodies: Sequence[Body]) -> None:
        gate = asyncio.Semaphore(UPLOADS)

        async def put(body: Body) -> None:
            async with gate:
                body.blob = await self._blobs.put(body.json)

        await asyncio.gather(*map(put, bodies))


async def read_body(stored: Any, blobs: Blobs, where: str) -> bytes:
    """The JSON of a stored body; raises `Corrupt` naming `where`."""
    match stored:
        case str():
            return stored.encode()
        case {"blob": str(sha256)}:
            try:
                return await blobs.get(sha256)
            except NotFound as error:
                raise Corrupt(f"{where} cannot be read: its blob {sha256!r} is gone") from error
        case _:
            raise Corrupt(f"{where} cannot be read: it has no body")


def blobs_of(fields: Fields) -> list[str]:
    """The blobs a document's bodies lie in, and those they lay in before: its own, nothing else names them."""
    bodies: list[Any] = [fields.get("body"), *fields.get("bodies", ())]
    now: list[str] = [body["blob"] for body in bodies if isinstance(body, dict)]
    return list(dict.fromkeys([*now, *fields.get("aside", ())]))


def _create(batch: Any, ref: Any, data: Fields) -> None:
    batch.create(ref, data)


def _update(batch: Any, ref: Any, data: Fields, *, option: Any) -> None:
    batch.update(ref, data, option)


def _merge(batch: Any, ref: Any, data: Fields) -> None:
    batch.set(ref, data, merge=True)


def _put(batch: Any, ref: Any, data: Fields) -> None:
    batch.set(ref, data)


def _too_big(bodies: Iterable[Body], writes: int) -> list[Body]:
    """Which bodies to put aside: the large ones, and the largest of the others until the batch fits."""
    aside, left = list[Body](), writes * WRITE_BYTES
    for body in sorted(bodies, key=lambda body: len(body.json)):
        fits = len(body.json) <= INLINE_BYTES and left + len(body.json) <= COMMIT_BYTES
        if fits or len(body.json) <= SMALL_BYTES:
            left += len(body.json)
        else:
            aside.append(body)
    return aside


def _is_nothing(value: Any) -> bool:
    return isinstance(value, Aside) and value.body.blob is None


def _value(value: Any) -> Any:
    """As Firestore's client takes it. All transforms may be sent twice: the second time they change nothing."""
    from google.cloud.firestore_v1 import ArrayUnion, Maximum

    match value:
        case Body():
            return value.value()
        case First():
            return ArrayUnion([value.body.value()])
        case Aside():
            return ArrayUnion([value.body.blob])
        case AtLeast():
            return Maximum(value.value)
        case _:
            return value
