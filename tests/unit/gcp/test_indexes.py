"""Every query the store sends is covered by an index it names: the emulator would answer it anyway."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from google.cloud.firestore_v1.types import RunQueryRequest, StructuredQuery

from auteryn.adapters.gcp.indexes import ACROSS_RUNS, COMPOSITE, UNINDEXED
from auteryn.schema.change import Doc, Send
from conformance.samples import NOON, change, message, newborn
from unit.gcp.rooms import Room, in_a_room

DIRECTIONS = {StructuredQuery.Direction.ASCENDING: "ASCENDING", StructuredQuery.Direction.DESCENDING: "DESCENDING"}


async def everything(room: Room) -> None:
    """Each question a store can be asked, with every choice of conditions."""
    store = room.store
    run = await store.create(newborn(wake_at=NOON))
    await store.send(run.id, message())
    await store.put(Doc(kind="note", id="n", scope="s", body=1, at=NOON))
    await store.commit(change(run, sends=(Send(run=run.id, message=message()),)))
    await store.get(run.id)
    await store.journal(run.id, after=1, limit=5)
    await store.inbox(run.id)
    await store.due(NOON + timedelta(days=1))
    await store.docs("note", "s", limit=2)
    for owner, status, parent, roots in product((None, "ann"), (None, ["failed", "completed"]), (None, run.id), (True, False)):
        page = await store.runs(owner=owner, status=status, parent=parent, roots_only=roots, limit=1)  # pyright: ignore[reportArgumentType]
        await store.runs(owner=owner, status=status, parent=parent, roots_only=roots, cursor=page.next)  # pyright: ignore[reportArgumentType]


@in_a_room
async def test_every_query_has_its_index(room: Room) -> None:
    """Equalities one by one with the order, or an index that every field has."""
    room.network.listening = True
    await everything(room)

    queries = [
        RunQueryRequest.deserialize(said).structured_query for method, said in room.network.heard if method == "RunQuery"
    ]
    assert len(queries) >= 30
    for query in queries:
        missing = [index for index in needed(query) if not exists(*index)]
        assert not missing, f"no index {missing} for {query}"


Index = tuple[str, bool, tuple[tuple[str, str], ...]]
"""Collection, whether across all of that name, and fields."""


def needed(query: Any) -> list[Index]:
    source = query.from_[0]
    equal = [name for name, relation in conditions(query) if relation in ("EQUAL", "IN", "IS_NULL")]
    orders = [(order.field.field_path, DIRECTIONS[order.direction]) for order in query.order_by]
    orders = [one for one in orders if one[0] != "__name__"]
    fields = [((name, "ASCENDING"), *orders) for name in equal] or [tuple(orders)]
    return [(source.collection_id, source.all_descendants, tuple(one)) for one in fields if one]


def conditions(query: Any) -> list[tuple[str, str]]:
    """Field and relation of every condition."""
    where = query.where
    parts = where.composite_filter.filters if "composite_filter" in where else [where]
    out = list[tuple[str, str]]()
    for part in parts:
        if "field_filter" in part:
            out.append((part.field_filter.field.field_path, part.field_filter.op.name))
        elif "unary_filter" in part:
            out.append((part.unary_filter.field.field_path, part.unary_filter.op.name))
    return out


def exists(collection: str, across: bool, fields: tuple[tuple[str, str], ...]) -> bool:
    if len(fields) > 1:
        return (collection, fields) in COMPOSITE
    name = fields[0][0]
    return (collection, name) in ACROSS_RUNS if across else (collection, name) not in UNINDEXED


@pytest.mark.parametrize("index", COMPOSITE, ids=str)
def test_no_field_of_an_index_is_a_body(index: tuple[str, tuple[tuple[str, str], ...]]) -> None:
    """A body of 32 kB in an index would be refused."""
    collection, fields = index
    assert not {(collection, name) for name, _ in fields} & {("runs", "body"), ("docs", "body"), ("journal", "body")}
