"""What a model may say of a sheet. The nesting is as deep as a declaration allows, so a chart's `y` is one text."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from auteryn.schema.record import Record

Value = Annotated[str, Meta(description="Text, or a date such as 2024-01-31")] | int | float | bool | None
"""A cell. (The description keeps the types apart: a list of bare types reads as its first to some programs.)"""

ChartKind = Literal["bar", "column", "line", "area", "pie", "scatter"]


class Column(Record):
    header: str
    format: Annotated[str, Meta(description="integer, number, percent, usd, eur, date, text, or an Excel format")] | None = None
    formula: Annotated[str, Meta(description="For every row: =B{row}*C{row}")] | None = None
    width: float | None = None


class Chart(Record):
    """Of the sheet's own columns."""

    kind: ChartKind | None = None
    type: Annotated[ChartKind, Meta(description="Same as kind")] | None = None
    title: str = ""
    x: Annotated[str, Meta(description="Column of the categories; else the first")] | None = None
    y: Annotated[str, Meta(description="Column of the values, several with commas; else all with numbers")] | None = None
    at: Annotated[str, Meta(description="Cell of its upper left corner; else right of the data")] | None = None


class Sheet(Record):
    name: str
    columns: list[str | Column] = []
    rows: Annotated[
        list[list[Value] | dict[str, Value]], Meta(description="Lists in the columns' order, or objects by header")
    ] = []
    source: Annotated[str, Meta(description="Instead of rows: a csv, parquet or json file, or SQL as in data_query")] | None = (
        None
    )
    table: Annotated[bool, Meta(description="Make it an Excel table with filters")] = True
    formats: Annotated[dict[str, str], Meta(description="By header, column letter or cell")] = {}
    formulas: Annotated[dict[str, str], Meta(description='By cell, {"B9": "=SUM(B2:B8)"}, or by header with {row}')] = {}
    charts: list[Chart] = []
