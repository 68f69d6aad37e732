"""The layouts: each fits its content, goes on over further pages where that reads well, or refuses it."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

from auteryn.errors import ToolFailed
from auteryn.policy.quotas import READ_BYTES
from auteryn.tools.slides_draw import COVER_SIZES, SUBTITLE_SIZES, Box, Deck, Page, place
from auteryn.tools.slides_fit import Point, fitted, height_of, longest_word, point, points, width_of
from auteryn.tools.slides_shape import Slide
from auteryn.tools.workspace import Workspace

BULLET_SIZES = (28, 26, 24, 22, 20, 18)
"""Text goes on over a second page rather than below the last; a single long point may still shrink to 12."""
COLUMN_SIZES = (24, 22, 20, 18, 16, 14)
CARD_SIZES = (20, 18, 16, 15, 14, 13, 12, 11, 10)
SMALLER = (16, 14, 12)
TABLE_SIZES = (16, 14, 12, 11, 10)
QUOTE_SIZES = (36, 32, 28, 24, 20, 18, 16)
MOST_COLUMNS, MOST_ROWS = 14, 500
CELL_X, CELL_Y = 7.0, 4.0
"""Margins of a table's cell."""
AIR = 0.7
"""More height of a row, in font sizes, where the page has room to spare."""
_GUTTER = 20.0


def draw(deck: Deck, number: int, slide: Slide, files: Workspace) -> None:
    """Add the page or pages of one asked slide; raises `ToolFailed` naming the field."""
    before = len(deck.file.slides)
    _LAYOUTS[slide.layout](deck, number, slide, files)
    if slide.notes.strip():
        deck.file.slides[before].notes_slide.notes_text_frame.text = slide.notes


# ---- text --------------------------------------------------------------------------------------------------------


def _title(deck: Deck, number: int, slide: Slide, files: Workspace) -> None:
    added = deck.file.slides.add_slide(deck.cover)
    page = Page(added, number, Box(0, 0, 0, 0))
    _needed(number, "title", slide.title)
    if added.shapes.title is None:
        raise ToolFailed("invalid", "template: its title layout has no title")
    place(page, added.shapes.title, slide.title, "title", COVER_SIZES)
    below = [one for one in added.placeholders if one.placeholder_format.idx and one.has_text_frame]
    if slide.subtitle.strip() and below:
        place(page, below[0], slide.subtitle, "subtitle", SUBTITLE_SIZES)


def _bullets(deck: Deck, number: int, slide: Slide, files: Workspace) -> None:
    wanted = points(slide.bullets)
    _needed(number, "bullets", wanted)
    room = deck.page(number, slide.title)
    width, height = room.area.width, room.area.height
    size = fitted(wanted, width, height, BULLET_SIZES) or 18
    pages = _paged(wanted, size, width, height)
    for at, (part, shrunk) in enumerate(pages):
        page = room if at == 0 else deck.page(number, slide.title)
        _count(page, slide.title, at, len(pages))
        if shrunk is None:
            raise page.too_long("bullets", part[0].text, "a page of its own")
        page.text(page.area, part, shrunk)


def _two_column(deck: Deck, number: int, slide: Slide, files: Workspace) -> None:
    left, right = points(slide.left), points(slide.right)
    _needed(number, "left", left)
    _needed(number, "right", right)
    first = deck.page(number, slide.title)
    headed = bool(slide.left_title.strip() or slide.right_title.strip())
    inner = _halves(first.area)[0].inside(16, 48 if headed else 16)
    both = [fitted(one, inner.width, inner.height, COLUMN_SIZES) for one in (left, right)]
    size = min((one for one in both if one), default=14.0) if None not in both else 14
    columns = [_paged(one, size, inner.width, inner.height) for one in (left, right)]
    count = max(map(len, columns))
    for at in range(count):
        page = first if at == 0 else deck.page(number, slide.title)
        _count(page, slide.title, at, count)
        for side, (name, head) in enumerate((("left", slide.left_title), ("right", slide.right_title))):
            part, shrunk = columns[side][at] if at < len(columns[side]) else ([], size)
            if shrunk is None:
                raise page.too_long(name, part[0].text, "a column of its own")
            _card(page, _halves(page.area)[side], head if headed else "", f"ACCENT_{side + 1}", part, shrunk, f"{name}_title")


