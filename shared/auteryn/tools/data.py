"""Look at a table, and ask it questions in SQL."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, cast
from uuid import UUID

import msgspec

from auteryn.errors import ToolFailed
from auteryn.policy.limits import OUTPUT_CAP
from auteryn.schema.record import to_json
from auteryn.tools.leash import Leash, in_thread
from auteryn.tools.needs import no_duckdb
from auteryn.tools.tables.casts import cast_hint, spelling_hint
from auteryn.tools.tables.database import Answer, Source, Tables, opened
from auteryn.tools.tables.words import identifier
from auteryn.tools.tool import ToolContext, tool
from auteryn.tools.workspace import Workspace

MOST_ROWS = 10_000
LONGEST_TEXT = 10_000
"""Characters of one value in an answer."""
EXACT_ROWS = 2_000_000
"""Beyond it distinct counts and quantiles are estimates, in constant memory."""
COLUMNS_A_PASS, CELLS_A_PASS = 50, 4_000_000
"""What is counted exactly at once: 200 columns of 50 rows, or 8 of 2M, are more than the database's memory."""
PROFILED = 400
"""Columns that are described: each group of them is a pass over the file, and a model reads no 10,000."""
TOP = 5
TOP_DISTINCT = 10_000
"""Columns with more different values have no top list: it would name ids."""
SAMPLE = 1_000
"""Rows that text is judged by."""

_EXACT_INT = 1 << 53
_FORMS = {".csv": "FORMAT csv, HEADER", ".parquet": "FORMAT parquet", ".jsonl": "FORMAT json"}


@tool(reads_files=True, effect="read", group="data", missing=no_duckdb)
async def data_profile(
    ctx: ToolContext,
    path: Annotated[
        str,
        "A csv, tsv, json, jsonl, parquet, xlsx, xls or ods file; 'book.xlsx#Sheet2' names a sheet, '…#Sheet2!A5:D9' a part",
    ],
) -> dict[str, Any]:
    """What is in a table file: rows, columns with types, empty cells, distinct values, smallest, largest, quartiles, frequent
    values, some rows, and how to turn text such as "$1,200" into numbers. Look here before data_query."""
    return await in_thread(lambda leash: _profile(ctx.files, path, leash))


@tool(
    reads_files=True,
    effect="idempotent",
    group="data",
    missing=no_duckdb,
    serial=lambda args: str(args["save_as"]) if args.get("save_as") else None,
)
async def data_query(
    ctx: ToolContext,
    sql: Annotated[str, "DuckDB SQL; files of the workspace are tables: FROM 'sales.csv', or the names given in files"],
    files: Annotated[dict[str, str] | None, 'Table names for files: {"t": "sales.csv"}'] = None,
    save_as: Annotated[str | None, "Write all rows to this .csv, .parquet or .jsonl file as well"] = None,
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_ROWS), "Most rows in the answer"] = 100,
) -> dict[str, Any]:
    """Ask table files in SQL (DuckDB): filter, join, aggregate, windows, pivot. Reads csv, tsv, json, jsonl, parquet, xlsx."""
    return await in_thread(lambda leash: _query(ctx.files, sql, files or {}, save_as, limit, leash))


# ---- query ---------------------------------------------------------------------------------------------------


def _query(
    files: Workspace, sql: str, aliases: Mapping[str, str], save_as: str | None, limit: int, leash: Leash
) -> dict[str, Any]:
    if save_as is not None:
        return _saved(files, sql, aliases, save_as, limit, leash)
    with opened(files, leash, sql=sql, aliases=aliases) as (tables, rewritten):
        return _told(tables.ask(rewritten, limit), tables.sources)


def _saved(files: Workspace, sql: str, aliases: Mapping[str, str], save_as: str, limit: int, leash: Leash) -> dict[str, Any]:
    """The whole result as a file, its first rows as the answer: read back from the file."""
    form = next((form for suffix, form in _FORMS.items() if save_as.lower().endswith(suffix)), None)
    if form is None:
        raise ToolFailed("unsupported", f"save_as: {save_as!r} must end in {', '.join(_FORMS)} (sheet_create makes xlsx)")
    with files.path_to_write(save_as) as to:
        with opened(files, leash, sql=sql, aliases=aliases, save_to=to) as (tables, rewritten):
            count, sources, counted = tables.save(rewritten, to, form), tables.sources, tables.notes
        leash.check()
    with opened(files, leash, aliases={"saved": save_as}) as (tables, _):
        answer = tables.ask("SELECT * FROM saved", limit) if count else Answer(_names(tables), [], 0, truncated=False)
    answer.row_count, answer.notes = count, counted
    return _told(answer, sources) | {"saved_as": save_as, "size_bytes": files.stat(save_as).size_bytes}


