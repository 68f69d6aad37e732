"""Files as tables, for SQL that nobody has read: a DuckDB that sees the named files and nothing else.

Two walls stand one behind the other. DuckDB itself is locked: no external access but the files we opened through the jail,
no extension, no setting, no Python variable. And only statements that compute are run at all.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from auteryn.errors import AuterynError, ToolFailed
from auteryn.tools.leash import Leash, Stopped
from auteryn.tools.tables.casts import number_cast
from auteryn.tools.tables.complaints import explained, in_a_line, there_are
from auteryn.tools.tables.csv_files import csv_relation, has_columns
from auteryn.tools.tables.text_files import is_blank, readable
from auteryn.tools.tables.words import files_in, identifier, literal, literal_list, unfenced
from auteryn.tools.tables.workbooks import SHEETS, is_workbook, load_sheet
from auteryn.tools.workspace import Workspace

MEMORY = "512MB"
"""A job has 1 to 2 GiB. Nothing is spilled: Cloud Run's disk is memory too."""
THREADS = 1
"""With more, the last digit of a sum of floats differs from run to run; and 1M rows of CSV take the same second."""
CSVS = (".csv", ".tsv", ".tab", ".txt", ".csv.gz", ".tsv.gz")
JSONS = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
KINDS = (*CSVS, *JSONS, ".parquet", *SHEETS)
_DISTINCT = 100_000
"""Different values of a text column that are looked at before they are counted with."""
_COUNTS_WITH_TEXT = re.compile(r"Binder Error: (?:No function matches|Cannot compare).*VARCHAR", re.DOTALL)
_PACKED = 20
"""Most bytes of text in one that is packed."""
COMPUTING = frozenset({"SELECT", "EXPLAIN", "CREATE", "INSERT", "UPDATE", "DELETE", "DROP", "ALTER", "MULTI", "MERGE_INTO"})
"""Statements that are run; whatever they make is in memory and gone afterwards."""

_SETTINGS = (
    f"memory_limit = '{MEMORY}'",
    f"threads = {THREADS}",
    "temp_directory = ''",
    "python_enable_replacements = false",  # else `FROM name` reads the Python variable of that name
    "autoinstall_known_extensions = false",
    "autoload_known_extensions = false",
    "allow_persistent_secrets = false",
    "TimeZone = 'UTC'",
)


