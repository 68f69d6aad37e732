"""The workbook's bytes, by xlsxwriter. The same sheets give the same bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from auteryn.tools.leash import Leash
from auteryn.tools.sheet_formulas import Cell, shown_at
from auteryn.tools.sheet_plan import Planned, PlannedChart

CREATED = datetime(2000, 1, 1)
"""Written as the date of creation: the hour of work must not change the bytes."""
WIDEST = 60
_MEASURED = 500
"""Rows that settle a column's width."""
_CHART_ROWS, _CHART_PIXELS = 22, (720, 400)
"""A row is 20 pixels high."""
_LABELLED = 12
"""Parts of a pie that have their share beside them."""
_A4 = 9
_OPTIONS = {
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
    "use_future_functions": True,
    "remove_timezone": True,
}


def write_book(to: Path, plans: list[Planned], values: Mapping[Cell, Any], leash: Leash) -> None:
    """Write all sheets; `values` stand beside their formulas."""
    import xlsxwriter

    book = xlsxwriter.Workbook(str(to), {**_OPTIONS, "tmpdir": str(to.parent)})
    book.set_properties({"created": CREATED})
    formats = _Formats(book)
    for plan in plans:
        _write_sheet(book, book.add_worksheet(plan.name), plan, values, formats, leash)
    leash.check()
    book.close()


class _Formats:
    """One format object a number format."""

    def __init__(self, book: Any) -> None:
        self._book, self._made = book, dict[str, Any]()
        self.header = book.add_format({"bold": True, "bottom": 1})

    def of(self, form: str | None) -> Any:
        if form is None:
            return None
        if form not in self._made:
            self._made[form] = self._book.add_format({"num_format": form})
        return self._made[form]


def _write_sheet(book: Any, sheet: Any, plan: Planned, values: Mapping[Cell, Any], formats: _Formats, leash: Leash) -> None:
    for at, header in enumerate(plan.headers):
        sheet.write_string(0, at, header, formats.header)
        sheet.set_column(at, at, plan.widths.get(at) or _width(plan, at), formats.of(plan.column_formats.get(at)))
    for number, row in enumerate(plan.rows, 1):
        leash.check()
        for at, value in enumerate(row):
            if (number, at) not in plan.formulas:
                _write(sheet, number, at, value, plan.cell_formats.get((number, at)) or plan.column_formats.get(at), formats)
    for (row, column), formula in sorted(plan.formulas.items()):
        inside = plan.column_formats.get(column)
        form = formats.of(plan.cell_formats.get((row, column)) or inside)
        sheet.write_formula(row, column, formula, form, values.get(Cell(plan.name, row, column), ""))
    sheet.set_paper(_A4)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    if plan.headers:
        sheet.freeze_panes(1, 0)
        sheet.repeat_rows(0)
        _frame(sheet, plan, formats)
    for number, chart in enumerate(plan.charts):
        _insert(book, sheet, plan, chart, number)


def _write(sheet: Any, row: int, column: int, value: Any, form: str | None, formats: _Formats) -> None:
    match value:
        case None:
            pass
        case bool():
            sheet.write_boolean(row, column, value, formats.of(form))
        case int() | float():
            sheet.write_number(row, column, value, formats.of(form))
        case datetime():
            sheet.write_datetime(row, column, value, formats.of(form or "yyyy-mm-dd hh:mm:ss"))
        case date():
            sheet.write_datetime(row, column, value, formats.of(form or "yyyy-mm-dd"))
        case _:
            sheet.write_string(row, column, str(value), formats.of(form))


def _frame(sheet: Any, plan: Planned, formats: _Formats) -> None:
    """A table over headers and data; without rows there is none."""
    if not plan.table or not plan.rows:
        return
    columns = [{"header": header, "header_format": formats.header} for header in plan.headers]
    sheet.add_table(0, 0, len(plan.rows), len(plan.headers) - 1, {"columns": columns, "style": "Table Style Medium 2"})


def _width(plan: Planned, at: int) -> float:
    shown = [plan.headers[at], *(_shown(row[at]) for row in plan.rows[:_MEASURED])]
    longest = max(len(line) for text in shown for line in (text.splitlines() or [""]))
    return min(WIDEST, max(8, longest + 3))


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


# ---- charts --------------------------------------------------------------------------------------------------


def _insert(book: Any, sheet: Any, plan: Planned, chart: PlannedChart, number: int) -> None:
    """A native chart that refers to the sheet's cells."""
    drawn = book.add_chart({"type": chart.kind})
    last = len(plan.rows)
    for y in chart.y:
        series: dict[str, Any] = {
            "name": [plan.name, 0, y],
            "categories": [plan.name, 1, chart.x, last, chart.x],
            "values": [plan.name, 1, y, last, y],
        }
        if chart.kind == "pie" and last <= _LABELLED:
            series["data_labels"] = {"percentage": True}
        drawn.add_series(series)
    title = _plain(chart.title) or ", ".join(_plain(plan.headers[y]) for y in chart.y)
    drawn.set_title({"name": title})
    drawn.set_size(dict(zip(("width", "height"), _CHART_PIXELS, strict=True)))
    if chart.kind != "pie":
        across = {"name": _plain(plan.headers[chart.x]), "label_position": "low", **_dates(plan, chart)}
        up = {"name": _plain(plan.headers[chart.y[0]]) if len(chart.y) == 1 else "", **_from_zero(plan, chart)}
        if chart.kind == "bar":  # its categories are on the axis that stands, the first one on top, the figures below
            drawn.set_x_axis(up)
            drawn.set_y_axis({**across, "reverse": True, "crossing": "max"})
        else:
            drawn.set_x_axis(across)
            drawn.set_y_axis(up)
        if len(chart.y) == 1:
            drawn.set_legend({"none": True})
    sheet.insert_chart(
        chart.at or shown_at(1 + number * _CHART_ROWS, len(plan.headers) + 1),
        drawn,
        {"description": f"{chart.kind} chart: {title}"},
    )


def _from_zero(plan: Planned, chart: PlannedChart) -> dict[str, Any]:
    """A bar is as long as its figure. Where all are near each other, programs begin the axis just below the smallest one."""
    figures = [row[y] for row in plan.rows for y in chart.y if isinstance(row[y], (int, float))]
    near = chart.kind in ("bar", "column", "area") and figures and min(figures) > max(figures) * 0.8 > 0
    return {"min": 0} if near else {}


def _dates(plan: Planned, chart: PlannedChart) -> dict[str, Any]:
    """How days are written along an axis: without it, as Excel counts them."""
    first = next((row[chart.x] for row in plan.rows if row[chart.x] is not None), None)
    if not isinstance(first, date):
        return {}
    timed = isinstance(first, datetime)
    form = plan.column_formats.get(chart.x) or ("yyyy-mm-dd hh:mm" if timed else "yyyy-mm-dd")
    return {"num_format": form} | ({} if timed or chart.kind == "scatter" else {"date_axis": True})


def _plain(text: str) -> str:
    """A title as text: xlsxwriter takes what looks like a reference for one."""
    return re.sub(r"!(?=\$?[A-Z]+\$?\d)", "! ", text.lstrip("= "))
