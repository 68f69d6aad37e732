"""A chart on a slide: a native one, with its numbers inside, that people can go on working with."""

from __future__ import annotations

from typing import Any

from auteryn.errors import ToolFailed
from auteryn.tools.slides_draw import EMU, Page
from auteryn.tools.slides_shape import Slide

MOST_SERIES, MOST_CATEGORIES = 8, 60
LABELLED = 12
"""Most marks that get their number written beside them."""
NAME_CHARS = 40
_KINDS = {
    "column": "COLUMN_CLUSTERED",
    "bar": "BAR_CLUSTERED",
    "line": "LINE_MARKERS",
    "area": "AREA",
    "pie": "PIE",
    "scatter": "XY_SCATTER",
}


def add_chart(page: Page, slide: Slide) -> None:
    """Draw it over the page's area; raises `ToolFailed` naming what is no number."""
    from pptx.enum.chart import XL_CHART_TYPE

    names = [_name(one) for one in slide.columns[1:]]
    data = _points(page.number, slide, names) if slide.kind == "scatter" else _categories(page.number, slide, names)
    place = [round(one * EMU) for one in page.area]
    frame = page.slide.shapes.add_chart(XL_CHART_TYPE[_KINDS[slide.kind]], *place, data)
    frame._element.nvGraphicFramePr.cNvPr.set("descr", slide.caption or slide.title or ", ".join(slide.columns))
    _styled(frame.chart, slide, len(names))


def _categories(number: int, slide: Slide, names: list[str]) -> Any:
    from pptx.chart.data import CategoryChartData

    _check(number, slide)
    data: Any = CategoryChartData(number_format=_format(slide))
    data.categories = [_name(str(row[0]) if row[0] is not None else "") for row in slide.rows]
    for at, name in enumerate(names, 1):
        data.add_series(name, [_value(number, slide, y, at) for y in range(len(slide.rows))])
    return data


def _points(number: int, slide: Slide, names: list[str]) -> Any:
    from pptx.chart.data import XyChartData

    _check(number, slide)
    data: Any = XyChartData(number_format=_format(slide))
    for at, name in enumerate(names, 1):
        series = data.add_series(name)
        for y in range(len(slide.rows)):
            x, value = _value(number, slide, y, 0), _value(number, slide, y, at)
            if x is not None and value is not None:
                series.add_data_point(x, value)
    return data


def _check(number: int, slide: Slide) -> None:
    series = len(slide.columns) - 1
    if series < 1 or not slide.rows:
        raise ToolFailed(
            "invalid", f"slides[{number}].columns: {slide.columns!r} must name the categories and a series; rows must hold them"
        )
    if series > (1 if slide.kind == "pie" else MOST_SERIES) or len(slide.rows) > MOST_CATEGORIES:
        raise ToolFailed(
            "too_large",
            f"slides[{number}].rows: {series} series of {len(slide.rows)} cannot be read in a {slide.kind} chart "
            f"(at most {1 if slide.kind == 'pie' else MOST_SERIES} of {MOST_CATEGORIES}): sum up, or leave out",
        )


def _value(number: int, slide: Slide, y: int, x: int) -> float | None:
    row = slide.rows[y]
    cell = row[x] if x < len(row) else None
    if cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool)):
        return cell
    raise ToolFailed("invalid", f"slides[{number}].rows[{y}][{x}]: {cell!r} must be a number")


def _format(slide: Slide) -> str:
    whole = all(not isinstance(cell, float) or cell.is_integer() for row in slide.rows for cell in row[1:])
    return "#,##0" if whole else "#,##0.0#"


def _styled(chart: Any, slide: Slide, series: int) -> None:
    from pptx.enum.chart import XL_LABEL_POSITION, XL_LEGEND_POSITION
    from pptx.enum.dml import MSO_THEME_COLOR
    from pptx.util import Pt

    chart.font.size = Pt(12)
    chart.font.color.theme_color = MSO_THEME_COLOR.TEXT_1
    chart.has_title = False
    chart.has_legend = series > 1 or slide.kind == "pie"
    if chart.has_legend:
        chart.legend.position = XL_LEGEND_POSITION.RIGHT if slide.kind == "pie" else XL_LEGEND_POSITION.BOTTOM
        chart.legend.include_in_layout = False
        chart.legend.font.size = Pt(12)
        chart.legend.font.color.theme_color = MSO_THEME_COLOR.TEXT_1
    plot = chart.plots[0]
    if slide.kind == "pie":
        plot.vary_by_categories = True
    else:
        plot.vary_by_categories = False
        _axes(chart, slide)
    if slide.kind in ("column", "bar"):
        plot.gap_width = 60
    if slide.kind in ("column", "bar", "pie") and len(slide.rows) * series <= LABELLED:
        plot.has_data_labels = True
        labels = plot.data_labels
        labels.font.size = Pt(12)
        labels.font.color.theme_color = MSO_THEME_COLOR.TEXT_1
        labels.show_value = slide.kind != "pie"
        labels.show_percentage = slide.kind == "pie"
        labels.number_format = "0%" if slide.kind == "pie" else _format(slide)
        labels.number_format_is_linked = False
        labels.position = XL_LABEL_POSITION.OUTSIDE_END


def _axes(chart: Any, slide: Slide) -> None:
    from pptx.enum.chart import XL_TICK_LABEL_POSITION, XL_TICK_MARK
    from pptx.enum.dml import MSO_THEME_COLOR

    chart.category_axis.tick_label_position = XL_TICK_LABEL_POSITION.LOW  # not across bars of negative numbers
    chart.value_axis.major_gridlines.format.line.color.theme_color = MSO_THEME_COLOR.BACKGROUND_2
    chart.value_axis.format.line.fill.background()
    chart.category_axis.format.line.color.theme_color = MSO_THEME_COLOR.TEXT_2
    chart.category_axis.has_major_gridlines = False
    chart.category_axis.major_tick_mark = chart.value_axis.major_tick_mark = XL_TICK_MARK.NONE
    if slide.kind == "bar":
        chart.category_axis.reverse_order = True  # the first category on top
        chart.value_axis.visible = len(slide.rows) * (len(slide.columns) - 1) > LABELLED


def _name(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= NAME_CHARS else f"{plain[: NAME_CHARS - 1]}…"
