"""Where a table begins, in files that people made to be looked at: a title, a date, an empty line, and then the header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

Area = tuple[tuple[int, int], tuple[int, int]]
"""Row and column, from 0, of the first and of the last cell."""
LOOKED_AT = 20
"""Rows from the top among which the header is looked for."""

_FIGURE = re.compile(r"[-+(]?\s*[$€£¥₹]?\s*\d")
_YEAR = re.compile(r"(?:19|20)\d\d(?:\.0)?")


def titles_above(rows: Sequence[Sequence[Any]]) -> int:
    """How many of the first rows stand above the table; 0 where the first one may be its header.

    They are empty, or mostly so and begin at the left; the row after them names every column, and figures follow.
    """
    rows = rows[:LOOKED_AT]
    filled = [[at for at, cell in enumerate(row) if cell not in ("", None)] for row in rows]
    width, left = max(map(len, filled), default=0), min((row[0] for row in filled if row), default=0)
    for at, here in enumerate(filled):
        if len(here) == width:
            return (
                at
                if width > 1 and _is_header([[row[place] for place in here] for row in rows[at:] if len(row) > here[-1]])
                else 0
            )
        if here and (here[0] != left or len(here) * 2 > width):
            return 0
    return 0


def years_ahead(rows: Sequence[Sequence[Any]]) -> bool:
    """Whether the first row is a header with years in it, `region,2024,2025`: by the types alone it is a row of figures."""
    rows = rows[:LOOKED_AT]
    same = [row for row in rows if len(row) == len(rows[0])] if rows else []
    return len(same) > 1 and any(map(_is_year, same[0])) and not all(map(_is_year, same[0])) and _is_header(same)


def unmerged(rows: list[list[Any]], merged: Sequence[Area]) -> None:
    """What is said once for several rows is said in each; and "Q1" above "Units" and "Revenue" is in the names of both."""
    filled = [at for row in rows for at, cell in enumerate(row) if cell not in ("", None)]
    edges = (min(filled, default=0), max(filled, default=0))
    groups = set[int]()
    for (top, left), (bottom, right) in merged:
        if bottom >= len(rows) or right >= len(rows[top]):
            continue
        below = rows[bottom + 1][left : right + 1] if bottom + 1 < len(rows) else []
        if left == right:
            for row in rows[top + 1 : bottom + 1]:
                row[left] = rows[top][left]
        elif top == bottom and (left, right) != edges and below and all(isinstance(cell, str) and cell for cell in below):
            rows[top][left : right + 1] = [rows[top][left]] * (right + 1 - left)
            groups.add(top)
    for at in sorted(groups, reverse=True):
        rows[at + 1] = [
            " ".join(str(cell) for cell in dict.fromkeys((above, below)) if cell not in ("", None))
            for above, below in zip(rows[at], rows[at + 1], strict=True)
        ]
        rows[at] = [""] * len(rows[at])


def _is_header(rows: Sequence[Sequence[Any]]) -> bool:
    """Whether the first row names the columns of the others: no doubles, no figures but years, and figures below."""
    head, *body = rows
    below = list(zip(*body, strict=True)) or [()] * len(head)
    named = all(
        not all(map(_is_year, column)) if _is_year(cell) else isinstance(cell, str) and cell and not _FIGURE.match(cell)
        for cell, column in zip(head, below, strict=True)
    )
    return named and len(set(map(str, head))) == len(head) and any(_is_figure(cell) for row in body for cell in row)


def _is_year(cell: Any) -> bool:
    return bool(_YEAR.fullmatch(str(cell)))


def _is_figure(cell: Any) -> bool:
    return bool(_FIGURE.match(cell)) if isinstance(cell, str) else cell is not None