class Answer(Struct):
    """What a query gave: values as DuckDB returns them, at most as many rows as were asked for."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    row_count: int
    truncated: bool
    notes: Sequence[str] = ()
    """What was made of columns in which numbers are text."""


class Source(Struct):
    """A file under the name the SQL has for it."""

    alias: str
    path: str
    notes: list[str] = field(default_factory=list[str])
    blank: bool = False
    relation: str = ""
    """The SELECT behind its view; empty: it is a table in memory."""


class Tables:
    """An open, locked database. Made by `opened`."""

    kinds = KINDS

    def __init__(self, connection: Any, leash: Leash, files: Workspace) -> None:
        self._connection, self._leash = connection, leash
        self.files = files
        self.sources: list[Source] = []
        self.real: dict[str, str] = {}
        """Real path → path as the model knows it."""
        self.notes: list[str] = []
        """What was made of columns in which numbers are text."""

    def ask(self, sql: str, limit: int, *, most_cells: int | None = None) -> Answer:
        """Run the statements; the last one's rows. Raises `ToolFailed` with DuckDB's message and the known columns."""
        last = self._all_but_last(sql)
        cursor = self._with_times_as_text(last, self._answered(last))
        columns = [str(column[0]) for column in cursor.description or ()]
        limit = limit if most_cells is None else min(limit, most_cells // max(1, len(columns)))
        rows: list[tuple[Any, ...]] = cursor.fetchmany(limit + 1) if columns else []
        truncated = len(rows) > limit
        count = self.one(f"SELECT count(*) FROM ({last}\n)")[0] if truncated else len(rows)
        return Answer(columns, rows[:limit], count, truncated, self.notes)

    def save(self, sql: str, to: Path, form: str) -> int:
        """Write the last statement's rows to a file that was named when the tables were opened; how many there were."""
        last = self._all_but_last(sql)
        return self._answered(f"COPY ({last}\n) TO {literal(str(to))} ({form}, USE_TMP_FILE false)").fetchone()[0]

    def _all_but_last(self, sql: str) -> str:
        *before, last = self.statements(sql)
        for statement in before:
            self.run(statement)
        return last

    def statements(self, sql: str) -> list[str]:
        """The single statements; raises `ToolFailed` for one that does more than compute."""
        import duckdb

        try:
            found = self._connection.extract_statements(sql)
        except duckdb.Error as error:
            raise self._explained(error, sql) from error
        if not found:
            raise ToolFailed("invalid", "sql: '' holds no statement")
        for one in found:
            if one.type.name not in COMPUTING:
                raise ToolFailed(
                    "denied",
                    f"{one.type.name} statements are not run: SQL can only read the workspace's files and compute; "
                    "save_as writes the result to a file",
                )
        return [one.query.strip().rstrip(";") for one in found]

    def run(self, sql: str, values: list[Any] | None = None) -> Any:
        """Execute one statement; raises `ToolFailed`, or `Stopped` when the call is over."""
        import duckdb

        self._leash.check()
        try:
            return self._connection.execute(sql, values)
        except duckdb.InterruptException as error:
            raise Stopped from error
        except duckdb.Error as error:
            raise self._explained(error, sql) from error

    def _answered(self, sql: str) -> Any:
        """Run the statement. Where it counts with text of which every value is a number in work clothes, the numbers are taken:
        of the fewest columns that let it run. Notes say what was made of which."""
        try:
            return self.run(sql)
        except ToolFailed as failed:
            casts = self._casts(sql) if _COUNTS_WITH_TEXT.search(str(failed)) else []
            each = [[one] for one in casts]
            for some in [*each, casts] if len(casts) > 1 else each:
                notes = [self._counted_with(*one) for one in some]
                self._show(some)
                try:
                    cursor = self.run(sql)
                except ToolFailed:
                    self._show([(source, "", "") for source, _, _ in some])
                    continue
                self.notes += notes
                return cursor
            raise

    def _casts(self, sql: str) -> list[tuple[Source, str, str]]:
        """Text columns that the statement names and all of whose values are numbers, with the SQL that makes them numbers."""
        casts = list[tuple[Source, str, str]]()
        for source in self.sources:
            for name in [name for name, kind in self.columns(source.alias) if kind == "VARCHAR"]:
                column = identifier(name)
                named = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", sql, re.IGNORECASE)
                if not named or f"({column}," in sql:  # the advised cast is there already
                    continue
                found = self.run(f"SELECT DISTINCT {column} FROM {identifier(source.alias)} LIMIT {_DISTINCT + 1}").fetchall()
                if len(found) <= _DISTINCT and (cast := number_cast(name, [text for (text,) in found if text is not None])):
                    casts.append((source, name, cast))
        return casts

    def _show(self, casts: Sequence[tuple[Source, str, str]]) -> None:
        """Let the sources' views have these columns as numbers; with an empty name, as they are in the file."""
        for source in {id(one): one for one, _, _ in casts}.values():
            alias = identifier(source.alias)
            if not source.relation:  # a sheet, in memory
                kept = identifier(f"{source.alias} as it is")
                self.run(f"ALTER TABLE {alias} RENAME TO {kept}")
                source.relation = f"SELECT * FROM {kept}"
            columns = ", ".join(f"{cast} AS {identifier(name)}" for one, name, cast in casts if one is source and name)
            picked = f"* REPLACE ({columns})" if columns else "*"
            self.run(f"CREATE OR REPLACE VIEW {alias} AS SELECT {picked} FROM ({source.relation})")

    def _counted_with(self, source: Source, name: str, cast: str) -> str:
        """What the cast makes of the column's longest value, and how many it makes nothing of."""
        column, whole = identifier(name), f"{identifier(source.alias)} WHERE {identifier(name)} IS NOT NULL"
        picked = f"arg_max({column}, length({column})) FILTER (({cast}) IS NOT NULL)"
        left = f"count(*) FILTER (({cast}) IS NULL), first({column}) FILTER (({cast}) IS NULL)"
        text, none, such = self.one(f"SELECT {picked}, {left} FROM {whole}")
        if text is None:
            return f"{source.path!r}: {name} has no numbers in it"
        [value] = self.one(f"SELECT {cast} FROM (SELECT {literal(text)} AS {column})")
        others = f"; {none:,} are none, such as {such!r}" if none else ""
        return f"{source.path!r}: {name} holds numbers as text, which were counted with: {text!r} as {value:.15g}{others}"

    def one(self, sql: str) -> tuple[Any, ...]:
        """The single row of a query that has one."""
        return self.run(sql).fetchone()

    def columns(self, alias: str) -> list[tuple[str, str]]:
        """Names and types of a table."""
        return [(name, kind) for name, kind, *_ in self.run(f"DESCRIBE {identifier(alias)}").fetchall()]

    def _with_times_as_text(self, sql: str, cursor: Any) -> Any:
        """DuckDB hands out times with a zone only where pytz is installed: they are asked for as text."""
        kinds = [(str(column[0]), "TIME ZONE" in str(column[1])) for column in cursor.description or ()]
        if not any(zoned for _, zoned in kinds):
            return cursor
        picked = [
            f"{f'CAST(#{at} AS VARCHAR)' if zoned else f'#{at}'} AS {identifier(name)}"
            for at, (name, zoned) in enumerate(kinds, 1)
        ]
        return self.run(f"SELECT {', '.join(picked)} FROM ({sql}\n)")

    def _explained(self, error: Exception, sql: str) -> AuterynError:
        return explained(error, sql, self)


