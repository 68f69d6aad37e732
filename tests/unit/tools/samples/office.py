"""Documents, decks, workbooks, pictures."""

from __future__ import annotations

import io
from collections.abc import Iterator

from unit.tools.bench import Args, Bench, sample

SLIDES = [
    {"layout": "bullets", "title": "Findings", "bullets": ["Prices fell", "Two vendors left"]},
    {"layout": "chart", "title": "Prices", "columns": ["Vendor", "Price"], "rows": [["Acme", 9], ["Bolt", 12]]},
]


@sample
def slides_create(bench: Bench) -> Iterator[Args]:
    yield {"path": "deck.pptx", "title": "Vendors", "slides": SLIDES}


@sample
def doc_read(bench: Bench) -> Iterator[Args]:
    bench.facts_of("docx_create", next(docx_create(bench)))
    yield {"path": "report.docx"}


@sample
def docx_create(bench: Bench) -> Iterator[Args]:
    yield {"path": "report.docx", "markdown": "# Prices\n\n- Acme 9.50\n\n| a | b |\n| - | - |\n| 1 | 2 |"}


@sample
def pdf_create(bench: Bench) -> Iterator[Args]:
    yield {"path": "report.pdf", "source": "# Prices\n\nAcme 9.50"}


@sample
def office_preview(bench: Bench) -> Iterator[Args]:
    bench.facts_of("pdf_create", next(pdf_create(bench)))
    yield {"path": "report.pdf"}


@sample
def image_view(bench: Bench) -> Iterator[Args]:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (40, 20), (200, 0, 0)).save(out, "PNG")
    bench.put("red.png", out.getvalue())
    yield {"paths": ["red.png"], "question": "Which colour?"}
