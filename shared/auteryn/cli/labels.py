"""A tool call in a few words, for people."""

from __future__ import annotations

from typing import Any, cast

LABELS = {
    "agent_spawn": "hand over {goal}",
    "artifact_publish": "publish {path}",
    "ask_approval": "ask for approval: {message}",
    "ask_input": "ask: {message}",
    "calculate": "calculate {expression}",
    "calendar_create": "make {path}",
    "chart_create": "draw {path}",
    "data_profile": "profile {path}",
    "data_query": "query {sql}",
    "doc_read": "read {path}",
    "docx_create": "make {path}",
    "email_send": "mail {to}: {subject}",
    "file_delete": "delete {paths}",
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
    "pdf_create": "make {path}",
    "plan_create": "plan {goal}",
    "plan_update": "revise the plan",
    "python_run": "run Python: {code}",
    "schedule": "every {every}: {instruction}",
    "sheet_create": "make {path}",
    "sheet_read": "read {path}",
    "sheet_update": "change {path}",
    "shell_run": "run {command}",
    "site_read": "read page {page}",
    "slides_create": "make {path}",
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
    if isinstance(value, list):
        value = ", ".join(str(one) for one in cast("list[Any]", value))
    text = value if isinstance(value, str) else repr(value)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
