"""Stored documents as the records they hold. What cannot be read raises `Corrupt`, which names the place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auteryn.adapters.gcp.database import Database, Fields
from auteryn.adapters.gcp.names import plain
from auteryn.adapters.gcp.writing import read_body
from auteryn.ports.blobs import Blobs
from auteryn.schema.change import Doc
from auteryn.schema.event import Entry
from auteryn.schema.inbox import AnyMessage
from auteryn.schema.record import from_json
from auteryn.schema.run import Run
from auteryn.schema.versions import read_entry, read_run


class Reading:
    """Of one database, and of the bodies that were put aside for it."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database, self._blobs = database, blobs

    async def entry(self, document: Any, run: str) -> Entry:
        place = self._where(f"journal entry {int(document.id)} of run {run!r}")
        return read_entry(await read_body(document.to_dict().get("body"), self._blobs, place), where=place)

    async def summary(self, fields: Mapping[str, Any], run: str) -> Run:
        place = self._where(f"the summary of run {run!r}")
        return read_run(await read_body(fields.get("body"), self._blobs, place), where=place)

    async def message(self, document: Any, run: str) -> AnyMessage:
        bodies = document.to_dict().get("bodies") or [None]
        return await self._read(bodies[0], AnyMessage, self._where(f"message {document.id!r} of run {run!r}"))

    async def doc(self, fields: Fields) -> Doc:
        kind, doc_id = fields["kind"], fields["id"]
        body = await self._read(fields.get("body"), Any, self._where(f"document {doc_id!r} of kind {kind!r}"))
        return Doc(kind=kind, id=doc_id, scope=fields["scope"], at=plain(fields["at"]), body=body)

    async def _read(self, stored: Any, shape: Any, place: str) -> Any:
        return from_json(await read_body(stored, self._blobs, place), shape, where=place)

    def _where(self, what: str) -> str:
        return f"{what} in Firestore database {self._database.name!r} of project {self._database.project!r}"
