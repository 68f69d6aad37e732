"""What a spreadsheet formula gives, so that its value can stand beside it in the file.

Excel computes a file when it opens it; previews, converters and most programs do not: they show the stored value. Known are
arithmetic, comparisons, references and the functions of `FUNCTIONS`, with Excel's rules for empty cells, text and errors.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from auteryn.tools.sheet_functions import (
    FUNCTIONS,
    LEVELS,
    NUM,
    UNARY,
    Area,
    Fault,
    NotComputed,
    joined,
    negated,
    single,
    storable,
    whole,
)

MOST_READS = 5_000_000
"""Cells looked at for one workbook, ranges counted in full."""
_NAMED = 5


class Cell(NamedTuple):
    sheet: str
    row: int
    """From 0."""
    column: int


class Grid(Struct, frozen=True):
    """A sheet's plain cells, from A1 on, and its formulas."""

    rows: list[list[Any]]
    formulas: Mapping[tuple[int, int], str]

    @property
    def height(self) -> int:
        return max([len(self.rows), *(row + 1 for row, _ in self.formulas)])


def computed(grids: Mapping[str, Grid]) -> tuple[dict[Cell, Any], dict[Cell, str]]:
    """The value of every formula; and why, for those that have none."""
    work = _Work(grids)
    for name, grid in grids.items():
        for row, column in sorted(grid.formulas):
            work.settle(Cell(name, row, column))
    return work.values, work.unknown


def ends_first(cells: Collection[Cell]) -> list[Cell]:
    """Those inside a column of formulas come last: a total below a hundred rows says more than the fiftieth of them."""
    known = set(cells)

    def inside(cell: Cell) -> bool:
        return {cell._replace(row=cell.row - 1), cell._replace(row=cell.row + 1)} <= known

    return sorted(cells, key=inside)


def faults(values: Mapping[Cell, Any]) -> list[str]:
    """Which cells show an error value, in a sentence a sheet and error."""
    found = dict[tuple[str, str], list[str]]()
    for cell, value in values.items():
        if isinstance(value, Fault):
            found.setdefault((cell.sheet, value), []).append(shown_at(cell.row, cell.column))
    return [
        f"{sheet}!{', '.join(places[:_NAMED])}{f' and {len(places) - _NAMED:,} more' * (len(places) > _NAMED)} "
        f"show{'s' * (len(places) == 1)} {fault}: mend the formula, or catch it as in =IFERROR(…, 0)"
        for (sheet, fault), places in found.items()
    ]


def cell_at(reference: str) -> tuple[int, int] | None:
    """Row and column, from 0, of a reference such as `B7`; None if it is none."""
    found = re.fullmatch(r"\$?([A-Za-z]{1,3})\$?([1-9]\d{0,6})", reference)
    if not found:
        return None
    row, column = int(found[2]) - 1, column_at(found[1])
    return (row, column) if row < 1_048_576 and column < 16_384 else None


def column_at(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number - 1


def shown_at(row: int, column: int) -> str:
    """The reference, such as `B7`, of a row and a column from 0."""
    letters, number = "", column + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row + 1}"


# ---- the order of work ---------------------------------------------------------------------------------------


class _Needs(Exception):
    """Another formula has to be computed first."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell


class _Work:
    """Values so far. Chains of formulas are walked with a list, not by recursion: they may be as long as a sheet."""

    def __init__(self, grids: Mapping[str, Grid]) -> None:
        self._grids = grids
        self._names = {name.lower(): name for name in grids}
        self.values: dict[Cell, Any] = {}
        self.unknown: dict[Cell, str] = {}
        self._heights = {name: grid.height for name, grid in grids.items()}
        self._reads = 0

    def settle(self, cell: Cell) -> None:
        waiting = {cell: None}
        while waiting:
            at = next(reversed(waiting))
            try:
                if at not in self.values and at not in self.unknown:
                    self.values[at] = _Reader(self, at).value()
                del waiting[at]
            except _Needs as needs:
                if needs.cell in waiting:
                    self.unknown[at] = "it refers to itself in a circle"
                else:
                    waiting[needs.cell] = None
            except NotComputed as why:
                self.unknown[at] = str(why)

    def sheet(self, name: str) -> str:
        """The sheet as it is called; raises `NotComputed`."""
        found = self._names.get(name.lower())
        if found is None:
            raise NotComputed(f"there is no sheet {name!r}")
        return found

    def height(self, sheet: str) -> int:
        return self._heights[sheet]

    def read(self, cell: Cell) -> Any:
        self._reads += 1
        if self._reads > MOST_READS:
            raise NotComputed("the formulas of this workbook read too many cells")
        if cell in self.values:
            return self.values[cell]
        if cell in self.unknown:
            raise NotComputed(f"it needs {cell.sheet}!{shown_at(cell.row, cell.column)}, which is not computed")
        grid = self._grids[cell.sheet]
        if (cell.row, cell.column) in grid.formulas:
            raise _Needs(cell)
        row = grid.rows[cell.row] if cell.row < len(grid.rows) else ()
        return row[cell.column] if cell.column < len(row) else None

    def text(self, cell: Cell) -> str:
        return self._grids[cell.sheet].formulas[cell.row, cell.column]


# ---- reading a formula ---------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)
      | (?P<text>"(?:[^"]|"")*")
      | (?P<fault>\#(?:DIV/0!|N/A|VALUE!|REF!|NAME\?|NUM!|NULL!))
      | (?P<sheet>'(?:[^']|'')+'!|[^\W\d][\w.]*!)
      | (?P<columns>\$?[A-Za-z]{1,3}:\$?[A-Za-z]{1,3}(?![\w(]))
      | (?P<cell>\$?[A-Za-z]{1,3}\$?[1-9]\d*(?![\w(]))
      | (?P<function>[A-Za-z_][\w.]*)\s*\(
      | (?P<word>[^\W\d][\w.]*)
      | (?P<sign><>|<=|>=|[-+*/^&=<>%(),:])
    )""",
    re.VERBOSE,
)