def _swot(deck: Deck, number: int, slide: Slide, files: Workspace) -> None:
    cells = (
        ("strengths", "Strengths", "ACCENT_2", slide.strengths),
        ("weaknesses", "Weaknesses", "ACCENT_4", slide.weaknesses),
        ("opportunities", "Opportunities", "ACCENT_1", slide.opportunities),
        ("threats", "Threats", "ACCENT_3", slide.threats),
    )
    if not any(points(texts) for *_, texts in cells):
        raise _missing(number, "strengths", "weaknesses, opportunities and threats are all empty")
    page = deck.page(number, slide.title)
    quarters = [quarter for half in _stacked(page.area) for quarter in _halves(half, 14)]
    inner = quarters[0].inside(12, 36)
    sizes = list[float]()
    for name, _, _, texts in cells:
        size = fitted(points(texts), inner.width, inner.height, CARD_SIZES)
        if size is None:
            raise page.too_long(name, texts, "a quarter of the page")
        sizes.append(size)
    for quarter, (name, head, colour, texts) in zip(quarters, cells, strict=True):
        _card(page, quarter, head, colour, points(texts), min(sizes), name, head_height=26, head_size=15, edge=12)


def _quote(deck: Deck, number: int, slide: Slide, files: Workspace) -> None:
    _needed(number, "quote", slide.quote)
    page = deck.page(number, slide.title)
    area = page.area.inside(0)
    page.block(Box(area.left, area.top + 10, 5, area.height - 20), "ACCENT_1")
    inner = Box(area.left + 34, area.top + 10, area.width - 68, area.height - 20 - 40)
    words = slide.quote.strip().strip("“”\"'")
    said = [point(f"“{words}”")]
    size = fitted(said, inner.width, inner.height, QUOTE_SIZES)
    if size is None:
        raise page.too_long("quote", slide.quote, "a page")
    page.text(inner, said, size, anchor="MIDDLE")
    if slide.author.strip():
        by = [point(f"— {slide.author}", bold=True)]
        smaller = fitted(by, inner.width, 34, SMALLER)
        if smaller is None:
            raise page.too_long("author", slide.author, "a line")
        page.text(Box(inner.left, inner.top + inner.height + 6, inner.width, 34), by, smaller, colour="TEXT_2")


# ---- table -------------------------------------------------------------------------------------------------------


def _table(deck: Deck, number: int, slide: Slide, files: Workspace) -> None:
    header, body, numeric = _grid(number, slide)
    page = deck.page(number, slide.title)
    page.caption(slide.caption)
    width, height = page.area.width, page.area.height
    size, widths, pages = _table_pages(header, body, width, height)
    if pages is None:
        longest = max(body, key=lambda row: _row_height(row, widths, size))
        raise page.too_long("rows", [cell.text for cell in longest], "a page: a row of a table must")
    for at, part in enumerate(pages):
        if at:
            page = deck.page(number, slide.title)
            page.caption(slide.caption)
        _count(page, slide.title, at, len(pages))
        _draw_table(page, [header, *part], widths, size, numeric)


def _grid(number: int, slide: Slide) -> tuple[list[Point], list[list[Point]], set[int]]:
    """Header, body and which columns hold numbers."""
    if not slide.columns and not slide.rows:
        raise _missing(number, "columns", "a table needs columns and rows")
    titles: list[Any] = list(slide.columns) or list(slide.rows[0])
    rows = slide.rows if slide.columns else slide.rows[1:]
    if len(titles) > MOST_COLUMNS or len(rows) > MOST_ROWS:
        raise ToolFailed(
            "too_large",
            f"slides[{number}].rows: {len(titles)} columns and {len(rows)} rows are more than a table on slides holds "
            f"({MOST_COLUMNS} and {MOST_ROWS}): put them into a workbook",
        )
    for at, row in enumerate(rows):
        if len(row) > len(titles):
            raise ToolFailed("invalid", f"slides[{number}].rows[{at}]: {len(row)} cells are more than {len(titles)} columns")
    full = [[*row, *[None] * (len(titles) - len(row))] for row in rows]
    numeric = {
        at for at in range(len(titles))
        if (cells := [row[at] for row in full if row[at] is not None]) and all(_number(cell) for cell in cells)
    }  # fmt: skip
    return [point(_shown(one), bold=True) for one in titles], [[point(_shown(cell)) for cell in row] for row in full], numeric


def _table_pages(
    header: list[Point], body: list[list[Point]], width: float, height: float
) -> tuple[float, list[float], list[list[list[Point]]] | None]:
    """Size of the text, widths of the columns, rows of each page: one page if it can be, else at a size that reads well."""
    for size in TABLE_SIZES:
        widths = _widths([header, *body], size, width)
        if sum(_row_height(row, widths, size) for row in [header, *body]) <= height:
            return size, widths, [body]
    for size in TABLE_SIZES[2:]:
        widths = _widths([header, *body], size, width)
        left = height - _row_height(header, widths, size)
        tall = [_row_height(row, widths, size) for row in body]
        if max(tall) <= left:
            return size, widths, _filled(body, tall, left)
    return TABLE_SIZES[-1], _widths([header, *body], TABLE_SIZES[-1], width), None


