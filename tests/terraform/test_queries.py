"""Every query the store sends has its index. Production refuses one without; the emulator does not: no other test would see."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore_v1 import AsyncClient
from google.cloud.firestore_v1.base_aggregation import AggregationResult
from google.cloud.firestore_v1.types import StructuredAggregationQuery, StructuredQuery

from auteryn.adapters.embedded.blobs import FolderBlobs
from auteryn.adapters.gcp import erasing
from auteryn.adapters.gcp.database import Database
from auteryn.adapters.gcp.store import FirestoreStore
from auteryn.policy import cloud

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAME = "__name__"


@dataclass(frozen=True)
class Asked:
    """A query, as far as an index is concerned."""

    collection: str
    group: bool
    equal: frozenset[str]
    ordered: tuple[tuple[str, str], ...]
    """By which fields, the range's included; never by name, which ends every index."""


class Listening(Database):
    """Finds nothing, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__("a-project")
        self.asked = list[StructuredQuery]()
        self._offline = AsyncClient(project="a-project", credentials=AnonymousCredentials())

    @property
    def client(self) -> AsyncClient:
        return self._offline

    async def find(self, query: Any) -> list[Any]:
        found = query._to_protobuf()
        if isinstance(found, StructuredAggregationQuery):
            self.asked.append(found.structured_query)
            return [[AggregationResult("count", 0)]]
        self.asked.append(found)
        return []

    async def get(self, *path: str, fields: Sequence[str] | None = None) -> Any:
        return SimpleNamespace(exists=False)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> list[Asked]:
    database = Listening()
    store = FirestoreStore(database, FolderBlobs(tmp_path_factory.mktemp("blobs")))

    async def everything() -> None:
        for owner, status, parent, roots_only in product((None, "o"), (None, ("running",)), (None, "run_p"), (True, False)):
            await store.runs(owner=owner, status=status, parent=parent, roots_only=roots_only)
        await store.journal("run_1")
        await store.inbox("run_1")
        await store.docs("note", "run_1")
        await store.due(NOON)
        await store.count(owner="o", status=("running", "waiting"), most=9)
        await store.erase("run_1")
        await erasing._named(store.database, "note", "0" * 64)
        await store._unread_but("run_1", ("m_1",))

    asyncio.run(everything())
    return [understood(query) for query in database.asked]


def test_every_query_has_its_index(asked: list[Asked]) -> None:
    assert len(asked) >= 28
    assert [query for query in asked if not covered(query, cloud.INDEXES, cloud.FIELD_INDEXES)] == []


@pytest.mark.parametrize("number", range(len(cloud.INDEXES)))
def test_no_index_is_kept_for_nothing(number: int, asked: list[Asked]) -> None:
    others = [*cloud.INDEXES[:number], *cloud.INDEXES[number + 1 :]]
    saves_a_join = cloud.INDEXES[number].fields[:2] == (("owner", "ASCENDING"), ("parent", "ASCENDING"))

    assert saves_a_join or not all(covered(query, others, cloud.FIELD_INDEXES) for query in asked)


@pytest.mark.parametrize("number", range(len(cloud.FIELD_INDEXES)))
def test_no_field_index_is_kept_for_nothing(number: int, asked: list[Asked]) -> None:
    others = [*cloud.FIELD_INDEXES[:number], *cloud.FIELD_INDEXES[number + 1 :]]

    assert not all(covered(query, cloud.INDEXES, others) for query in asked)


def understood(query: StructuredQuery) -> Asked:
    source = query.from_[0]
    filters = list(query.where.composite_filter.filters) or ([query.where] if query.where else [])
    equal, ranges = set[str](), set[str]()
    for one in filters:
        if one.unary_filter.field.field_path:  # `is null`
            equal.add(one.unary_filter.field.field_path)
        elif one.field_filter.op.name in ("EQUAL", "IN"):
            equal.add(one.field_filter.field.field_path)
        else:
            ranges.add(one.field_filter.field.field_path)
    ordered = [(one.field.field_path, one.direction.name) for one in query.order_by if one.field.field_path != NAME]
    assert ranges <= {field for field, _ in ordered}
    return Asked(source.collection_id, source.all_descendants, frozenset(equal), tuple(ordered))


def covered(query: Asked, composite: Sequence[cloud.Index], single: Sequence[cloud.FieldIndex]) -> bool:
    """Firestore's rule: joined indexes of one order, or a single field's own."""
    fields = [*query.equal, *(field for field, _ in query.ordered)]
    if len(fields) <= 1 or not query.ordered:
        return all(_by_itself(query, field, single) for field in fields)
    joined = set[str]()
    for index in composite:
        head, tail = index.fields[: -len(query.ordered)], index.fields[-len(query.ordered) :]
        if not query.group and index.collection == query.collection and tail == query.ordered:
            own = {field for field, _ in head}
            joined |= own if own <= query.equal else set()
    return joined == query.equal


def _by_itself(query: Asked, field: str, single: Sequence[cloud.FieldIndex]) -> bool:
    if (query.collection, field) in cloud.UNINDEXED:
        return False
    scopes = next((one.scopes for one in single if (one.collection, one.field) == (query.collection, field)), ("COLLECTION",))
    return ("COLLECTION_GROUP" if query.group else "COLLECTION") in scopes
