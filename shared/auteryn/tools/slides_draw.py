"""One page of a deck: its boxes, and what is put into them. Sizes are points; nothing is drawn that was not measured."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec import Struct

from auteryn.errors import ToolFailed
from auteryn.tools.slides_fit import GAP, INDENT, LINE, Point, fitted, point

EMU = 12_700
"""A point in English metric units."""
TITLE_SIZES = (30, 28, 26, 24, 22, 20, 18)
COVER_SIZES = (48, 44, 40, 36, 32, 28, 24, 20)
SUBTITLE_SIZES = (22, 20, 18, 16, 14, 12)
_FURNITURE = ("DATE", "FOOTER", "SLIDE_NUMBER")


class Box(NamedTuple):
    """A place on the page, in points."""

    left: float
    top: float
    width: float
    height: float

    def inside(self, by: float, top: float | None = None) -> Box:
        """Smaller by `by` on all sides."""
        above = by if top is None else top
        return Box(self.left + by, self.top + above, self.width - 2 * by, self.height - above - by)

    def without_bottom(self, height: float) -> Box:
        return self._replace(height=self.height - height)


class Deck(Struct):
    """A presentation under construction, with the two layouts it is made of."""

    file: Any
    cover: Any
    """Layout of a title slide."""
    plain: Any
    """Layout with a title and room below."""

    def page(self, number: int, title: str) -> Page:
        """A new page with its title set; `number` is the slide's place in what was asked, for complaints."""
        slide = self.file.slides.add_slide(self.plain)
        page = Page(slide, number, _room(self.file, slide))
        page.entitle(title)
        return page


class Page(Struct):
    slide: Any
    number: int
    area: Box
    """Below the title."""

    def entitle(self, title: str) -> None:
        holder = self.slide.shapes.title
        if not title.strip():
            if holder is not None:
                holder._element.getparent().remove(holder._element)
            return
        if holder is None:
            raise ToolFailed("invalid", "template: its slides have no place for a title")
        place(self, holder, title, "title", TITLE_SIZES)

    def text(
        self, box: Box, paragraphs: Sequence[Point], size: float, *, colour: str = "TEXT_1", align: str = "LEFT",
        anchor: str = "TOP", italic: bool = False,
    ) -> Any:  # fmt: skip
        """Paragraphs in a box of exactly this size."""
        shape = self.slide.shapes.add_textbox(*_emu(box))
        write(shape.text_frame, paragraphs, size, colour=colour, align=align, anchor=anchor, italic=italic)
        return shape

    def block(self, box: Box, colour: str) -> None:
        """A filled rectangle without line or shadow."""
        from pptx.enum.dml import MSO_THEME_COLOR
        from pptx.enum.shapes import MSO_SHAPE

        shape = self.slide.shapes.add_shape(MSO_SHAPE.RECTANGLE, *_emu(box))
        shape.fill.solid()
        shape.fill.fore_color.theme_color = MSO_THEME_COLOR[colour]
        shape.line.fill.background()
        shape._element.remove(shape._element.find("{*}style"))  # it casts a shadow

    def caption(self, text: str) -> None:
        """Small, along the bottom; takes its height from the area."""
        if not text.strip():
            return
        size, paragraphs = 12, [point(text)]
        height = 2 * size * LINE + 4
        if fitted(paragraphs, self.area.width, height, (size,)) is None:
            raise self.too_long("caption", text, "two lines under the picture, chart or table")
        left, top, width, whole = self.area
        self.text(Box(left, top + whole - height, width, height), paragraphs, size, colour="TEXT_2", anchor="BOTTOM")
        self.area = self.area.without_bottom(height + 6)

    def too_long(self, field: str, value: Any, room: str) -> ToolFailed:
        """The complaint about what fits at no size that can be read."""
        shown = repr(value)
        shown = shown if len(shown) <= 100 else f"{shown[:97]}..."
        return ToolFailed(
            "too_large",
            f"slides[{self.number}].{field}: {shown} does not fit into {room}: shorten it, or make two slides",
        )


def emptied(source: Any) -> Deck:
    """The template without its slides, with the layouts that serve."""
    from pptx import Presentation

    file: Any = Presentation(source)
    for entry in list(file.slides._sldIdLst):
        file.part.drop_rel(entry.rId)
        file.slides._sldIdLst.remove(entry)
    layouts = [one for master in file.slide_masters for one in master.slide_layouts]
    covers = [one for one in layouts if "CENTER_TITLE" in _kinds(one)]
    plain = sorted((one for one in layouts if "TITLE" in _kinds(one)), key=lambda one: len(_content(one)))
    if not plain:
        raise ToolFailed("invalid", "template: none of its layouts has a title")
    return Deck(file, (covers or plain)[0], plain[0])


