"""A run is done when its files are there and are what they say, whatever the model says."""

from __future__ import annotations

import io
import random
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import openpyxl
import pptx
import pypdf
import pytest

from auteryn.agent.deliverables import impossible, verify
from auteryn.agent.forms import OFFICE
from auteryn.schema.run import FileCheck, Verdict
from auteryn.tools.workspace import Workspace

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


@pytest.fixture
def files(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "files")


def one(files: Workspace, path: str, **rules: Any) -> Verdict:
    ((verdict, _),) = verify((FileCheck(path=path, **rules),), files)
    return verdict


def workbook(*sheets: list[list[Any]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(f"S{number}")
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def zipped(_how: int = zipfile.ZIP_DEFLATED, /, **members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", _how) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return out.getvalue()


def office(suffix: str, body: bytes) -> bytes:
    return zipped(**{OFFICE[suffix]: body, "[Content_Types].xml": b"<Types/>"})


def test_what_is_missing_is_named_and_what_is_there_is_described(files: Workspace) -> None:
    files.write("report.md", b"# Report\n")
    (there, _), (gone, _) = verify((FileCheck(path="report.md"), FileCheck(path="chart.png")), files)
    assert there == Verdict(deliverable="report.md", ok=True, detail="report.md, 9 bytes")
    assert gone == Verdict(deliverable="chart.png", ok=False, detail="there is no such file")
    assert verify((), files) == ()


@pytest.mark.parametrize("path", ["*.md", "reports/*.md", "**/*.md", "reports/{q1,q2}.md", "reports/q?.md", "q1.md"])
def test_a_glob_is_met_by_one_file_that_passes(files: Workspace, path: str) -> None:
    files.write("reports/empty.md", b"")
    files.write("reports/q1.md", b"text")
    assert one(files, path).ok and "reports/q1.md" in one(files, path).detail
    assert not one(files, path, min_bytes=5).ok


def test_a_name_with_glob_signs_is_first_of_all_a_name(files: Workspace) -> None:
    files.write("a[1].md", b"x")
    assert one(files, "a[1].md").ok and not one(files, "b[1].md").ok


def test_nothing_outside_the_files_counts(files: Workspace, tmp_path: Path) -> None:
    files.write("folder/x.md", b"x")
    (tmp_path / "outside.md").write_text("secret")
    (files.root / "link.md").symlink_to(tmp_path / "outside.md")
    for path in ("../outside.md", "/etc/passwd", "link.md", "folder", "", "[", ".auteryn/*"):
        assert not one(files, path).ok, path


def test_too_small_is_said_with_both_numbers(files: Workspace) -> None:
    files.write("a.txt", b"abc")
    assert one(files, "a.txt", min_bytes=3).ok
    assert one(files, "a.txt", min_bytes=4).detail == "a.txt: 3 bytes, at least 4 are asked for"
    files.write("empty.txt", b"")
    assert not one(files, "empty.txt").ok and one(files, "empty.txt", min_bytes=0).ok
    assert not one(files, "empty.txt", min_bytes=0, min_rows=1).ok and not one(files, "empty.txt", min_bytes=0, contains="x").ok


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("x.png", PNG),
        ("x.pdf", PDF),
        ("x.xlsx", workbook([["a"], [1]])),
        ("x.docx", office(".docx", b"<w:document xmlns:w='w'><w:p/></w:document>")),
        ("x.pptx", office(".pptx", b"<p/>")),
        ("x.ods", office(".ods", b"<o/>")),
        ("x.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("x.json", b"[1]"),
        ("x.jsonl", b'{"a": 1}\n\n{"a": 2}\n'),
        ("x.csv", "a,b\né,1\n".encode("utf-16")),
        ("x.jpg", b"\xff\xd8\xff\xe0rest"),
        ("x.gif", b"GIF89a"),
        ("x.parquet", b"PAR1...PAR1"),
        ("x.zip", zipped(a=b"1")),
        ("x.html", b"<p>unclosed is fine"),
        ("x.unknown", bytes(range(256))),
    ],
)
def test_a_file_that_is_what_it_says_passes_and_half_of_it_does_not(files: Workspace, name: str, body: bytes) -> None:
    files.write(name, body)
    assert one(files, name).ok, one(files, name).detail
    files.write(name, b"\0\0" + body[2 : len(body) // 2])
    assert one(files, name).ok == (name == "x.unknown")


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        ("x.xlsx", b"just text", "no readable archive"),
        ("x.xlsx", zipped(a=b"1"), "has no xl/workbook.xml"),
        ("x.docx", office(".docx", b"<w:p>"), "no well-formed XML"),
        ("x.docx", zipped(zipfile.ZIP_LZMA, **{OFFICE[".docx"]: b"<d/>"}), "office programs do not read"),
        ("x.docx", office(".docx", b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'), "entities"),
        ("x.xlsx", office(".xlsx", b"<a>" + b" " * 40_000_000 + b"</a>"), "more than is sane"),
        ("x.zip", zipped(a=b"1").replace(b"PK\1\2\x14\3\x14\0\0", b"PK\1\2\x14\3\x14\0\1"), "password"),
        ("x.png", PNG[:-12], "no whole PNG"),
        ("x.png", b"x" + PNG[1:], "no whole PNG"),
        ("x.png", PNG[:16] + bytes(4) + PNG[20:], "no width"),
        ("x.pdf", b"%PDF-1.7 cut", "no whole PDF"),
        ("x.json", b"{", "no JSON"),
        ("x.jsonl", b"{}\n{\n", "line 2"),
        ("x.csv", b"a,b\n\0\1\2", "not text"),
        ("x.svg", b"<svg>", "no well-formed XML"),
    ],
)
def test_a_file_that_only_looks_like_one_is_told_apart(files: Workspace, name: str, body: bytes, says: str) -> None:
    files.write(name, body)
    verdict = one(files, name)
    assert not verdict.ok and says in verdict.detail, verdict.detail


def test_a_damaged_part_of_an_office_file_is_found(files: Workspace) -> None:
    body = bytearray(workbook([["a"] * 50, *[[n] * 50 for n in range(50)]]))
    at = body.index(b"xl/worksheets/sheet1.xml") + 400
    body[at : at + 40] = b"\xff" * 40
    files.write("x.xlsx", bytes(body))
    assert not one(files, "x.xlsx").ok and "damaged" in one(files, "x.xlsx").detail


@pytest.mark.parametrize(
    ("name", "body", "rules"),
    [
        ("x.xlsx", workbook([["a"], [1]]), {"min_rows": 1, "contains": "a"}),
        ("x.zip", zipped(a=b"1"), {}),
        ("x.tsv", "a\tb\n1\t2\n".encode("utf-16"), {"min_rows": 1, "contains": "b"}),
        ("x.jsonl", b'{"a": 1}\n{"b": 2}\n', {"min_rows": 1}),
        ("x.pdf", PDF.replace(b"<<>>", b"<</Type/Pages/Count 2>>"), {"min_pages": 1}),
        ("x.svg", b"<svg><text>a</text></svg>", {"contains": "a"}),
    ],
)
def test_no_damage_is_more_than_a_verdict(files: Workspace, name: str, body: bytes, rules: dict[str, Any]) -> None:
    """A look that fails would end the slice, and every later one."""
    files.write(name, body)
    assert one(files, name, **rules).ok
    dice = random.Random(name)
    for _ in range(80):
        at, most = dice.randrange(len(body)), dice.choice((1, 4, len(body)))
        files.write(name, body[:at] + dice.choice((b"", dice.randbytes(3))) + body[at + most :])
        assert one(files, name, **rules).detail


def test_a_page_count_that_nobody_can_mean_is_only_large(files: Workspace) -> None:
    files.write("x.pdf", PDF.replace(b"<<>>", b"<</Count " + b"9" * 5_000 + b" /Type /Pages>>", 1))
    assert one(files, "x.pdf", min_pages=3).ok


@pytest.mark.parametrize(
    ("name", "body", "rows"),
    [
        ("t.csv", b"a,b\n1,2\n3,4\n", 2),
        ("t.csv", b"a,b\r\n1,2\r\n\r\n3,4", 2),
        ("t.csv", b'a,b\n"multi\nline",2\n', 1),
        ("t.csv", b"\xef\xbb\xbfa\n1\n", 1),
        ("t.csv", "a\nü\nö\n".encode("utf-16"), 2),
        ("t.csv", b"a\n" + b"x" * 200_000 + b"\n1\n", 2),
        ("t.tsv", b"a\tb\n1\t2\n", 1),
        ("t.csv", b"a,b\n", 0),
        ("t.jsonl", b"{}\n{}\n{}\n", 3),
        ("t.json", b"[1, 2, 3]", 3),
        ("t.xlsx", workbook([["a"], [1], [2]], [["b"], *[[n] for n in range(7)]]), 7),
        ("t.xlsx", workbook([["a"], [None], ["x"]]), 1),
        ("t.xlsx", workbook([]), 0),
    ],
)
def test_data_rows_are_counted_without_the_header(files: Workspace, name: str, body: bytes, rows: int) -> None:
    files.write(name, body)
    assert one(files, name, min_rows=rows).ok, one(files, name, min_rows=rows).detail
    assert one(files, name, min_rows=rows + 1).detail == f"{name}: {rows} data rows, at least {rows + 1} are asked for"


def test_rows_are_not_guessed_where_they_cannot_be_counted(files: Workspace) -> None:
    files.write("x.md", b"text")
    assert "rows are counted in .csv" in one(files, "x.md", min_rows=1).detail


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("t.md", b"The   total\nis 42 EUR."),
        ("t.txt", b"x" * 65_530 + b"The total is 42 EUR"),
        ("t.html", "The total is 42 EUR".encode("utf-16")),
        ("t.html", b"<div>Costs</div><p>The <b>total</b> is&nbsp;42 EUR</p>"),
        (
            "t.docx",
            office(
                ".docx",
                b"<w:d xmlns:w='w'><w:p><w:r><w:t>The tot</w:t></w:r><w:r><w:t>al is</w:t></w:r></w:p>"
                b"<w:p><w:t>42 EUR</w:t></w:p></w:d>",
            ),
        ),
        ("t.xlsx", workbook([["The total is 42 EUR"]])),
    ],
)
def test_text_is_found_across_lines_chunks_and_runs(files: Workspace, name: str, body: bytes) -> None:
    files.write(name, body)
    assert one(files, name, contains="total is 42 EUR").ok
    missing = one(files, name, contains="total is 43")
    assert not missing.ok and missing.detail == f"{name}: the text 'total is 43' is not in it"


def test_what_stands_in_a_page_is_looked_for_as_it_is_read_and_as_it_is_written(files: Workspace) -> None:
    files.write("x.html", b"<table><tr><td>R&amp;D</td><td>7</td></tr></table>")
    for text in ("R&D 7", "R&amp;D", "<table>"):
        assert one(files, "x.html", contains=text).ok, text
    assert not one(files, "x.html", contains="D7").ok


def test_text_in_a_pdf_is_not_claimed_to_be_checked(files: Workspace) -> None:
    files.write("x.pdf", PDF)
    assert impossible(FileCheck(path="x.pdf", min_pages=1)) is None
    assert impossible(FileCheck(path="x.pdf", contains="obj")) == "text cannot be looked for in a .pdf file"
    assert not one(files, "x.pdf", contains="obj").ok and "cannot be looked for" in one(files, "x.pdf", contains="obj").detail


def test_a_spreadsheet_of_ours_passes(files: Workspace, tmp_path: Path) -> None:
    from auteryn.tools.leash import Leash
    from auteryn.tools.sheet_book import write_book
    from auteryn.tools.sheet_plan import Planned

    with files.path_to_write("x.xlsx") as to:
        write_book(to, [Planned("S", ["a", "b"], [["North", 1], ["South", 2]])], {}, Leash())
    assert one(files, "x.xlsx", min_rows=2, contains="South").ok


def test_the_verdict_needs_no_extra() -> None:
    """Opening the files is the standard library's work: no data library is imported for it."""
    loaded = "import auteryn.agent.deliverables, sys; print(*sorted(sys.modules))"
    names = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout.split()
    assert not {"duckdb", "xlsxwriter", "python_calamine", "vl_convert", "openpyxl"} & set(names)


def deck(slides: int) -> bytes:
    made, out = pptx.Presentation(), io.BytesIO()
    for _ in range(slides):
        made.slides.add_slide(made.slide_layouts[6])
    made.save(out)
    return out.getvalue()


def blank_pdf(pages: int) -> bytes:
    made, out = pypdf.PdfWriter(), io.BytesIO()
    for _ in range(pages):
        made.add_blank_page(200, 200)
    made.write(out)
    return out.getvalue()


def packed_pdf(pages: int) -> bytes:
    """Its page tree stands in a packed stream, as many programs write it."""
    tree = zlib.compress(b"<< /Type /Pages /Kids [] /Count %d >>" % pages)
    return b"%PDF-1.7\n1 0 obj\n<< /Type /ObjStm >>\nstream\n" + tree + b"\nendstream\nendobj\n%%EOF\n"


PAGED = {
    "a.pptx": (deck(3), 3, "slides"),
    "a.xlsx": (workbook([["a"]], [["b"]]), 2, "sheets"),
    "a.pdf": (blank_pdf(4), 4, "pages"),
    "b.pdf": (packed_pdf(7), 7, "pages"),
}


@pytest.mark.proves("P37")
@pytest.mark.parametrize("name", list(PAGED))
def test_pages_slides_and_sheets_are_counted(files: Workspace, name: str) -> None:
    body, count, what = PAGED[name]
    files.write(name, body)
    assert one(files, name, min_pages=count).detail.endswith(f"{count} {what}")
    assert one(files, name, min_pages=count + 1).detail == f"{name}: {count} {what}, at least {count + 1} are asked for"
    files.write("a.md", b"# x")
    assert "pages are counted in .pdf" in one(files, "a.md", min_pages=1).detail
