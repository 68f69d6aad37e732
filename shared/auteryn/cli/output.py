"""What goes to stdout: results, tables, JSON lines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from auteryn.cli.screen import clean, columns
from auteryn.schema.record import to_json


def json_line(value: Any) -> None:
    """One JSON object, one line."""
    sys.stdout.write(to_json(value).decode() + "\n")
    sys.stdout.flush()


def text(value: str) -> None:
    """Text as it is, with one end of line."""
    sys.stdout.write(value if value.endswith("\n") else value + "\n")
    sys.stdout.flush()


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Columns as wide as what is in them; the last one is never padded. `right` are columns of figures."""
    cells = [list(head), *([clean(cell) for cell in row] for row in rows)]
    widths = [max(columns(row[at]) for row in cells) for at in range(len(head))]
    for row in cells:
        padded = [_padded(cell, widths[at], at in right) for at, cell in enumerate(row)]
        sys.stdout.write("  ".join(padded).rstrip() + "\n")
    sys.stdout.flush()


def _padded(cell: str, width: int, right: bool) -> str:
    space = " " * (width - columns(cell))
    return space + cell if right else cell + space
