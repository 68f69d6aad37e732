"""What is shown of a published file, and what is not."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from auteryn.console.preview import LARGEST, LONGEST_TEXT, MOST_ROWS, Preview, preview
from auteryn.console.prose import html_of
from auteryn.schema.run import Artifact
from auteryn.tools.leash import Leash


def shown(path: str, body: bytes) -> Preview:
    artifact = Artifact(id="art_1", path=path, title=path, sha256="0" * 64, size_bytes=len(body))
    return preview(artifact, body, Leash())


def word(text: str) -> bytes:
    import docx

    document = docx.Document()
    document.add_heading("Report", 1)
    document.add_paragraph(text)
    table = document.add_table(1, 2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "Acme", "1,200"
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def deck(text: str) -> bytes:
    from pptx import Presentation

    made = Presentation()
    made.slides.add_slide(made.slide_layouts[5]).shapes.title.text = text
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def workbook(**sheets: list[list[Any]]) -> bytes:
    import xlsxwriter

    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return out.getvalue()


def test_documents_show_their_text_and_nothing_that_could_run() -> None:
    for path, body in (("a.docx", word("<script>x</script> five")), ("a.pptx", deck("<script>x</script> five"))):
        found = shown(path, body)
        assert found.kind == "prose" and found.html and "five" in found.html and "<script" not in found.html, path
        assert found.note
    assert "Acme" in (shown("a.docx", word("")).html or "")


def test_tables_show_their_beginning_and_say_that_there_is_more() -> None:
    found = shown("a.csv", b"\xef\xbb\xbfname;price\n" + b"Acme;1,5\n" * (MOST_ROWS + 5))
    [sheet] = found.sheets
    assert (sheet.rows[0], sheet.rows[1], sheet.more, len(sheet.rows)) == (("name", "price"), ("Acme", "1,5"), True, MOST_ROWS)
    found = shown("b.xlsx", workbook(One=[["a", 2.0], ["b", 2.5]], Two=[["x"]]))
    assert [one.name for one in found.sheets] == ["One", "Two"]
    assert found.sheets[0].rows == (("a", "2"), ("b", "2.5")) and not found.sheets[0].more


def test_what_is_said_keeps_its_lines_and_a_files_are_its_own_business() -> None:
    assert html_of("Send to\nann@a.com\nbob@b.com") == "<p>Send to<br />\nann@a.com<br />\nbob@b.com</p>\n"
    assert shown("a.md", b"Lines that an editor\nhas wrapped.").html == "<p>Lines that an editor\nhas wrapped.</p>\n"


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("a.md", b"# A", "prose"),
        ("a.png", b"\x89PNG", "image"),
        ("a.pdf", b"%PDF-1.7", "pdf"),
        ("a.pdf", b"<script>", "none"),
        ("a.html", b"<p>", "page"),
        ("a.txt", b"plain", "text"),
        ("README", b"plain", "text"),
        ("a.txt", b"\xff\x00", "none"),
        ("a.docx", b"PK\x03\x04 no document", "none"),
        ("a.pptx", b"", "none"),
        ("a.xlsx", b"PK no workbook", "none"),
        ("a.txt", b"x" * (LARGEST + 1), "none"),
    ],
)
def test_a_file_is_shown_as_what_it_is_or_not_at_all(path: str, body: bytes, kind: str) -> None:
    found = shown(path, body)
    assert found.kind == kind
    assert bool(found.why) == (kind == "none")


def test_a_long_text_says_that_it_is_cut() -> None:
    found = shown("a.log", b"x" * (LONGEST_TEXT + 1))
    assert len(found.text or "") == LONGEST_TEXT and "100,000" in (found.note or "")


def test_nothing_is_left_where_a_document_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    shown("a.docx", word("x"))
    shown("a.docx", b"broken")
    assert list(tmp_path.iterdir()) == []
