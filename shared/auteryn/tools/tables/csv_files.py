"""CSV as people write it: any mark, any encoding, titles on top, ragged ends. DuckDB's sniffer, and when it is overruled."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from msgspec import Struct, field, structs

from auteryn.errors import ToolFailed
from auteryn.policy.quotas import MB
from auteryn.tools.tables.casts import comma_decides, grouped
from auteryn.tools.tables.text_files import head_of, unpacked
from auteryn.tools.tables.titles import LOOKED_AT, titles_above, years_ahead
from auteryn.tools.tables.words import identifier, literal

WHOLE_BYTES = 64 * MB
"""Up to here the sniffer sees every row (1 s for 1M rows); beyond it the first 200,000, for it would hold all in memory."""
_MARKS = ",;\t|"
_JUDGED, _JUDGED_CELLS = 1_000, 200_000
"""Rows that settle what commas and points mean."""
_GROUPS = r"\s*[-+]?[1-9]\d{0,2}(\.\d{3})+\s*"
_WHOLE = r"\s*[-+]?\d+\s*"
_UNREAD = re.compile(r'Error when converting column "(.*?)"\. Could not convert', re.DOTALL)
_SEP = re.compile(r"sep=(.)[,;\t|]*\r?\n?", re.I)
"""Excel's own way to say what stands between the fields, in the first line."""

Run = Callable[[str], Any]


class _Dialect(Struct):
    delimiter: str
    quote: str
    escape: str
    comment: str
    skip: int
    header: bool
    columns: list[tuple[str, str]]
    date_format: str | None
    time_format: str | None
    ragged: bool = False
    comma: bool = False
    """Numbers are written 1,50."""
    grouped: list[str] = field(default_factory=list[str])
    """Columns of numbers that are written 1.000."""
    overruled: dict[str, str] = field(default_factory=dict[str, str])
    """Types that the sniffer was told, as its own were not right for all rows."""
    either: str | None = None
    """The other way to read the dates."""


_SETTLED = dict[tuple[str | int, ...], _Dialect]()
"""By the file's identity: every row is looked at before a column's type is settled, but not at every query."""
_MOST_SETTLED = 100


def has_columns(real: Path) -> bool:
    """Text in which most lines have as many fields as the first, and more than one."""
    return _by_eye(head_of(real)) is not None


