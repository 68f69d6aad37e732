"""DuckDB's complaints, for a model: short, without our paths, with what it needs to do better."""

from __future__ import annotations

import errno
import os
import re
from itertools import islice
from pathlib import PurePath
from typing import TYPE_CHECKING

from auteryn.errors import AuterynError, DiskFull, ToolFailed
from auteryn.tools.jail import cleaned
from auteryn.tools.tables.casts import cast_hint
from auteryn.tools.tables.words import identifier, literal
from auteryn.tools.workspace import Workspace

if TYPE_CHECKING:
    from auteryn.tools.tables.database import Tables

_LONGEST = 500
_LOOKED_AT, _LISTED = 1_000, 20
_COLUMNS = 60
_SAMPLE = 200


def explained(error: Exception, sql: str, tables: Tables) -> AuterynError:
    """The failure to tell: its kind by what DuckDB objects to, its text with the known columns and how to cast."""
    told = _short(str(error), tables.real)
    match type(error).__name__:
        case "IOException" if os.strerror(errno.ENOSPC) in told:
            return DiskFull("no space left on the run's disk while the result was written: remove or publish large files")
        case "PermissionException":
            return _not_reached(told, tables)
        case "OutOfMemoryException":
            return ToolFailed(
                "too_large",
                f"the query needs too much memory: filter or aggregate earlier, and name the columns you need. {told}",
            )
        case _ if "configuration has been locked" in told:
            return ToolFailed("denied", told)
        case _:
            return ToolFailed("invalid", "\n".join([told, *_advice(sql, told, tables)]))


def _not_reached(told: str, tables: Tables) -> ToolFailed:
    """A file that is missing, named without quotes, or none of ours."""
    path = re.search(r'file "([^"]*)"', told)
    try:
        name = cleaned(path[1]) if path and "://" not in path[1] else ""
    except ToolFailed:
        name = ""
    if not name:
        return ToolFailed("denied", f"{told} (SQL reads only the workspace's table files)")
    if tables.files.exists(name):
        return ToolFailed("denied", f"{name!r} is not read this way: give it in files, or quote it as in FROM 'sales.csv'")
    there = there_are(tables.files, tables.kinds)
    listed = f"; there are {in_a_line(there)}" if there else ""
    return ToolFailed("not_found", f"no file {name!r} is in the workspace{listed}")


def there_are(files: Workspace, kinds: tuple[str, ...]) -> list[str]:
    """The workspace's table files."""
    return [file.path for file in islice(files.walk(), _LOOKED_AT) if file.path.lower().endswith(kinds)]


def in_a_line(paths: list[str]) -> str:
    """The first of them, or that there are none."""
    return ", ".join(map(repr, paths[:_LISTED])) or "none"


def _short(message: str, real: dict[str, str]) -> str:
    """The first paragraph and what DuckDB suggests; no list of functions, no stack."""
    for path, shown in real.items():
        message = message.replace(path, shown)
    head = message.split("\n\n", 1)[0]
    head = re.sub(r'\nDid you mean "(?:sqlite|pg|duckdb|information_schema)\w*"\?', "", head)  # its own tables
    head = re.split(r"\n\s*(?:Candidate functions|Possible (?:fixes|solutions?))", head, flags=re.IGNORECASE)[0]
    return head.strip()[:_LONGEST]


def _advice(sql: str, told: str, tables: Tables) -> list[str]:
    lines = list[str]()
    there = there_are(tables.files, tables.kinds)
    if (missing := re.search(r"Table with name (.+?) does not exist", told)) and there:
        path = next((path for path in there if PurePath(path).stem.lower() == missing[1].lower()), there[0])
        lines.append(f"A file is a table by its name in quotes: FROM {literal(path)}")
    if (column := re.search(r'Referenced column "(.+?)" not found', told)) and f'"{column[1]}"' in sql:
        lines.append(f"Text is in single quotes: {literal(column[1])}")
    if not tables.sources:
        lines.append(f"Table files here: {in_a_line(there)}")
    for source in tables.sources:
        try:
            columns = tables.columns(source.alias)
        except ToolFailed:
            continue  # the table itself is what cannot be read
        listed = ", ".join(f"{identifier(name)} {kind}" for name, kind in columns[:_COLUMNS])
        more = f", and {len(columns) - _COLUMNS} more" if len(columns) > _COLUMNS else ""
        lines.append(f"Known columns of {identifier(source.alias)}: {listed}{more}")
        lines += source.notes
        if re.search(r"cast|convert|VARCHAR", told, re.IGNORECASE):
            lines += _casts(sql, source.alias, [name for name, kind in columns if kind == "VARCHAR"], tables)
    return lines


def _casts(sql: str, alias: str, texts: list[str], tables: Tables) -> list[str]:
    """How the text columns that the query mentions become numbers."""
    hints = list[str]()
    for name in (name for name in texts if name.lower() in sql.lower()):
        try:
            rows = tables.run(f"SELECT {identifier(name)} FROM {identifier(alias)} LIMIT {_SAMPLE}").fetchall()
        except ToolFailed:
            return hints
        if hint := cast_hint(name, [value for (value,) in rows if value is not None]):
            hints.append(f"{identifier(name)} holds {hint}")
    return hints
