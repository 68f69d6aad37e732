"""PDF files hold what was asked and reach for nothing else; previews show every page."""

from __future__ import annotations

import io
import shutil
import socket
import threading
from pathlib import Path

import pypdf
import pytest
from PIL import Image

from auteryn.tools.pdf import pdf_create
from auteryn.tools.preview import office_preview
from auteryn.tools.slides import slides_create
from unit.tools.office import LibreOffice, pdf, pdf_texts
from unit.tools.outside import as_a_judge_calls
from unit.tools.room import Room
from unit.tools.test_document import HTML, MARKDOWN, locked_pdf, red


def made(room: Room) -> bytes:
    return room.files.read("a.pdf")


@pytest.mark.tool("pdf_create", "happy")
@pytest.mark.proves("P20")
def test_markdown_is_printed_with_its_text_and_pictures(room: Room) -> None:
    room.put("red.png", red())
    told = room.call(pdf_create, **as_a_judge_calls(pdf_create, path="a.pdf", source=MARKDOWN, title="Report"))
    (said,) = pdf_texts(made(room))
    for part in ("Competitive report", "An opening with bold, code, gone and a link", "first point", "Acme", "9.50", "A quote"):
        assert part in said
    with pdf(made(room)) as document:
        assert told["pages"] == len(document) == 1 and document.get_metadata_value("Title") == "Report"
        assert any(one.type == 3 for one in document[0].get_objects(max_depth=4)) and document[0].get_size() == pytest.approx(
            (595, 842), abs=1
        )


def test_an_html_file_sees_pictures_beside_it(room: Room) -> None:
    room.put("out/red.png", red())
    room.put("out/page.html", HTML.replace("<h2>", '<img src="red.png"><h2>'))
    room.call(pdf_create, path="a.pdf", source="out/page.html")
    with pdf(made(room)) as document:
        assert any(one.type == 3 for one in document[0].get_objects(max_depth=4))
    assert "Ten vendors & more" in pdf_texts(made(room))[0]


def test_an_office_file_becomes_a_pdf_and_pdfs_are_joined(room: Room) -> None:
    slides = [{"layout": "bullets", "title": f"Slide {at}", "bullets": ["x"]} for at in range(3)]
    room.call(slides_create, path="deck.pptx", title="Deck", slides=slides)
    assert room.call(pdf_create, path="deck.pdf", source="deck.pptx")["pages"] == 4
    room.call(pdf_create, path="b.pdf", source="# Before")
    assert room.call(pdf_create, path="a.pdf", source=["b.pdf", "deck.pdf", "b.pdf"], title="All")["pages"] == 6
    texts = pdf_texts(made(room))
    assert "Before" in texts[0] and "Slide 2" in texts[4] and "Before" in texts[5]


