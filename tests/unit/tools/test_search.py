"""Tools are found by what people want to do."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from auteryn.schema.run import Parent
from auteryn.tools.search import about, rank, tool_search
from unit.tools.room import Room

WANTED = [
    ("read a file", "file_read"),
    ("show me the lines of the log", "file_read"),
    ("save text to a new file", "file_write"),
    ("replace a word in a file", "file_edit"),
    ("find files by name", "file_find"),
    ("search for a word in all files", "file_grep"),
    ("rename a file", "file_move"),
    ("copy a folder", "file_move"),
    ("delete old files", "file_delete"),
    ("unpack a zip", "archive"),
    ("compress the results into an archive", "archive"),
    ("write down a finding in the scratchpad", "note_write"),
    ("read my notes", "note_read"),
    ("remember this preference for later tasks", "memory_save"),
    ("what was remembered earlier", "memory_search"),
    ("split the task into steps", "plan_create"),
    ("change the plan", "plan_update"),
    ("get approval from a person", "ask_approval"),
    ("ask the user a question", "ask_input"),
    ("tell the owner about progress", "notify"),
    ("wait until tomorrow", "wait"),
    ("sleep six hours", "wait"),
    ("repeat this every six hours", "schedule"),
    ("run it daily", "schedule"),
    ("hand over the finished report", "artifact_publish"),
    ("percentages and dates arithmetic", "calculate"),
    ("time zones", "calculate"),
    ("pick values out of json", "json_query"),
    ("ask a csv questions in sql", "data_query"),
    ("what columns does this table have", "data_profile"),
    ("make an excel workbook", "sheet_create"),
    ("read a spreadsheet", "sheet_read"),
    ("draw a bar chart", "chart_create"),
    ("go deep", "go_deep"),
    ("find more tools", "tool_search"),
]


@pytest.mark.tool("tool_search", "happy")
@pytest.mark.parametrize(("phrase", "name"), WANTED, ids=[name + ": " + phrase for phrase, name in WANTED])
def test_the_right_tool_is_among_the_first_three(room: Room, phrase: str, name: str) -> None:
    room.run = replace(room.run, mode="fast")  # a DEEP run has no need of go_deep
    found = room.call(tool_search, query=phrase).output["tools"]
    assert name in [one["name"] for one in found[:3]]


def test_found_tools_are_shown_from_then_on(room: Room) -> None:
    found = room.call(tool_search, query="delete files").output["tools"]
    assert room.context and room.context.shown == {one["name"] for one in found}
    declared = [one.name for one in room.registry.declared("fast", [one["name"] for one in found])]
    assert "file_delete" in declared
    assert declared[: len(room.registry.declared("fast"))] == [one.name for one in room.registry.declared("fast")]


def test_what_a_run_never_sees_is_not_found_either(room: Room) -> None:
    def found(query: str) -> list[str]:
        return [one["name"] for one in room.call(tool_search, query=query).output["tools"]]

    assert "go_deep" not in found("go_deep: more thinking") and "plan_create" in found("plan_create steps")
    room.run = replace(room.run, mode="fast")
    assert "go_deep" in found("go_deep: more thinking")
    room.run = replace(room.run, parent=Parent(run="run_0", root="run_0", kind="step", key=1))
    assert not {"plan_create", "agent_spawn", "go_deep"} & {*found("plan_create steps"), *found("go_deep: more thinking")}


def test_each_comes_with_one_line(room: Room) -> None:
    for one in room.call(tool_search, query="files").output["tools"]:
        assert one["about"] and "\n" not in one["about"] and len(one["about"]) < 160
    assert about(tool_search) == "Find more tools by what they do."


@pytest.mark.tool("tool_search", "failure")
def test_nonsense_finds_nothing(room: Room) -> None:
    assert room.call(tool_search, query="zxcv qwrt").output == {"tools": []}
    assert room.refusal(tool_search, query="").kind == "invalid"


def test_the_rarer_word_counts_more_and_no_text_without_a_word_is_found() -> None:
    texts = {"a": "file file file", "b": "file invoice", "c": "nothing of it"}
    assert rank("file invoice", texts) == ["b", "a"]
    assert rank("", texts) == [] and rank("x", {}) == []


def test_words_are_found_in_other_forms_and_scripts() -> None:
    assert rank("analysing competitors", {"a": "analyse a competitor"}) == ["a"]
    assert rank("竞争对手", {"a": "分析竞争对手", "b": "天气"}) == ["a"]
