"""Tools that are shown from the start because of what the task brings; all others are found by `tool_search`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

TABLES = frozenset({".csv", ".tsv", ".xlsx", ".xls", ".ods", ".json", ".jsonl", ".parquet"})
FOR_TABLES = ("data_profile", "data_query", "sheet_create", "chart_create")


def for_files(files: Sequence[str]) -> tuple[str, ...]:
    """Names for the files given with a task; the same for the whole life of the run."""
    return FOR_TABLES if any(PurePath(name).suffix.lower() in TABLES for name in files) else ()