@pytest.mark.proves("L14")
@pytest.mark.parametrize("way", ["chromium", "libreoffice"])
def test_nothing_outside_is_asked_for(room: Room, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures, frames, style sheets, fonts and redirects to other hosts and to the machine's own files come to nothing."""
    asked, office = list[bytes](), shutil.which("soffice")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def listen() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    asked.append(connection.recv(100))

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{port}"
        page = (
            f'<link rel=stylesheet href="{url}/a.css"><link rel=dns-prefetch href="{url}"><link rel=preconnect href="{url}">'
            f'<img src="{url}/p.png"><iframe src="file:///etc/passwd"></iframe><iframe src="{url}/f"></iframe>'
            f'<object data="{url}/o"></object><meta http-equiv=refresh content="1;url={url}/r">'
            f'<script>fetch("{url}/s")</script>'
            f'<img src="../../../../../../etc/passwd"><p style="background:url({url}/b)">Text that stays</p>'
        )
        room.put("evil.html", page)
        if way == "libreoffice":
            monkeypatch.setattr("shutil.which", lambda name: office if "office" in name else None)
        room.call(pdf_create, path="a.pdf", source="evil.html")
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    said = " ".join(pdf_texts(made(room)))
    assert asked == [] and "Text that stays" in said and "root:" not in said


@pytest.mark.tool("pdf_create", "failure")
def test_what_cannot_be_made_says_why(room: Room) -> None:
    room.put("locked.pdf", locked_pdf())
    room.put("bad.pdf", "no pdf")
    room.put("notes.txt", "whose words are meant, not its name")
    room.put("bad.docx", b"PK\x03\x04 not really")
    for source, kind in (
        (["locked.pdf"], "auth"),
        (["bad.pdf"], "unsupported"),
        (["x.docx"], "unsupported"),
        (["none.pdf"], "not_found"),
        ("none.docx", "not_found"),
        ("none.md", "not_found"),
        ("notes.txt", "unsupported"),
        ("bad.pdf", "unsupported"),
        ([], "invalid"),
    ):
        assert room.refusal(pdf_create, path="a.pdf", source=source).kind == kind, source
    assert room.refusal(pdf_create, path="a.txt", source="x").kind == "unsupported" and not room.files.exists("a.pdf")


def test_the_same_text_gives_the_same_bytes(room: Room) -> None:
    room.call(pdf_create, path="a.pdf", source="# A")
    first = made(room)
    room.call(pdf_create, path="a.pdf", source="# A")
    assert made(room) == first


# ---- looking at pages ----------------------------------------------------------------------------------------


@pytest.mark.tool("office_preview", "happy")
def test_every_page_of_a_deck_and_of_a_pdf_is_drawn(room: Room, libreoffice: LibreOffice) -> None:
    slides = [{"layout": "bullets", "title": f"Slide {at}", "bullets": ["x"]} for at in range(2)]
    room.call(slides_create, path="deck.pptx", title="Deck", slides=slides)
    told = room.call(office_preview, **as_a_judge_calls(office_preview, path="deck.pptx"))
    assert told.output["pages"] == 3 and told.output["saved"] == [f"previews/deck-{at}.png" for at in (1, 2, 3)]
    assert [one.name for one in told.images] == [f"page {at} of deck.pptx" for at in (1, 2, 3)]
    for path in told.output["saved"]:
        picture = Image.open(io.BytesIO(room.files.read(path)))
        assert max(picture.size) == 1600 and len(picture.convert("L").getcolors() or [0] * 300) > 5  # not blank
    room.call(pdf_create, path="deck.pdf", source="# One")
    some = room.call(office_preview, path="deck.pdf", pages="1", save_to="looked/at")
    assert some.output["saved"] == ["looked/at/deck-1.png"]


@pytest.mark.tool("office_preview", "failure")
def test_what_cannot_be_drawn_says_why(room: Room) -> None:
    room.put("locked.pdf", locked_pdf())
    room.put("a.txt", "x")
    room.put("a.docx", b"PK\3\4garbage")
    assert room.refusal(office_preview, path="locked.pdf").kind == "auth"
    assert room.refusal(office_preview, path="a.txt").kind == "unsupported"
    assert room.refusal(office_preview, path="none.docx").kind == "not_found"
    assert room.refusal(office_preview, path="a.docx").kind == "unsupported"


@pytest.fixture
def bins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder programs are looked for in; it is empty."""
    folder = tmp_path / "bins"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.mark.tool("office_preview", "failure")
def test_an_office_that_is_not_there_is_named_and_one_that_dies_is_tried_again(room: Room, bins: Path) -> None:
    room.put("a.rtf", r"{\rtf1 hello}")
    missing = room.refusal(office_preview, path="a.rtf")
    assert (missing.kind, missing.retryable) == ("missing_extra", False) and "LibreOffice" in str(missing)
    dying = bins / "soffice"
    dying.write_text("#!/bin/sh\nkill -9 $$\n")
    dying.chmod(0o755)
    failed = room.refusal(office_preview, path="a.rtf")
    assert (failed.kind, failed.retryable) == ("unavailable", True) and not room.files.exists("previews")


@pytest.mark.tool("pdf_create", "failure")
def test_without_a_program_that_prints_it_says_which(room: Room, bins: Path) -> None:
    missing = room.refusal(pdf_create, path="a.pdf", source="# A")
    assert missing.kind == "missing_extra" and "LibreOffice" in str(missing)
    broken = bins / "chromium"
    broken.write_text("#!/bin/false\n")
    broken.chmod(0o755)
    failed = room.refusal(pdf_create, path="a.pdf", source="# A")
    assert failed.kind == "unavailable" and not room.files.exists("a.pdf")


def test_a_joined_file_opens_in_a_third_program(room: Room) -> None:
    room.call(pdf_create, path="a.pdf", source="# A\n\ntext")
    reader = pypdf.PdfReader(io.BytesIO(made(room)))
    assert reader.metadata is not None and reader.metadata.producer == "Auteryn" and reader.outline
