"""CSV as people write it: any mark, any encoding, titles on top, ragged ends. DuckDB's sniffer, and when it is overruled."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import itertools
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct, field, structs

from auteryn.errors import ToolFailed
from auteryn.policy.quotas import MB, UNPACKED_BYTES
from auteryn.tools.tables.casts import comma_decides, grouped
from auteryn.tools.tables.encodings import guessed
from auteryn.tools.tables.titles import LOOKED_AT, titles_above, years_ahead
from auteryn.tools.tables.words import identifier, literal
from auteryn.tools.tables.workbooks import SHEETS, is_workbook

WHOLE_BYTES = 64 * MB
"""Up to here every row is looked at before a column's type is settled (1 s for 1M rows); beyond it the first 200,000."""
_HEAD_BYTES = 256 * 1024
_CHUNK = MB
_MARKS = ",;\t|"
_TEXTS = (".csv", ".tsv", ".tab", ".txt", ".json", ".jsonl", ".ndjson")
_LINES = 20_000
"""Looked at to tell a file in another encoding from one with a few such lines."""
_PASTED = "cp1252"
"""What single lines are in, that came into a file in UTF-8 from elsewhere."""
_PAGE = re.compile(rb"\s*<(?:!doctype|html|table|meta|head|div)\b", re.IGNORECASE)
_QUOTED = re.compile(rb'"[^"]*"')
_BYTE = re.compile("[\udc80-\udcff]")
"""One that is no UTF-8, as `surrogateescape` decodes it."""
_JUDGED, _JUDGED_CELLS = 1_000, 200_000
"""Rows that settle what commas and points mean."""
_GROUPS = r"\s*[-+]?[1-9]\d{0,2}(\.\d{3})+\s*"
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


def is_blank(real: Path) -> bool:
    """Nothing in it but white space."""
    try:
        with _open(real) as file:
            return not file.read(_CHUNK).strip(b"\xef\xbb\xbf \t\r\n") and not file.read(1)
    except (OSError, EOFError):
        return False


def has_columns(real: Path) -> bool:
    """Text in which most lines have as many fields as the first, and more than one."""
    return _by_eye(_head(real)) is not None


def readable(real: Path, shown: str, notes: list[str]) -> Path:
    """The file itself, or beside it a copy in UTF-8 with plain line ends: of text in another encoding, and where the header
    has several lines, begins in quotes, or lines end in two ways, which the sniffer does not take from every file."""
    if not real.name.lower().removesuffix(".gz").endswith((*_TEXTS, *SHEETS)) or is_workbook(real):
        return real
    encoding, errors = _encoding(real, shown, notes)
    if errors == "strict" and not _is_hard(real):
        return real
    copy = real.with_name(f"utf8 {real.name.removesuffix('.gz')}")
    size = 0
    with (
        io.TextIOWrapper(_open(real), encoding=encoding, errors=errors) as before,
        copy.open("x", encoding="utf-8", newline="") as after,
    ):
        while text := before.read(_CHUNK):
            size += after.write(_BYTE.sub(lambda found: bytes([ord(found[0]) & 0xFF]).decode(_PASTED, "replace"), text))
            if size > UNPACKED_BYTES:
                raise ToolFailed("too_large", f"{shown!r} unpacks to more than {UNPACKED_BYTES:,} signs")
    return copy