def _filled(rows: list[Any], tall: list[float], height: float) -> list[list[Any]]:
    """The rows on as few pages as hold them, in order, about as full as each other."""
    pages = max(1, len(_greedy(tall, height)))
    even = sum(tall) / pages
    for target in (even + max(tall), height):
        parts = _greedy(tall, min(height, target))
        if len(parts) == pages:
            break
    else:
        parts = _greedy(tall, height)
    return [[rows[at] for at in part] for part in parts]


def _greedy(tall: list[float], height: float) -> list[list[int]]:
    parts, used = [list[int]()], 0.0
    for at, one in enumerate(tall):
        if parts[-1] and used + one > height:
            parts.append([])
            used = 0.0
        parts[-1].append(at)
        used += one
    return parts


def _widths(rows: Sequence[Sequence[Point]], size: float, width: float) -> list[float]:
    """By what the columns would like, none narrower than its longest word while there is room."""
    columns = list(zip(*rows, strict=True))
    margin = 2 * CELL_X
    wish = [min(max(width_of(cell, size) for cell in column), width * 0.5) + margin for column in columns]
    least = [min(max(longest_word(cell, size) for cell in column), width * 0.4) + margin for column in columns]
    if sum(wish) <= width:
        return [one * width / sum(wish) for one in wish]
    if sum(least) >= width:
        return [one * width / sum(least) for one in least]
    spare, more = width - sum(least), [a - b for a, b in zip(wish, least, strict=True)]
    return [one + spare * extra / max(1e-9, sum(more)) for one, extra in zip(least, more, strict=True)]


def _row_height(row: Sequence[Point], widths: Sequence[float], size: float) -> float:
    return max(height_of([cell], size, width - 2 * CELL_X) for cell, width in zip(row, widths, strict=True)) + 2 * CELL_Y


def _draw_table(page: Page, rows: list[list[Point]], widths: list[float], size: float, numeric: set[int]) -> None:
    from pptx.enum.dml import MSO_THEME_COLOR
    from pptx.util import Emu

    from auteryn.tools.slides_draw import EMU, write

    left, top, width, height = page.area
    tall = [_row_height(row, widths, size) for row in rows]
    airy = min(AIR * size, (height - sum(tall)) / len(rows))
    tall = [one + max(0.0, airy) for one in tall]
    box = [Emu(round(one * EMU)) for one in (left, top, width, sum(tall))]
    table = page.slide.shapes.add_table(len(rows), len(widths), *box).table
    table.horz_banding = False
    for at, one in enumerate(widths):
        table.columns[at].width = Emu(round(one * EMU))
    for y, row in enumerate(rows):
        table.rows[y].height = Emu(round(tall[y] * EMU))
        for x, text in enumerate(row):
            cell = table.cell(y, x)
            cell.margin_left = cell.margin_right = round(CELL_X * EMU)
            cell.margin_top = cell.margin_bottom = round(CELL_Y * EMU)
            cell.fill.solid()
            cell.fill.fore_color.theme_color = (
                MSO_THEME_COLOR.ACCENT_1 if y == 0 else MSO_THEME_COLOR.BACKGROUND_2 if y % 2 else MSO_THEME_COLOR.BACKGROUND_1
            )
            write(
                cell.text_frame, [text], size, colour="BACKGROUND_1" if y == 0 else "TEXT_1",
                align="RIGHT" if x in numeric else "LEFT", anchor=None, margins=False,
            )  # fmt: skip
            cell.vertical_anchor = _middle()


def _middle() -> Any:
    from pptx.enum.text import MSO_ANCHOR

    return MSO_ANCHOR.MIDDLE


# ---- chart and picture -------------------------------------------------------------------------------------------


def _chart(deck: Deck, number: int, slide: Slide, files: Workspace) -> None:
    from auteryn.tools.slides_chart import add_chart

    page = deck.page(number, slide.title)
    page.caption(slide.caption)
    add_chart(page, slide)