@contextmanager
def opened(
    files: Workspace, leash: Leash, *, sql: str = "", aliases: Mapping[str, str] | None = None, save_to: Path | None = None
) -> Generator[tuple[Tables, str]]:
    """Tables of the named files and of those quoted in `sql`; and the SQL with their real paths in it.

    Raises `ToolFailed` for a file that is not there or is no table.
    """
    import duckdb

    with ExitStack() as stack:
        connection = duckdb.connect(":memory:")
        stack.callback(connection.close)
        stack.callback(leash.on_pull, None)
        leash.on_pull(connection.interrupt)
        for setting in _SETTINGS:
            connection.execute(f"SET {setting}")
        tables = Tables(connection, leash, files)
        links = _Links(files, stack, tables.real)
        for alias, path in (aliases or {}).items():
            tables.sources.append(_opened_source(tables, leash, links, alias, path))
        direct, sql = files_in(unfenced(sql), lambda name: _is_table(files, name), links.real)
        for path in direct:
            if path not in (aliases or {}):
                tables.sources.append(_opened_source(tables, leash, links, path, path))
        _lock(connection, [*tables.real, *([str(save_to)] if save_to else [])])
        yield tables, sql


class _Links:
    """Second names of workspace files, in a place only we write to, while the tables are open."""

    def __init__(self, files: Workspace, stack: ExitStack, real: dict[str, str]) -> None:
        self.files, self._stack, self._real = files, stack, real
        self._known: dict[str, str] = {}
        self.notes: dict[str, list[str]] = {}

    def real(self, path: str) -> str:
        if path not in self._known:
            notes = self.notes.setdefault(path, [])
            made = readable(self._stack.enter_context(self.files.path_for_library(path)), path, notes)
            self._known[path] = str(made)
            self._real[str(made)] = path
        return self._known[path]


def _is_table(files: Workspace, path: str) -> bool:
    """Whether a text in SQL names a table file of the workspace."""
    try:
        file = path.partition("#")[0]
        return file.lower().endswith(KINDS) and files.exists(file)
    except ToolFailed:
        return False  # a path that leads out: DuckDB says no to it


