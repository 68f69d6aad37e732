"""How much room text takes, before any program draws it. Pure.

Widths are Arial's (and of every font made to its measure, such as Liberation Sans), so no font has to be installed. What is
not in the table is taken for wide: text may end early, never late.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache

from auteryn.schema.record import Record

LINE = 1.22
"""Height of a line in font sizes: Arial's is 1.15."""
GAP = 0.45
"""Space before a paragraph, in font sizes."""
CARE = 1.04
"""Programs round glyphs to their own grid; this much wider is still one line."""
INDENT = 1.2
"""Of a bullet's text, in font sizes, for every level."""

_REGULAR = {
    191: "'", 222: "ijl", 260: "|", 278: " !,./:;I[\\]ft", 333: "()-`r", 334: "{}", 355: '"', 389: "*", 469: "^",
    500: "Jcksvxyz", 556: "#$0123456789?L_abdeghnopqu", 584: "+<=>~", 611: "FTZ", 667: "&ABEKPSVXY", 722: "CDHNRUw",
    778: "GOQ", 833: "Mm", 889: "%", 944: "W", 1015: "@",
}  # fmt: skip
_BOLD = {
    238: "'", 278: " ,./I\\ijl", 280: "|", 333: "!()-:;[]`ft", 389: "*r{}", 474: '"', 500: "z", 556: "#$0123456789J_aceksvxy",
    584: "+<=>^~", 611: "?FLTZbdghnopqu", 667: "EPSVXY", 722: "&ABCDHKNRU", 778: "GOQw", 833: "M", 889: "%m", 944: "W",
    975: "@",
}  # fmt: skip


class Run(Record):
    """A piece of a paragraph."""

    text: str
    bold: bool = False


class Point(Record):
    """A paragraph; with a level it is a bullet."""

    runs: tuple[Run, ...]
    level: int | None = None

    @property
    def text(self) -> str:
        return "".join(run.text for run in self.runs)

    def indent(self, size: float) -> float:
        return 0.0 if self.level is None else INDENT * size * (self.level + 1)


def point(text: str, *, bullet: bool = False, bold: bool = False) -> Point:
    """A paragraph of `text`: two spaces in front are a level, `**so**` is bold."""
    plain = text.replace("\t", "    ").rstrip()
    level = min(2, (len(plain) - len(plain.lstrip())) // 2) if bullet else None
    plain = re.sub(r"^[-*•–]\s+", "", plain.lstrip()) if bullet else plain.strip()
    pieces = re.split(r"\*\*(?=\S)(.+?)(?<=\S)\*\*", " ".join(plain.split()))
    runs = tuple(Run(text=piece, bold=bold or at % 2 == 1) for at, piece in enumerate(pieces) if piece)
    return Point(runs=runs or (Run(text=" "),), level=level)


def points(texts: Sequence[str]) -> list[Point]:
    """Bullets, the empty ones left out."""
    return [point(text, bullet=True) for text in texts if text.strip()]


def fitted(paragraphs: Sequence[Point], width: float, height: float, sizes: Sequence[float]) -> float | None:
    """The first of `sizes` (points, largest first) at which the paragraphs stay inside; None if none does."""
    return next((size for size in sizes if height_of(paragraphs, size, width) <= height), None)


def height_of(paragraphs: Sequence[Point], size: float, width: float) -> float:
    """Points from the first line's top to the last one's bottom."""
    lines = sum(lines_of(one, size, width - one.indent(size)) for one in paragraphs)
    return lines * size * LINE + max(0, len(paragraphs) - 1) * GAP * size


def lines_of(paragraph: Point, size: float, width: float) -> int:
    """Lines a program makes of it that breaks between words, and inside a word that is wider than the line."""
    lines, used = 1, 0.0
    for word, space in _words(paragraph, size):
        if used and used + word > width:
            lines, used = lines + 1, 0.0
        if word > width:
            more = int(word // max(1.0, width))
            lines, word = lines + more, word - more * width
        used += word + space
    return lines


def width_of(paragraph: Point, size: float) -> float:
    """Points of the paragraph in one line."""
    return sum(_width(run.text, run.bold) for run in paragraph.runs) * size * CARE / 1000


def longest_word(paragraph: Point, size: float) -> float:
    return max((word for word, _ in _words(paragraph, size)), default=0.0)


def _words(paragraph: Point, size: float) -> Iterator[tuple[float, float]]:
    """Width of each word and of the space after it. A sign that may stand alone in a line (Chinese) is a word."""
    word = 0.0
    scale = size * CARE / 1000
    for run in paragraph.runs:
        for sign in run.text:
            wide = _sign(sign, run.bold) * scale
            if sign == " ":
                yield word, wide
                word = 0.0
            elif unicodedata.east_asian_width(sign) in "WF":
                yield word + wide, 0.0
                word = 0.0
            else:
                word += wide
    yield word, 0.0


def _width(text: str, bold: bool) -> float:
    return sum(_sign(sign, bold) for sign in text)


@cache
def _sign(sign: str, bold: bool) -> float:
    """Thousandths of the font size."""
    if known := _table(bold).get(sign):
        return known
    if unicodedata.combining(sign) or unicodedata.category(sign) in ("Cf", "Mn"):
        return 0.0
    plain = unicodedata.normalize("NFD", sign)[0]
    if plain != sign and (known := _table(bold).get(plain)):
        return known
    if unicodedata.east_asian_width(sign) in "WF":
        return 1_400.0 if ord(sign) > 0x1F000 else 1_050.0
    return 1_000.0 if unicodedata.category(sign) in ("Lu", "So", "Pd", "Po", "Sm") else 800.0


@cache
def _table(bold: bool) -> dict[str, float]:
    return {sign: float(width) for width, signs in (_BOLD if bold else _REGULAR).items() for sign in signs}