def _image(deck: Deck, number: int, slide: Slide, files: Workspace) -> None:
    _needed(number, "image", slide.image)
    page = deck.page(number, slide.title)
    page.caption(slide.caption)
    body, (wide, high) = _picture(files, slide.image)
    left, top, width, height = page.area
    scale = min(width / wide, height / high)
    box = Box(left + (width - wide * scale) / 2, top + (height - high * scale) / 2, wide * scale, high * scale)
    from auteryn.tools.slides_draw import EMU

    shape = page.slide.shapes.add_picture(io.BytesIO(body), *(round(one * EMU) for one in box))
    shape._element.nvPicPr.cNvPr.set("descr", slide.caption or slide.title or slide.image)


def _picture(files: Workspace, path: str) -> tuple[bytes, tuple[int, int]]:
    """The picture in a form every program shows, and its size in pixels."""
    from auteryn.tools.image import opened_image

    body = files.read(path, most=READ_BYTES)
    with opened_image(body, path) as picture:
        if picture.format in ("PNG", "JPEG", "GIF") and picture.getexif().get(0x112, 1) == 1:
            return body, picture.size
        from PIL import ImageOps

        out = io.BytesIO()
        turned = ImageOps.exif_transpose(picture).convert("RGBA")
        turned.save(out, "PNG")
        return out.getvalue(), turned.size


# ---- pieces ------------------------------------------------------------------------------------------------------


def _card(
    page: Page, box: Box, head: str, colour: str, paragraphs: list[Point], size: float, field: str, *,
    head_height: float = 36, head_size: float = 18, edge: float = 16,
) -> None:  # fmt: skip
    """A tinted rectangle with a coloured edge; with `head`, a line of it in bold above the text."""
    page.block(box, "BACKGROUND_2")
    page.block(box._replace(height=4), colour)
    top = edge
    if head.strip():
        line = Box(box.left + edge, box.top + 10, box.width - 2 * edge, head_height - 4)
        fits = fitted([point(head, bold=True)], line.width, line.height, (head_size, 14, 12, 11, 10))
        if fits is None:
            raise page.too_long(field, head, "one line")
        page.text(line, [point(head, bold=True)], fits, colour=colour if colour != "ACCENT_3" else "TEXT_1")
        top = head_height + 12 if edge > 12 else head_height + 10
    if paragraphs:
        page.text(box.inside(edge, top), paragraphs, size)


def _paged(wanted: list[Point], size: float, width: float, height: float) -> list[tuple[list[Point], float | None]]:
    """The points by page, each with its size; a point that fills more than a page gets a smaller one, or None."""
    pages = list[tuple[list[Point], float | None]]()
    part = list[Point]()
    for one in wanted:
        if height_of([one], size, width) > height:
            pages += [(part, size)] if part else []
            pages.append(([one], fitted([one], width, height, SMALLER)))
            part = []
        elif height_of([*part, one], size, width) > height:
            pages.append((part, size))
            part = [one]
        else:
            part.append(one)
    return pages + ([(part, size)] if part else [])


def _count(page: Page, title: str, at: int, count: int) -> None:
    """Which of several pages this is."""
    if count > 1 and title.strip():
        frame = page.slide.shapes.title.text_frame
        for run in list(frame.paragraphs[0].runs):
            run._r.getparent().remove(run._r)
        page.entitle(f"{title} ({at + 1}/{count})")


def _halves(box: Box, gutter: float = _GUTTER) -> tuple[Box, Box]:
    half = (box.width - gutter) / 2
    return box._replace(width=half), box._replace(left=box.left + half + gutter, width=half)


def _stacked(box: Box) -> tuple[Box, Box]:
    half = (box.height - 14) / 2
    return box._replace(height=half), box._replace(top=box.top + half + 14, height=half)


def _number(cell: Any) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _shown(cell: Any) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "yes" if cell else "no"
        case int():
            return f"{cell:,}"
        case float() if 0 < abs(cell) < 0.1:
            return f"{cell:.2g}"
        case float():
            return f"{cell:,.2f}".rstrip("0").rstrip(".") if abs(cell) < 1e15 else f"{cell:g}"
        case _:
            return str(cell)


def _needed(number: int, field: str, value: Any) -> None:
    if not value or (isinstance(value, str) and not value.strip()):
        raise _missing(number, field, "is empty")


def _missing(number: int, field: str, rule: str) -> ToolFailed:
    return ToolFailed("invalid", f"slides[{number}].{field}: {rule}, and the layout is made of it")


_LAYOUTS: dict[str, Callable[[Deck, int, Slide, Workspace], None]] = {
    "title": _title,
    "bullets": _bullets,
    "two_column": _two_column,
    "table": _table,
    "chart": _chart,
    "image": _image,
    "swot": _swot,
    "quote": _quote,
}