class _Reader:
    """Reads one formula from left to right and computes on the way."""

    def __init__(self, work: _Work, at: Cell) -> None:
        self._work, self._at = work, at
        self._tokens = list(_tokens(work.text(at).lstrip("=")))
        self._next = 0

    def value(self) -> Any:
        try:
            found = single(self._expression(0))
            if self._peek()[0] != "end":
                raise NotComputed(f"{self._peek()[1]!r} is not understood")
            return 0 if found is None else storable(found)
        except ArithmeticError:
            return NUM
        except RecursionError as error:
            raise NotComputed("it nests too deeply") from error

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next]

    def _take(self) -> tuple[str, str]:
        self._next += 1
        return self._tokens[self._next - 1]

    def _expression(self, level: int) -> Any:
        left = self._postfix(self._primary())
        while (sign := self._peek()[1]) and self._peek()[0] == "sign" and LEVELS.get(sign, 0) > level:
            self._take()
            left = joined(sign, single(left), single(self._expression(LEVELS[sign])))
        return left

    def _postfix(self, value: Any) -> Any:
        while self._peek() == ("sign", "%"):
            self._take()
            value = joined("/", single(value), 100)
        return value

    def _primary(self) -> Any:
        kind, text = self._take()
        match kind:
            case "number":
                return whole(float(text))
            case "text":
                return text[1:-1].replace('""', '"')
            case "fault":
                return Fault(text)
            case "sheet":
                return self._area(self._work.sheet(text[:-1].strip("'").replace("''", "'")), *self._take())
            case "cell" | "columns":
                return self._area(self._at.sheet, kind, text)
            case "function":
                return self._function(text.upper())
            case "word" if text.upper() in ("TRUE", "FALSE"):
                return text.upper() == "TRUE"
            case "sign" if text in "+-":
                value = single(self._expression(UNARY))
                return negated(value) if text == "-" else value
            case "sign" if text == "(":
                value = self._expression(0)
                self._expect(")")
                return value
            case _:
                raise NotComputed(f"{text!r} is not understood" if text else "it ends too early")

    def _expect(self, sign: str) -> None:
        if self._take() != ("sign", sign):
            raise NotComputed(f"{sign!r} is missing")

    def _area(self, sheet: str, kind: str, text: str) -> Area:
        if kind == "columns":
            first, last = (column_at(part.strip("$")) for part in text.split(":"))
            return self._rectangle(sheet, 0, min(first, last), self._work.height(sheet) - 1, max(first, last))
        start = cell_at(text)
        end = start
        if self._peek() == ("sign", ":"):
            self._take()
            end = cell_at(self._take()[1])
        if start is None or end is None:
            raise NotComputed(f"{text!r} is no reference")
        rows, columns = sorted((start[0], end[0])), sorted((start[1], end[1]))
        return self._rectangle(sheet, rows[0], columns[0], rows[1], columns[1])

    def _rectangle(self, sheet: str, top: int, left: int, bottom: int, right: int) -> Area:
        def cells() -> Iterator[Any]:
            for row in range(top, min(bottom + 1, max(top + 1, self._work.height(sheet)))):
                for column in range(left, right + 1):
                    yield self._work.read(Cell(sheet, row, column))

        return Area(cells, one=(top, left) == (bottom, right))

    def _function(self, name: str) -> Any:
        known = FUNCTIONS.get(name)
        if known is None:
            raise NotComputed(f"the function {name} is not known here")
        given = list[Any]()
        if self._peek() != ("sign", ")"):
            given.append(self._argument())
            while self._peek() == ("sign", ","):
                self._take()
                given.append(self._argument())
        self._expect(")")
        try:
            return known(given)
        except (IndexError, TypeError) as error:
            raise NotComputed(f"{name} is given what it does not take") from error

    def _argument(self) -> Any:
        return None if self._peek()[1] in (",", ")") and self._peek()[0] == "sign" else self._expression(0)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    text = text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found or not found.lastgroup:
            raise NotComputed(f"{text[at : at + 10]!r} is not understood")
        yield found.lastgroup, found[found.lastgroup]
        at = found.end()
    yield "end", ""
