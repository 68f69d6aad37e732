"""Documents, decks, workbooks, pictures."""

from __future__ import annotations

from collections.abc import Iterator

from unit.tools.bench import Args, Bench, sample

SLIDES = [
    {"layout": "bullets", "title": "Findings", "bullets": ["Prices fell", "Two vendors left"]},
    {"layout": "chart", "title": "Prices", "columns": ["Vendor", "Price"], "rows": [["Acme", 9], ["Bolt", 12]]},
]


@sample
def slides_create(bench: Bench) -> Iterator[Args]:
    yield {"path": "deck.pptx", "title": "Vendors", "slides": SLIDES}