def csv_relation(run: Run, real: Path, shown: str, notes: list[str]) -> str:
    """A SELECT that reads the file with everything settled: delimiter, header, names, types. Oddities go to `notes`."""
    found = real.stat()
    key = (real.suffix, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
    dialect = _SETTLED.get(key)
    if dialect is None:
        dialect = _settled(run, real, shown)
        if len(_SETTLED) >= _MOST_SETTLED:
            _SETTLED.clear()
        _SETTLED[key] = dialect
    _remark(dialect, shown, notes)
    return _select(real, dialect)


def _settled(run: Run, real: Path, shown: str) -> _Dialect:
    head = head_of(real)
    sniffed = _sniffed(run, real)
    seen = _by_eye(head)
    if seen and sniffed is None:  # thousands of columns are too many to try every dialect with
        sniffed = _sniffed(run, real, f", delim = {literal(seen[0])}, quote = '\"', escape = '\"', header = true, skip = 0")
    if seen and (sniffed is None or _misread(sniffed, seen)):
        sniffed = _sniffed(run, real, f", delim = {literal(seen[0])}, header = true, skip = 0, null_padding = true")
        if sniffed is None:
            raise ToolFailed("invalid", f"{shown!r} is no clean table: {_odd_line(real, *seen)}. {_WAY_OUT.format(shown)}")
    if sniffed is None:
        raise ToolFailed("unsupported", f"{shown!r} cannot be read as a table of text columns")
    if not sniffed.ragged:
        sniffed = _with_commas(run, real, _below_titles(run, real, sniffed, head))
    sniffed.either = _either_way(run, _select(real, sniffed), sniffed)
    return sniffed


_WAY_OUT = "Repair the file, or leave such rows out with FROM read_csv('{0}', header = true, ignore_errors = true)"


def _below_titles(run: Run, real: Path, sniffed: _Dialect, head: list[str]) -> _Dialect:
    """The same file from its header on, where that has years in it, or titles or Excel's "sep=;" stand above it."""
    mark, above = sniffed.delimiter, sniffed.skip
    if sniffed.comment:
        return sniffed  # such lines are not counted, and are no titles
    if told := _SEP.fullmatch(head[0] if head else ""):
        mark, above = told[1], 1
    else:
        rows, ends = _first_rows(head[above:], mark)
        above += ends[titles_above(rows)]
        if above == sniffed.skip and (sniffed.header or not years_ahead(rows)):
            return sniffed
    below = _sniffed(run, real, f", delim = {literal(mark)}, header = true, skip = {above}")
    return below if below and len(below.columns) >= len(sniffed.columns) else sniffed


def _first_rows(head: list[str], mark: str) -> tuple[list[list[str]], list[int]]:
    """Fields of the first rows, and how many lines stand above each."""
    reader = csv.reader(head, delimiter=mark)
    rows, ends = list[list[str]](), [0]
    with suppress(csv.Error):
        for row in itertools.islice(reader, LOOKED_AT):
            rows.append(row)
            ends.append(reader.line_num)
    return rows, ends


def _with_commas(run: Run, real: Path, sniffed: _Dialect) -> _Dialect:
    """The same table with 1,50 as a number, where that makes numbers of texts and the point is nobody's decimal mark; and
    with 1.000 as a thousand, where another column's comma is the decimal mark."""
    kinds = dict(sniffed.columns)
    if not {"VARCHAR", "DOUBLE"} & set(kinds.values()):
        return sniffed
    texts = _Texts(run, real, sniffed)
    points = [name for name, kind in kinds.items() if kind == "DOUBLE" and grouped(texts.having(name, "."), ".")]
    if points and any(kind == "VARCHAR" and comma_decides(texts.having(name, ",")) for name, kind in kinds.items()):
        sniffed.grouped = points
    if sniffed.delimiter == "," or "DOUBLE" in kinds.values():
        return sniffed
    below = f", header = true, skip = {sniffed.skip}" if sniffed.skip else ""
    other = _sniffed(run, real, f", delim = {literal(sniffed.delimiter)}, decimal_separator = ','{below}")
    if other is None or [name for name, _ in other.columns] != list(kinds):
        return sniffed
    changed = [name for name, kind in other.columns if kinds[name] != kind]
    only = all((kinds[name], kind) == ("VARCHAR", "DOUBLE") for name, kind in other.columns if name in changed)
    if not changed or not only or all(grouped(texts.having(name, ","), ",") for name in changed):
        return sniffed
    return other


def _either_way(run: Run, relation: str, dialect: _Dialect) -> str | None:
    """The other way to read the file's dates, if no day of them is beyond the 12th."""
    form = dialect.date_format or ""
    first, second = form[:2], {"%d": "%m", "%m": "%d"}.get(form[:2])
    if second is None or "." in form:  # with points it is the day that comes first, everywhere
        return None
    days = [f"coalesce(max(day({identifier(name)})), 0)" for name, kind in dialect.columns if kind == "DATE"]
    if not days or run(f"SELECT greatest({', '.join(days)}) FROM ({relation})").fetchone()[0] > 12:
        return None
    return f"{second}{form[2]}{first}{form[5:]}"


class _Texts:
    """Values as they are written: of each column the first."""

    def __init__(self, run: Run, real: Path, dialect: _Dialect) -> None:
        columns = [(name, "VARCHAR") for name, _ in dialect.columns]
        self._run, self._all = run, _select(real, structs.replace(dialect, columns=columns))
        most = min(_JUDGED, 1 + _JUDGED_CELLS // len(columns))
        rows = run(f"{self._all} LIMIT {most}").fetchall()
        self._first = {name: [row[at] for row in rows] for at, (name, _) in enumerate(columns)}

    def having(self, name: str, mark: str) -> list[str]:
        """The first of this column; and where none of them has the mark, the first that have it: it may come late."""
        first, column = self._first[name], identifier(name)
        if any(mark in value for value in first if value):
            return first
        late = self._run(f"SELECT {column} FROM ({self._all}) WHERE contains({column}, {literal(mark)}) LIMIT {_JUDGED}")
        return first + [value for (value,) in late.fetchall()]


def _sniffed(run: Run, real: Path, options: str = "", overruled: Mapping[str, str] = MappingProxyType({})) -> _Dialect | None:
    """What DuckDB makes of the file, with types that are right for all of its rows."""
    whole = real.stat().st_size <= WHOLE_BYTES
    told = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in overruled.items())
    types = f", types = {{{told}}}" if told else ""
    sample = -1 if whole else 200_000
    try:
        row = run(f"SELECT * FROM sniff_csv({literal(str(real))}, sample_size = {sample}{options}{types})").fetchone()
    except ToolFailed:
        return None
    delimiter, quote, escape, _, comment, skip, header, columns, date_format, time_format, *_ = row
    if quote == "(empty)" and not whole:
        quote = escape = '"'  # the part that was not looked at may have quotes
    sniffed = _Dialect(
        delimiter=delimiter,
        quote=_said(quote),
        escape=_said(escape),
        comment=_said(comment),
        skip=skip,
        header=header,
        columns=[(column["name"], column["type"]) for column in columns],
        date_format=date_format,
        time_format=time_format,
        ragged="null_padding" in options,
        comma="decimal_separator" in options,
        overruled=dict(overruled),
    )
    if whole and not (date_format or time_format):
        return sniffed
    better = _better(run, real, sniffed)
    return _sniffed(run, real, options, {**overruled, **better}) if better else sniffed


def _better(run: Run, real: Path, sniffed: _Dialect) -> dict[str, str]:
    """Types for columns in which some rows are of another than the sniffer said: it has not seen them, or is content with the
    second of two ways to write a date. A whole number that it expects would be made of 1.5, without a word."""
    whole = [name for name, kind in sniffed.columns if kind.endswith("INT")]
    columns = [(name, "VARCHAR" if name in whole else kind) for name, kind in sniffed.columns]
    asked = [f"bool_and({identifier(name)} SIMILAR TO '{_WHOLE}')" for name in whole]
    others = [f"count({identifier(name)})" for name, kind in columns if kind != "VARCHAR"]
    try:
        found = run(
            f"SELECT {', '.join(asked + others) or 1} FROM ({_select(real, structs.replace(sniffed, columns=columns))})"
        )
    except ToolFailed as failed:
        unread = _UNREAD.search(str(failed.__cause__))
        return {unread[1]: "VARCHAR"} if unread and sniffed.overruled.get(unread[1]) != "VARCHAR" else {}
    return {name: "DOUBLE" for name, right in zip(whole, found.fetchone(), strict=False) if right is False}


def _said(value: str | None) -> str:
    return "" if value in (None, "(empty)", "\0") else value


def _misread(sniffed: _Dialect, seen: tuple[str, int]) -> bool:
    """The sniffer took a ragged table for one column, or threw its top away."""
    return len(sniffed.columns) != seen[1] and (len(sniffed.columns) == 1 or sniffed.skip > 0)


def _by_eye(head: list[str]) -> tuple[str, int] | None:
    """Delimiter and number of columns, if the first line and most others agree on them."""
    best: tuple[str, int] | None = None
    for mark in _MARKS:
        try:
            widths = [len(row) for row in csv.reader(head, delimiter=mark) if row]
        except csv.Error:
            continue
        if widths and widths[0] > (best[1] if best else 1) and widths.count(widths[0]) * 2 > len(widths):
            best = mark, widths[0]
    return best


def _odd_line(real: Path, mark: str, width: int) -> str:
    """Which row breaks the rule, in words."""
    with unpacked(real) as file:
        reader = csv.reader((line.decode("utf-8", "replace") for line in file), delimiter=mark)
        try:
            for row in reader:
                if len(row) > width:
                    return f"line {reader.line_num} has {len(row)} fields, the header has {width}"
        except csv.Error as error:
            return f"line {reader.line_num}: {error}"
    return f"not every row has the header's {width} fields"


def _remark(dialect: _Dialect, shown: str, notes: list[str]) -> None:
    if dialect.ragged:
        notes.append(f"{shown!r} has rows that are shorter than its header; what is missing is NULL")
    if not dialect.header:
        notes.append(f"{shown!r} has no header row: its columns are called {dialect.columns[0][0]}, …")
    if dialect.skip:
        notes.append(f"{shown!r}: {dialect.skip} lines above the table were skipped")
    if dialect.comma:
        numbers = ", ".join(name for name, kind in dialect.columns if kind == "DOUBLE")
        notes.append(f"{shown!r}: numbers were read with a decimal comma: {numbers}")
    if dialect.grouped:
        notes.append(
            f"{shown!r}: points were read as marks of thousands, as commas are decimal marks: {', '.join(dialect.grouped)}"
        )
    if texts := [name for name, kind in dialect.overruled.items() if kind == "VARCHAR"]:
        notes.append(f"{shown!r}: not all rows are read alike, so these are text (data_profile has hints): {', '.join(texts)}")
    if dialect.date_format and dialect.date_format != "%Y-%m-%d":
        either = dialect.either
        way_out = f"; {either} fits as well, with FROM read_csv({literal(shown)}, dateformat = '{either}')" if either else ""
        notes.append(f"{shown!r}: dates were read as {dialect.date_format}{way_out}")


def _select(real: Path, dialect: _Dialect) -> str:
    kinds = [(name, "VARCHAR" if name in dialect.grouped else kind) for name, kind in dialect.columns]
    columns = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in kinds)
    options = [
        "auto_detect = false",
        f"delim = {literal(dialect.delimiter)}",
        f"quote = {literal(dialect.quote)}",
        f"escape = {literal(dialect.escape)}",
        f"comment = {literal(dialect.comment)}",
        f"skip = {dialect.skip}",
        f"header = {str(dialect.header).lower()}",
        f"columns = {{{columns}}}",
    ]
    options += [f"dateformat = {literal(dialect.date_format)}"] if dialect.date_format else []
    options += [f"timestampformat = {literal(dialect.time_format)}"] if dialect.time_format else []
    options += ["decimal_separator = ','"] if dialect.comma else []
    options += ["null_padding = true", "parallel = false"] if dialect.ragged else []
    plain = [f"{_ungrouped(identifier(name))} AS {identifier(name)}" for name in dialect.grouped]
    picked = f"* REPLACE ({', '.join(plain)})" if plain else "*"
    return f"SELECT {picked} FROM read_csv({literal(str(real))}, {', '.join(options)})"


def _ungrouped(column: str) -> str:
    """1.000 as a thousand, and 1.5 as what it is."""
    return f"CAST(CASE WHEN {column} SIMILAR TO '{_GROUPS}' THEN replace({column}, '.', '') ELSE {column} END AS DOUBLE)"
