"""Tools that are shown from the start because of what the task says or brings; all others are found by `tool_search`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import PurePath

from auteryn.schema.record import Record

TABLES = frozenset({".csv", ".tsv", ".xlsx", ".xls", ".ods", ".json", ".jsonl", ".parquet"})
FOR_TABLES = ("data_profile", "data_query", "sheet_create", "chart_create", "artifact_publish")


class Profile(Record):
    """A kind of work, known by its words (a pattern of lower case)."""

    words: str
    tools: tuple[str, ...]


PROFILES = {
    "office": Profile(
        words=r"presentation|powerpoint|slides?\b|pptx|word document|docx|pdf|spreadsheet|excel|xlsx|workbook",
        tools=("doc_read", "docx_create", "slides_create", "sheet_create", "office_preview"),
    ),
    "research": Profile(
        words=r"research|competitors?\b|market|benchmark|survey|literature",
        tools=("web_crawl", "sheet_create", "chart_create", "slides_create"),
    ),
    "code": Profile(
        words=r"source code|repository|repo\b|bugs?\b|unit tests?|failing tests?|pull request|codebase",
        tools=("git", "shell_run", "code_check", "code_test", "patch_apply"),
    ),
    "monitor": Profile(
        words=r"monitor|keep an eye|every \d+ (?:minutes|hours|days)|price changes?",
        tools=("monitor_watch", "monitor_capture", "monitor_compare", "schedule"),
    ),
    "support": Profile(
        words=r"support|faq|help ?desk|knowledge base|customers? ask|tickets?\b",
        tools=("kb_search", "memory_search", "memory_save"),
    ),
    "communicate": Profile(
        words=r"e-?mails?\b|slack|confluence|calendar|invite",
        tools=("email_send", "slack_post", "confluence_read", "confluence_write", "calendar_create"),
    ),
}


def for_files(files: Sequence[str]) -> tuple[str, ...]:
    """Names for the files given with a task; the same for the whole life of the run."""
    return FOR_TABLES if any(PurePath(name).suffix.lower() in TABLES for name in files) else ()


def for_words(text: str) -> tuple[str, ...]:
    """Names for what a task says it is about; the same for the whole life of the run."""
    found = {match.lastgroup for match in _words().finditer(text.lower())}
    return tuple(dict.fromkeys(tool for name, one in PROFILES.items() if name in found for tool in one.tools))


@cache
def _words() -> re.Pattern[str]:
    """All of them at once: a long task is gone through one time."""
    kinds = "|".join(f"(?P<{name}>{one.words})" for name, one in PROFILES.items())
    return re.compile(rf"\b(?:{kinds})")