def csv_relation(run: Run, real: Path, shown: str, notes: list[str]) -> str:
    """A SELECT that reads the file with everything settled: delimiter, header, names, types. Oddities go to `notes`."""
    head = _head(real)
    sniffed = _sniffed(run, real)
    seen = _by_eye(head)
    if seen and sniffed is None:  # thousands of columns are too many to try every dialect with
        sniffed = _sniffed(run, real, f", delim = {literal(seen[0])}, quote = '\"', escape = '\"', header = true, skip = 0")
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
    relation = _select(real, sniffed)
    _remark(sniffed, shown, notes, either=_either_way(run, relation, sniffed))
    return relation


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
    texts = _texts(run, real, sniffed)
    if any(kind == "VARCHAR" and comma_decides(texts[name]) for name, kind in kinds.items()):
        sniffed.grouped = [name for name, kind in kinds.items() if kind == "DOUBLE" and grouped(texts[name], ".")]
    if sniffed.delimiter == "," or "DOUBLE" in kinds.values():
        return sniffed
    below = f", header = true, skip = {sniffed.skip}" if sniffed.skip else ""
    other = _sniffed(run, real, f", delim = {literal(sniffed.delimiter)}, decimal_separator = ','{below}")
    if other is None or [name for name, _ in other.columns] != list(kinds):
        return sniffed
    changed = [name for name, kind in other.columns if kinds[name] != kind]
    only = all((kinds[name], kind) == ("VARCHAR", "DOUBLE") for name, kind in other.columns if name in changed)
    if not changed or not only or all(grouped(texts[name], ",") for name in changed):
        return sniffed
    other.comma = True
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


def _texts(run: Run, real: Path, dialect: _Dialect) -> dict[str, list[str]]:
    """The first values of each column as they are written."""
    columns = [(name, "VARCHAR") for name, _ in dialect.columns]
    most = min(_JUDGED, 1 + _JUDGED_CELLS // len(columns))
    rows = run(f"{_select(real, structs.replace(dialect, columns=columns))} LIMIT {most}").fetchall()
    return {name: [row[at] for row in rows] for at, (name, _) in enumerate(columns)}


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


def _remark(dialect: _Dialect, shown: str, notes: list[str], *, either: str | None) -> None:
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
    if dialect.date_format and dialect.date_format != "%Y-%m-%d":
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


def _encoding(real: Path, shown: str, notes: list[str]) -> tuple[str, str]:
    """UTF-8 unless the bytes say otherwise; and what to do with those that cannot be decoded. A guess is noted."""
    try:
        with _open(real) as file:
            start = chunk = file.read(_CHUNK)
            if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                return "utf-16", "replace"
            if b"\0" in start:
                raise ToolFailed("unsupported", f"{shown!r} is not text, nor a file that is known")
            if _PAGE.match(start):
                raise ToolFailed(
                    "unsupported", f"{shown!r} is a web page: give it a name that ends in .html, and doc_read reads it"
                )
            decoder = codecs.getincrementaldecoder("utf-8")()
            while chunk:
                decoder.decode(chunk)
                chunk = file.read(_CHUNK)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _no_utf8(real, shown, notes)
    except (OSError, EOFError) as error:
        raise ToolFailed("unsupported", f"{shown!r} cannot be read: {error}") from error
    return "utf-8-sig", "strict"


def _no_utf8(real: Path, shown: str, notes: list[str]) -> tuple[str, str]:
    """Another encoding; or UTF-8 into which lines in another were pasted."""
    with _open(real) as file:
        beyond = [
            sign for line in itertools.islice(file, _LINES) for sign in line.decode("utf-8", "surrogateescape") if sign > "\x7f"
        ]
    pasted = sum(bool(_BYTE.match(sign)) for sign in beyond)
    if pasted * 2 <= len(beyond):
        notes.append(f"{shown!r} is UTF-8 but for some signs, which were read as {_PASTED}")
        return "utf-8-sig", "surrogateescape"
    with _open(real) as file:
        encoding = guessed(file)
    notes.append(f"{shown!r} is not UTF-8; it was read as {encoding}, so check the letters beyond ASCII")
    return encoding, "replace"


def _is_hard(real: Path) -> bool:
    """The first line ends within quotes, as where Excel's cell has two lines, or begins with them behind a byte order mark;
    or lines end now so and now so, as where files were put together."""
    with _open(real) as file:
        line = file.readline(_HEAD_BYTES)
        bare = _QUOTED.sub(b"", line + file.read(_HEAD_BYTES))
    mixed = 0 < bare.count(b"\r\n") < bare.count(b"\n")
    return mixed or line.count(b'"') % 2 == 1 or line.startswith(codecs.BOM_UTF8 + b'"')