def _lock(connection: Any, paths: list[str]) -> None:
    connection.execute(f"SET allowed_paths = {literal_list(paths)}")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _opened_source(tables: Tables, leash: Leash, links: _Links, alias: str, path: str) -> Source:
    """The file as a view (a sheet: as a table in memory) called `alias`."""
    if not alias.strip():
        raise ToolFailed("invalid", f"files: {alias!r} is no name for {path!r}: give one such as 't'")
    source = Source(alias, path)
    file, _, sheet = path.partition("#")
    kind = file.lower()
    if not kind.endswith(KINDS):
        unpack = ": the tool archive takes the files out of it" if kind.endswith(ARCHIVES) else ""
        near = f"; there is {' and '.join(map(repr, found))}" if (found := links.files.near(f"{file}.csv")) else ""
        raise ToolFailed("unsupported", f"files: {path!r} is no table file ({', '.join(KINDS)}){unpack}{near}")
    real = Path(links.real(file))
    source.notes += links.notes[file]
    workbook = kind.endswith((*SHEETS, *CSVS)) and is_workbook(real)
    if workbook:
        load_sheet(tables.run, leash, real, path.removesuffix(f"#{sheet}"), sheet, alias, source.notes)
        return source
    if kind.endswith(SHEETS):
        if not has_columns(real):
            raise ToolFailed("unsupported", f"{path!r} cannot be read as a spreadsheet, nor as text with columns")
        source.notes.append(f"{path!r} is text, no workbook: it was read as csv")
    if is_blank(real):
        source.blank = True
        source.notes.append(f"{path!r} is empty")
        relation = "SELECT NULL::VARCHAR AS column0 WHERE false"
    elif kind.endswith((*CSVS, *SHEETS)):
        relation = csv_relation(tables.run, real, path, source.notes)
    elif kind.endswith(JSONS):
        relation = _json_relation(tables, real, path)
    else:
        relation = f"SELECT * FROM read_parquet({literal(str(real))})"
    tables.run(f"CREATE VIEW {identifier(alias)} AS {relation}")
    source.relation = relation
    return source


def _json_relation(tables: Tables, real: Path, path: str) -> str:
    """A SELECT that reads the file, of which all has been looked at: of a part of it, later fields were lost and 1.5 was 2."""
    options = "sample_size = -1"
    while True:
        relation = f"SELECT * FROM read_json_auto({literal(str(real))}, {options})"
        try:
            tables.run(f"DESCRIBE {relation}")
        except ToolFailed as failed:
            if "maximum_object_size" in str(failed) and "maximum_object_size" not in options:
                options += f", maximum_object_size = {real.stat().st_size * (_PACKED if real.suffix == '.gz' else 1)}"
                continue
            if "Malformed JSON" not in str(failed):
                raise
            whole = f"read_json({literal(path)}, format = 'newline_delimited', ignore_errors = true)"
            told = str(failed).splitlines()[0]
            raise ToolFailed("invalid", f"{told} If each line is an object, those that are whole are FROM {whole}") from failed
        return relation


def whole_result(files: Workspace, sql: str, leash: Leash, *, most_rows: int, most_cells: int | None = None) -> Answer:
    """All rows of a query over the workspace's files; raises `ToolFailed("too_large")` if they are more than that."""
    with opened(files, leash, sql=sql) as (tables, rewritten):
        answer = tables.ask(rewritten, most_rows, most_cells=most_cells)
    if answer.truncated:
        most = f"{len(answer.rows):,} (of {len(answer.columns)} columns)"
        raise ToolFailed("too_large", f"{answer.row_count:,} rows are more than {most}: aggregate or filter them in SQL first")
    return answer


def query_of(files: Workspace, source: str) -> str:
    """SQL for `source`, which is SQL already or a table file of the workspace."""
    text = unfenced(source).strip()
    if _is_table(files, text):
        return f"SELECT * FROM {literal(text)}"
    if re.match(r"(?i)(select|with|from|values|summarize|pivot|unpivot|\()\b", text) or text.startswith("("):
        return text
    there = in_a_line(there_are(files, KINDS))
    raise ToolFailed("not_found", f"{source[:120]!r} is neither a table file of the workspace nor a SELECT; files: {there}")
