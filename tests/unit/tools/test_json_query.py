"""Values out of JSON, from a file or a text."""

from __future__ import annotations

import pytest

from auteryn.tools.json_query import json_query
from unit.tools.room import Room

SHOP = '{"items": [{"name": "a", "price": 5}, {"name": "b", "price": 15}]}'


@pytest.mark.tool("json_query", "happy")
@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("items[?price > `10`].name", ["b"]),
        ("items[].price | sum(@)", 20),
        ("items[0]", {"name": "a", "price": 5}),
        ("nothing.there", None),
    ],
)
def test_a_file_and_a_text_give_the_same(room: Room, expression: str, result: object) -> None:
    room.put("shop.json", SHOP)
    assert room.call(json_query, source="shop.json", expression=expression) == {"result": result}
    assert room.call(json_query, source=SHOP, expression=expression) == {"result": result}


def test_lines_of_json_are_a_list(room: Room) -> None:
    room.put("a.jsonl", '{"n": 1}\n\n{"n": 2}\n')
    assert room.call(json_query, source="a.jsonl", expression="[].n") == {"result": [1, 2]}


@pytest.mark.tool("json_query", "failure")
@pytest.mark.parametrize(
    ("source", "expression", "kind"),
    [
        (SHOP, "items[", "invalid"),
        (SHOP, "sum(items)", "invalid"),
        (SHOP, "nofunction(@)", "invalid"),
        (SHOP, "", "invalid"),
        ('{"a": ', "a", "invalid"),
        ("[" * 100_000, "a", "invalid"),
        ("none.json", "a", "not_found"),
        ("../secret.json", "a", "denied"),
    ],
)
def test_what_cannot_be_queried_is_said_so(room: Room, source: str, expression: str, kind: str) -> None:
    assert room.refusal(json_query, source=source, expression=expression).kind == kind


def test_a_file_that_is_no_json_is_named(room: Room) -> None:
    room.put("a.json", b"\xff\xfe{")
    assert "'a.json' is no JSON" in str(room.refusal(json_query, source="a.json", expression="a"))


def test_a_mark_at_the_beginning_and_an_ending_in_capitals_change_nothing(room: Room) -> None:
    room.put("a.json", b'\xef\xbb\xbf{"a": 1}')
    room.put("A.JSONL", b'\xef\xbb\xbf{"a": 1}\n{"a": 2}\n')
    assert room.call(json_query, source="a.json", expression="a") == {"result": 1}
    assert room.call(json_query, source="A.JSONL", expression="[].a") == {"result": [1, 2]}