def place(page: Page, holder: Any, text: str, field: str, sizes: Sequence[float]) -> None:
    """Text in a placeholder, at the largest size that fits."""
    frame = holder.text_frame
    margins = (frame.margin_left + frame.margin_right, frame.margin_top + frame.margin_bottom)
    width, height = (holder.width - margins[0]) / EMU, (holder.height - margins[1]) / EMU
    line = [point(text, bold=field == "title")]
    size = fitted(line, width, height, sizes)
    if size is None:
        raise page.too_long(field, text, f"its place of {width:.0f} by {height:.0f} points")
    write(frame, line, size, colour=None, anchor=None, align=None, margins=False)


def write(
    frame: Any, paragraphs: Sequence[Point], size: float, *, colour: str | None, align: str | None, anchor: str | None,
    italic: bool = False, margins: bool = True,
) -> None:  # fmt: skip
    """Fill a text frame. None leaves to the template what it says."""
    from pptx.enum.text import MSO_ANCHOR, MSO_AUTO_SIZE, PP_ALIGN

    frame.word_wrap, frame.auto_size = True, MSO_AUTO_SIZE.NONE
    if margins:
        frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = 0
    if anchor is not None:
        frame.vertical_anchor = MSO_ANCHOR[anchor]
    for at, one in enumerate(paragraphs):
        paragraph = frame.paragraphs[0] if at == 0 else frame.add_paragraph()
        if align is not None:
            paragraph.alignment = PP_ALIGN[align]
        if at:
            paragraph.space_before = round(GAP * size * EMU)
        if one.level is not None:
            _bullet(paragraph, one, size)
        for run in one.runs:
            _run(paragraph, run.text, size, colour, bold=run.bold, italic=italic)


def furnish(deck: Deck) -> None:
    """Page numbers where the layout has a place for them; placeholders nobody filled are taken away."""
    for slide in deck.file.slides:
        for holder in list(slide.placeholders):
            if holder.has_text_frame and not holder.text_frame.text.strip():
                holder._element.getparent().remove(holder._element)
        if slide.slide_layout == deck.plain:
            for holder in deck.plain.placeholders:
                if _kind(holder) == "SLIDE_NUMBER":
                    slide.shapes._spTree.append(copy.deepcopy(holder._element))


# ---- pieces ------------------------------------------------------------------------------------------------------


def _room(file: Any, slide: Any) -> Box:
    """The page without title, footer and margins."""
    width, height = file.slide_width / EMU, file.slide_height / EMU
    holder = slide.shapes.title
    left, right, top = 0.05 * width, 0.95 * width, 0.21 * height
    if holder is not None and (holder.top + holder.height) / EMU < 0.4 * height:
        top = (holder.top + holder.height) / EMU + 0.025 * height
        left = max(0.03 * width, holder.left / EMU)
        right = min(0.97 * width, (holder.left + holder.width) / EMU)
    feet = [one.top / EMU for one in slide.slide_layout.placeholders if _kind(one) in _FURNITURE]
    bottom = min([0.94 * height, *(foot for foot in feet if foot > 0.8 * height)])
    return Box(left, top, right - left, bottom - top - 6)


def _kind(holder: Any) -> str:
    return holder.placeholder_format.type.name if holder.placeholder_format.type is not None else ""


def _kinds(layout: Any) -> set[str]:
    return {_kind(one) for one in layout.placeholders}


def _content(layout: Any) -> list[Any]:
    """Placeholders beside title and furniture."""
    return [one for one in layout.placeholders if _kind(one) not in ("TITLE", *_FURNITURE)]


def _emu(box: Box) -> tuple[Any, ...]:
    from pptx.util import Emu

    return tuple(Emu(round(one * EMU)) for one in box)


def _bullet(paragraph: Any, one: Point, size: float) -> None:
    from pptx.oxml import parse_xml

    properties = paragraph._p.get_or_add_pPr()
    properties.set("marL", str(round(one.indent(size) * EMU)))
    properties.set("indent", str(round(-INDENT * size * EMU)))
    sign = "•–·"[one.level or 0]
    namespace = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    for xml in (
        f'<a:buClr {namespace}><a:schemeClr val="accent1"/></a:buClr>',
        f'<a:buFont {namespace} typeface="Arial"/>',
        f'<a:buChar {namespace} char="{sign}"/>',
    ):
        properties.append(parse_xml(xml))


def _run(paragraph: Any, text: str, size: float, colour: str | None, *, bold: bool, italic: bool) -> None:
    from pptx.enum.dml import MSO_THEME_COLOR
    from pptx.util import Pt

    run = paragraph.add_run()
    run.text = text
    run.font.size = Pt(size)
    run.font.bold = True if bold else None
    run.font.italic = True if italic else None
    if colour is not None:
        run.font.color.theme_color = MSO_THEME_COLOR[colour]