def _names(tables: Tables) -> list[str]:
    return [] if tables.sources[0].blank else [name for name, _ in tables.columns("saved")]


def _told(answer: Answer, sources: Sequence[Source]) -> dict[str, Any]:
    notes = [*(note for source in sources for note in source.notes), *answer.notes]
    told: dict[str, Any] = {
        "columns": answer.columns,
        "rows": [[plain(value) for value in row] for row in answer.rows],
        "row_count": answer.row_count,
        "truncated": answer.truncated,
    }
    return told | ({"notes": notes} if notes else {})


def plain(value: Any) -> Any:
    """The value as JSON: numbers stay numbers where they are exact, all else is text."""
    match value:
        case None | bool():
            return value
        case str():
            return value if len(value) <= LONGEST_TEXT else f"{value[:LONGEST_TEXT]}… ({len(value):,} characters)"
        case int():
            return value if abs(value) <= _EXACT_INT else str(value)
        case float():
            return value if math.isfinite(value) else {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
        case Decimal():
            return _plain_decimal(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta() | UUID():
            return str(value)
        case bytes():
            return value[:LONGEST_TEXT].hex()
        case dict():
            return {str(plain(key)): plain(one) for key, one in cast("dict[Any, Any]", value).items()}
        case list() | tuple() | set():
            return [plain(one) for one in cast("Iterable[Any]", value)]
        case _:
            return str(value)


def _plain_decimal(value: Decimal) -> Any:
    """A float only where it says the same: cents of large sums are not rounded away."""
    if not value.is_finite():
        return str(value)
    if value == value.to_integral_value():
        return plain(int(value))
    return float(value) if Decimal(repr(float(value))) == value else str(value)


# ---- profile -------------------------------------------------------------------------------------------------


def _profile(files: Workspace, path: str, leash: Leash) -> dict[str, Any]:
    with opened(files, leash, aliases={"t": path}) as (tables, _):
        source = tables.sources[0]
        columns = [] if source.blank else tables.columns("t")
        row_count = tables.one("SELECT count(*) FROM t")[0]
        picked = columns[:PROFILED]
        some = ", ".join(identifier(name) for name, _ in picked)
        sample = tables.ask(f"SELECT {some} FROM t LIMIT {SAMPLE}", SAMPLE).rows if picked else []
        table = "t"
        if len(columns) > len(picked) and row_count * PROFILED <= CELLS_A_PASS:
            table = "t_picked"  # every pass over the file parses all its columns
            tables.run(f"CREATE TABLE {table} AS SELECT {some} FROM t")
        described = _described(tables, table, picked, row_count)
    last = [column.pop("last") for column in described]
    notes = [*source.notes, *_total(described, last, row_count)]
    for at, column in enumerate(described):
        texts = [row[at] for row in sample if isinstance(row[at], str)] if column["type"] == "VARCHAR" else []
        name = column["name"]
        hint = cast_hint(name, texts) or spelling_hint(name, texts) or _way_in(name, column["type"])
        column |= {"hint": hint} if hint else {}
    if row_count > EXACT_ROWS:
        notes.append(f"distinct and quartiles are estimates: there are more than {EXACT_ROWS:,} rows")
    if len(columns) > len(picked):
        notes.append(f"described are the first {PROFILED} of {len(columns):,} columns: name those you need in data_query")
    told = {
        "columns": described,
        "sample": [[plain(value) for value in row] for row in sample[:TOP]],
        **({"last_row": [plain(value) for value in last]} if row_count > TOP else {}),
        **({"notes": notes} if notes else {}),
    }
    names = ", ".join(f"{name} {kind}" for name, kind in columns)
    return {
        "path": path,
        "size_bytes": files.stat(path.partition("#")[0]).size_bytes,
        "row_count": row_count,
        "column_count": len(columns),
        # of an answer that is cut the model sees the first part: it must know all names
        **({"names": names} if len(to_json(told)) > OUTPUT_CAP else {}),
        **told,
    }


def _way_in(name: str, kind: str) -> str | None:
    """How objects in a column become columns and rows, and durations and values of several kinds numbers."""
    if kind == "JSON":
        it = identifier(name)
        return f"values of several kinds: numbers are TRY_CAST({it} AS DOUBLE), text is {it}->>'$', a field {it}->>'name'"
    if kind == "INTERVAL":
        return f"durations: sum(epoch({identifier(name)})) is seconds"
    if kind.startswith("STRUCT") and kind.endswith("[]"):
        return f"lists of objects: a row each with SELECT unnest({identifier(name)}, recursive := true) FROM …"
    return f"objects: their fields are {identifier(name)}.name" if kind.startswith("STRUCT") else None


def _total(described: list[dict[str, Any]], last: list[Any], row_count: int) -> list[str]:
    """A note where the last row is the sum of the others: whoever adds up all rows counts everything twice."""
    numbers = [(column, value) for column, value in zip(described, last, strict=True) if _numeric(column["type"])]
    sums = [(column, value) for column, value in numbers if value and column["nulls"] < row_count - 2 and "mean" in column]
    same = [
        column["name"]
        for column, value in sums
        if math.isclose(float(column["mean"]) * (row_count - column["nulls"]), 2 * float(value), rel_tol=1e-9)
    ]
    # two columns, or a row without a name of its own: one sum alone may be chance
    if len(same) < 2 and not (same and len(sums) == 1 and row_count > TOP):
        return []
    return [f"the last row is the total of the others ({', '.join(same)}): leave it out when you add up or average"]


def _described(tables: Tables, table: str, columns: Sequence[tuple[str, str]], row_count: int) -> list[dict[str, Any]]:
    """Every column's figures, in two passes over the file for as many columns as memory holds at once."""
    exact = row_count <= EXACT_ROWS
    described = [{"name": name, "type": kind} for name, kind in columns]
    together = min(COLUMNS_A_PASS, max(1, CELLS_A_PASS // max(1, row_count))) if exact else COLUMNS_A_PASS
    for at in range(0, len(described), together):
        some = described[at : at + together]
        measures = [_measures(column["name"], column["type"], exact=exact) for column in some]
        asked = [expression for one in measures for expression in one.values()]
        figures = iter(tables.one(f"SELECT {', '.join(asked)} FROM {table}"))
        for column, one in zip(some, measures, strict=True):
            found = {label: next(figures) for label in one}
            filled, last = found.pop("filled"), found.pop("last")
            column |= {"nulls": row_count - filled}
            column |= {label: plain(value) for label, value in found.items() if value is not None}
            column |= {"repeats": found.get("distinct", 0) < filled, "last": last}
        _add_tops(tables, table, some)
    return described


def _measures(name: str, kind: str, *, exact: bool) -> dict[str, str]:
    """Label → SQL of what is asked about a column of this type."""
    column = identifier(name)
    text = "::VARCHAR" if "TIME ZONE" in kind else ""
    asked = {"filled": f"count({column})", "last": f"last({column}){text}"}
    if _nested(kind):
        return asked
    asked["distinct"] = f"count(DISTINCT {column})" if exact else f"approx_count_distinct({column})"
    asked |= {"min": f"min({column}){text}", "max": f"max({column}){text}"}
    if _numeric(kind):
        quartiles = "quantile_cont" if exact else "approx_quantile"
        asked |= {
            "mean": f"avg({column})",
            "std": f"stddev_samp({column})",
            "quartiles": f"{quartiles}({column}::DOUBLE, [0.25, 0.5, 0.75])",
        }
    return asked


def _add_tops(tables: Tables, table: str, described: list[dict[str, Any]]) -> None:
    """The most frequent values of the columns in which values repeat."""
    wanted = [column for column in described if column.pop("repeats") and column.get("distinct", TOP_DISTINCT) < TOP_DISTINCT]
    if not wanted:
        return
    maps = ", ".join(f"map_entries(histogram({_as_key(column['name'], column['type'])}))" for column in wanted)
    for column, entries in zip(wanted, tables.one(f"SELECT {maps} FROM {table}"), strict=True):
        ranked = sorted(entries, key=lambda entry: (-entry["value"], entry["key"]))
        column["top"] = [{"value": plain(entry["key"]), "count": entry["value"]} for entry in ranked[:TOP]]


def _as_key(name: str, kind: str) -> str:
    direct = kind in ("VARCHAR", "BOOLEAN") or _numeric(kind)
    return identifier(name) if direct else f"{identifier(name)}::VARCHAR"


def _numeric(kind: str) -> bool:
    return kind.endswith(("INT", "INTEGER", "DOUBLE", "FLOAT", "BIGNUM")) or kind.startswith("DECIMAL")


def _nested(kind: str) -> bool:
    return kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION", "JSON", "VARIANT", "BLOB", "NULL"))
