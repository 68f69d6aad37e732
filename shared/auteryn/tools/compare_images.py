"""Two pictures: where they differ, and one picture that shows it."""

from __future__ import annotations

import io
from typing import Any

from auteryn.schema.record import Record
from auteryn.tools.image import opened_image

CELL = 32
"""Pixels: differences closer than this are one box."""
FAINT = 24
"""Of 255: less is how fonts and pictures are painted, not a change."""
MOST_BOXES = 40
WIDEST = 1_600
"""Pixels of the picture that shows both."""


class Boxes(Record):
    same_size: bool
    score: float
    """Share of the cells that differ, 0 to 1."""
    boxes: list[list[int]] = []
    """Left, top, width, height in the second picture."""


def differing(before: bytes, after: bytes) -> Boxes:
    """Where two pictures differ by more than paint."""
    from PIL import Image, ImageChops

    with opened_image(before, "before") as one, opened_image(after, "after") as other:
        width, height = max(one.width, other.width), max(one.height, other.height)
        sheets = [Image.new("L", (width, height), 255) for _ in range(2)]
        sheets[0].paste(one.convert("L"), (0, 0))
        sheets[1].paste(other.convert("L"), (0, 0))
        marks = ImageChops.difference(*sheets).point([255 if level > FAINT else 0 for level in range(256)])
        columns, rows = -(-width // CELL), -(-height // CELL)
        padded = Image.new("L", (columns * CELL, rows * CELL))
        padded.paste(marks, (0, 0))
        raw = padded.resize((columns, rows), Image.Resampling.BOX).point([0, *[1] * 255]).tobytes()
        boxes = _joined({(at % columns, at // columns) for at, level in enumerate(raw) if level})
        found = [[x * CELL, y * CELL, (w + 1) * CELL, (h + 1) * CELL] for x, y, w, h in boxes[:MOST_BOXES]]
        return Boxes(same_size=one.size == other.size, score=round(sum(raw) / max(1, len(raw)), 4), boxes=found)


def _joined(cells: set[tuple[int, int]]) -> list[tuple[int, int, int, int]]:
    """Neighbouring cells as boxes (left, top, columns and rows beyond the first), from the top."""
    boxes = list[tuple[int, int, int, int]]()
    while cells:
        near, group = [cells.pop()], list[tuple[int, int]]()
        while near:
            x, y = near.pop()
            group.append((x, y))
            for one in [(x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]:
                if one in cells:
                    cells.remove(one)
                    near.append(one)
        left, top = min(x for x, _ in group), min(y for _, y in group)
        boxes.append((left, top, max(x for x, _ in group) - left, max(y for _, y in group) - top))
    return sorted(boxes, key=lambda box: (box[1], box[0]))


def side_by_side(before: bytes, after: bytes, boxes: list[list[int]]) -> bytes:
    """A PNG with both pictures, the differences framed in red."""
    from PIL import Image, ImageDraw

    with opened_image(before, "before") as one, opened_image(after, "after") as other:
        sheet: Any = Image.new("RGB", (one.width + other.width + 16, max(one.height, other.height)), "#888888")
        sheet.paste(one.convert("RGB"), (0, 0))
        sheet.paste(other.convert("RGB"), (one.width + 16, 0))
        draw = ImageDraw.Draw(sheet)
        for left, top, width, height in boxes:
            for offset in (0, one.width + 16):
                draw.rectangle((offset + left, top, offset + left + width, top + height), outline="#dd0000", width=3)
        if sheet.width > WIDEST:
            sheet = sheet.resize((WIDEST, max(1, round(sheet.height * WIDEST / sheet.width))))
        out = io.BytesIO()
        sheet.save(out, "PNG")
        return out.getvalue()
