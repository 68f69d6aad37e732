"""What goes to stdout: results, tables, JSON lines."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from auteryn.cli.screen import clean, columns, fitted
from auteryn.policy.durations import moment
from auteryn.schema.record import Record, full, to_json

LEAST_COLUMNS = 12
"""Of a table's last column, though the line be longer than the terminal is wide."""


def json_line(value: Any) -> None:
    """One JSON object, one line, in UTF-8 whatever the terminal speaks; every field is there, also where it has its default."""
    sys.stdout.flush()
    sys.stdout.buffer.write(to_json(full(value)) + b"\n")
    sys.stdout.flush()


def text(value: str) -> None:
    """Text as it is, with one end of line."""
    sys.stdout.write(value if value.endswith("\n") else value + "\n")
    sys.stdout.flush()


def result(value: str) -> None:
    """A run's result: for a person wrapped at words and made safe to show, for a program as it is."""
    if not sys.stdout.isatty():
        text(value)
        return
    width = max(40, min(shutil.get_terminal_size().columns, 120)) - 1
    for line in value.splitlines():
        pieces = textwrap.wrap(clean(line), width, break_long_words=False, break_on_hyphens=False, drop_whitespace=True)
        text("\n".join(pieces))


def fields(record: Record, *, json: bool) -> None:
    """A record, one line a field; as `json` one object."""
    if json:
        json_line(record)
        return
    for name in record.__struct_fields__:
        text(clean(f"{name.replace('_', ' ')}: {_said(getattr(record, name))}"))


def _said(value: Any) -> str:
    match value:
        case datetime():
            return moment(value)
        case bool():
            return "yes" if value else "no"
        case str() | int():
            return str(value)
        case None | ():
            return "none"
        case _:
            return to_json(value).decode()


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), none: str = "") -> None:
    """Columns as wide as what is in them; the last one is never padded, and on a terminal cut where the line ends. `right`
    are columns of figures. `none` is said to a person if there is no row."""
    if none and not rows:
        click.echo(none, err=True)
        return
    cells = [list(head), *([clean(cell) for cell in row] for row in rows)]
    widths = [max(columns(row[at]) for row in cells) for at in range(len(head))]
    if sys.stdout.isatty():
        left = max(LEAST_COLUMNS, shutil.get_terminal_size().columns - sum(widths[:-1]) - 2 * len(widths[:-1]))
        for row in cells:
            row[-1] = fitted(row[-1], left)
        widths[-1] = min(widths[-1], left)
    for row in cells:
        padded = [_padded(cell, widths[at], at in right) for at, cell in enumerate(row)]
        sys.stdout.write("  ".join(padded).rstrip() + "\n")
    sys.stdout.flush()


def _padded(cell: str, width: int, right: bool) -> str:
    space = " " * (width - columns(cell))
    return space + cell if right else cell + space
