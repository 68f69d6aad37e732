"""What a model may say of a slide. One flat record: the nesting of a declaration is bounded, and a layout uses a few fields."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from auteryn.schema.record import Record
from auteryn.tools.sheet_shape import Value

Layout = Literal["title", "bullets", "two_column", "table", "chart", "image", "swot", "quote"]


class Slide(Record):
    layout: Annotated[Layout, Meta(description="Which of the fields below are shown")] = "bullets"
    title: str = ""
    subtitle: Annotated[str, Meta(description="Of a title slide")] = ""
    bullets: Annotated[list[str], Meta(description="Short points; two spaces in front indent, **so** is bold")] = []
    left_title: str = ""
    left: Annotated[list[str], Meta(description="Points of the left column")] = []
    right_title: str = ""
    right: Annotated[list[str], Meta(description="Points of the right column")] = []
    columns: Annotated[list[str], Meta(description="Headers of a table; of a chart: categories, then one a series")] = []
    rows: Annotated[list[list[Value]], Meta(description="Of a table; of a chart: category, then a number a series")] = []
    kind: Annotated[Literal["column", "bar", "line", "area", "pie", "scatter"], Meta(description="Of a chart")] = "column"
    image: Annotated[str, Meta(description="Picture file")] = ""
    caption: Annotated[str, Meta(description="Under a picture, a chart or a table")] = ""
    strengths: list[str] = []
    weaknesses: list[str] = []
    opportunities: list[str] = []
    threats: list[str] = []
    quote: str = ""
    author: Annotated[str, Meta(description="Whom is quoted")] = ""
    notes: Annotated[str, Meta(description="For the speaker")] = ""
