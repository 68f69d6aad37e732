"""CSV as people write it: any mark, any encoding, titles on top, ragged ends. DuckDB's sniffer, and when it is overruled."""

from __future__ import annotations

import codecs
import csv
import gzip
import itertools
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from auteryn.errors import ToolFailed
from auteryn.policy.quotas import MB
from auteryn.tools.tables.titles import LOOKED_AT, titles_above, years_ahead
from auteryn.tools.tables.words import literal

WHOLE_BYTES = 64 * MB
"""Up to here every row is looked at before a column's type is settled (1 s for 1M rows); beyond it the first 200,000."""
_HEAD_BYTES = 256 * 1024
_CHUNK = MB
_MARKS = ",;\t|"
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


def is_blank(real: Path) -> bool:
    """Nothing in it but white space."""
    try:
        with _open(real) as file:
            return not file.read(_CHUNK).strip(b"\xef\xbb\xbf \t\r\n") and not file.read(1)
    except (OSError, EOFError):
        return False


def readable(real: Path, shown: str) -> Path:
    """The file itself, or beside it a copy in UTF-8 with plain line ends: of text in another encoding, and where the header
    has several lines, which the sniffer takes from no file with CRLF or a mark of its byte order."""
    if not real.name.lower().endswith((".csv", ".tsv", ".tab", ".txt", ".json", ".jsonl", ".ndjson")):
        return real
    encoding = _encoding(real, shown)
    if encoding == "utf-8-sig" and not _header_goes_on(real):
        return real
    copy = real.with_name(f"utf8 {real.name}")
    with (
        real.open(encoding=encoding, errors="replace") as before,
        copy.open("x", encoding="utf-8", newline="") as after,
    ):
        while text := before.read(_CHUNK):
            after.write(text)
    return copy


def csv_relation(run: Run, real: Path, shown: str, notes: list[str]) -> str:
    """A SELECT that reads the file with everything settled: delimiter, header, names, types. Oddities go to `notes`."""
    head = _head(real)
    sniffed = _sniffed(run, real)
    seen = _by_eye(head)
    if seen and (sniffed is None or _misread(sniffed, seen)):
        sniffed = _sniffed(run, real, f", delim = {literal(seen[0])}, header = true, skip = 0, null_padding = true")
        if sniffed is None:
            raise ToolFailed("invalid", f"{shown!r} is no clean table: {_odd_line(real, *seen)}. {_WAY_OUT.format(shown)}")
        sniffed.ragged = True
        notes.append(f"{shown!r} has rows that are shorter than its header; what is missing is NULL")
    if sniffed is None:
        raise ToolFailed("unsupported", f"{shown!r} cannot be read as a table of text columns")
    if not sniffed.ragged:
        sniffed = _with_commas(run, real, _below_titles(run, real, sniffed, head))
    _remark(sniffed, shown, notes)
    return _select(real, sniffed)


_WAY_OUT = "Repair the file, or leave such rows out with FROM read_csv('{0}', header = true, ignore_errors = true)"


def _below_titles(run: Run, real: Path, sniffed: _Dialect, head: list[str]) -> _Dialect:
    """The same file from its header on, where that has years in it, or titles or Excel's "sep=;" stand above it."""
    mark, above = sniffed.delimiter, sniffed.skip
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
    """The same table with 1,50 as a number, where that makes numbers of texts and the point is nobody's decimal mark."""
    kinds = dict(sniffed.columns)
    if sniffed.delimiter == "," or "VARCHAR" not in kinds.values() or "DOUBLE" in kinds.values():
        return sniffed
    below = f", header = true, skip = {sniffed.skip}" if sniffed.skip else ""
    other = _sniffed(run, real, f", delim = {literal(sniffed.delimiter)}, decimal_separator = ','{below}")
    if other is None or [name for name, _ in other.columns] != list(kinds):
        return sniffed
    changed = {(kinds[name], kind) for name, kind in other.columns if kinds[name] != kind}
    if changed != {("VARCHAR", "DOUBLE")}:
        return sniffed
    other.comma = True
    return other


def _sniffed(run: Run, real: Path, options: str = "") -> _Dialect | None:
    whole = real.stat().st_size <= WHOLE_BYTES
    sample = -1 if whole else 200_000
    try:
        row = run(f"SELECT * FROM sniff_csv({literal(str(real))}, sample_size = {sample}{options})").fetchone()
    except ToolFailed:
        return None
    delimiter, quote, escape, _, comment, skip, header, columns, date_format, time_format, *_ = row
    if quote == "(empty)" and not whole:
        quote = escape = '"'  # the part that was not looked at may have quotes
    return _Dialect(
        delimiter=delimiter,
        quote=_said(quote),
        escape=_said(escape),
        comment=_said(comment),
        skip=skip,
        header=header,
        columns=[(column["name"], column["type"]) for column in columns],
        date_format=date_format,
        time_format=time_format,
    )


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
    with _open(real) as file:
        reader = csv.reader((line.decode("utf-8", "replace") for line in file), delimiter=mark)
        try:
            for row in reader:
                if len(row) > width:
                    return f"line {reader.line_num} has {len(row)} fields, the header has {width}"
        except csv.Error as error:
            return f"line {reader.line_num}: {error}"
    return f"not every row has the header's {width} fields"


def _remark(dialect: _Dialect, shown: str, notes: list[str]) -> None:
    if not dialect.header:
        notes.append(f"{shown!r} has no header row: its columns are called {dialect.columns[0][0]}, …")
    if dialect.skip:
        notes.append(f"{shown!r}: {dialect.skip} lines above the table were skipped")
    if dialect.comma:
        numbers = ", ".join(name for name, kind in dialect.columns if kind == "DOUBLE")
        notes.append(f"{shown!r}: numbers were read with a decimal comma: {numbers}")
    if dialect.date_format and dialect.date_format != "%Y-%m-%d":
        notes.append(f"{shown!r}: dates were read as {dialect.date_format}")


def _select(real: Path, dialect: _Dialect) -> str:
    columns = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in dialect.columns)
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
    return f"SELECT * FROM read_csv({literal(str(real))}, {', '.join(options)})"


# ---- bytes ---------------------------------------------------------------------------------------------------


def _open(real: Path) -> Any:
    return gzip.open(real, "rb") if real.name.lower().endswith(".gz") else real.open("rb")


def _head(real: Path) -> list[str]:
    """The first complete lines."""
    try:
        with _open(real) as file:
            raw = file.read(_HEAD_BYTES)
    except (OSError, EOFError):
        return []
    lines = raw.decode("utf-8-sig", "replace").splitlines(keepends=True)
    return lines[:-1] if len(raw) == _HEAD_BYTES else lines


def _encoding(real: Path, shown: str) -> str:
    """UTF-8 unless the bytes say otherwise."""
    with real.open("rb") as file:
        start = file.read(_CHUNK)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if b"\0" in start:
            raise ToolFailed("unsupported", f"{shown!r} is not text")
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            decoder.decode(start)
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8-sig"


def _header_goes_on(real: Path) -> bool:
    """The first line ends within quotes, as where Excel's cell has two lines."""
    with real.open("rb") as file:
        return file.readline(_HEAD_BYTES).count(b'"') % 2 == 1
