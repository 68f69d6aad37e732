"""A tool call in a few words, for people."""

from __future__ import annotations

from typing import Any

LABELS = {
    "agent_spawn": "hand over {goal}",
    "artifact_publish": "publish {path}",
    "ask_approval": "ask for approval: {message}",
    "ask_input": "ask: {message}",
    "calculate": "calculate {expression}",
    "chart_create": "draw {path}",
    "data_profile": "profile {path}",
    "data_query": "query {sql}",
    "file_edit": "edit {path}",
    "file_find": "find {glob}",
    "file_grep": "search for {pattern}",
    "file_read": "read {path}",
    "file_write": "write {path}",
    "go_deep": "switch to DEEP",
    "memory_save": "remember {text}",
    "memory_search": "recall {query}",
    "note_read": "read notes {section}",
    "note_write": "note {section}: {text}",
    "notify": "notify: {message}",
    "plan_create": "plan {goal}",
    "plan_update": "revise the plan",
    "schedule": "every {every}: {instruction}",
    "sheet_create": "make {path}",
    "sheet_read": "read {path}",
    "site_read": "read page {page}",
    "tool_search": "look for tools: {query}",
    "wait": "wait {until}",
    "web_fetch": "fetch {url}",
    "web_search": "search the web for {query}",
}
LONGEST_VALUE = 160


def label(tool: str, args: dict[str, Any]) -> str:
    """`query SELECT …` for a tool we know, else `tool(name=value, …)`."""
    if wording := LABELS.get(tool):
        return " ".join(wording.format_map(_Shown(args)).split()).rstrip(" :")
    given = ", ".join(f"{name}={_short(value)}" for name, value in args.items())
    return f"{tool}({given})" if given else tool


class _Shown(dict[str, Any]):
    """Arguments by name; one that was not given is nothing."""

    def __missing__(self, name: str) -> str:
        return ""

    def __getitem__(self, name: str) -> str:
        return _short(super().__getitem__(name)) if name in self else ""


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
