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


@sample
def sheet_update(bench: Bench) -> Iterator[Args]:
    book = [{"name": "Prices", "columns": ["a", "b"], "rows": [[1, 2]], "table": False}]
    bench.facts_of("sheet_create", {"path": "a.xlsx", "sheets": book})
    yield {"path": "a.xlsx", "edits": {"A2": 5, "C2": "=A2+B2"}, "append_rows": [[3, 4]]}


@sample
def kb_search(bench: Bench) -> Iterator[Args]:
    folder = bench.folder / "kb"
    folder.mkdir(exist_ok=True)
    (folder / "faq.md").write_text("## Refunds\n\nWithin 30 days.\n")
    bench.env.setenv("AUTERYN_KB", str(folder))
    yield {"query": "refunds"}


@sample
def agent_spawn(bench: Bench) -> Iterator[Args]:
    yield {"tasks": ["Look at Acme", "Look at Bolt"]}
