"""Other people's programs as second readers: LibreOffice turns files into others, pdfium sees what stands where."""

from __future__ import annotations

import io
import re
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as raw
from python_calamine import CalamineWorkbook


class LibreOffice:
    """The office suite, with a profile of its own. One conversion at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0

    def converted(self, body: bytes, name: str, to: str) -> bytes:
        """The file `name` with this body as `to` (`pdf`, `xlsx`, `odt`; a filter may follow a colon)."""
        self._count += 1
        work = self.folder / str(self._count)
        work.mkdir()
        (work / name).write_bytes(body)
        profile = f"-env:UserInstallation=file://{self.folder}/profile"
        command = ["soffice", profile, "--headless", "--norestore", "--convert-to", to, "--outdir", str(work / "out"), name]
        done = subprocess.run(command, cwd=work, capture_output=True, timeout=120, check=False)
        made = work / "out" / f"{Path(name).stem}.{to.partition(':')[0]}"
        assert made.exists(), (done.stdout, done.stderr)
        return made.read_bytes()


@contextmanager
def pdf(body: bytes) -> Iterator[Any]:
    with closing(pypdfium2.PdfDocument(body)) as document:
        yield document


def without_values(body: bytes) -> bytes:
    """A workbook whose formulas have no values: who opens it must compute them."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            part = old.read(name)
            if name.startswith("xl/worksheets/"):
                part = re.sub(rb"(</f>)<v>[^<]*</v>", rb"\1", part)
            new.writestr(name, part)
    return out.getvalue()


def sheet_of(body: bytes, name: str) -> list[list[Any]]:
    """A sheet's cells as calamine reads them."""
    with CalamineWorkbook.from_filelike(io.BytesIO(body)) as book:
        return book.get_sheet_by_name(name).to_python(skip_empty_area=False)


def pdf_texts(body: bytes) -> list[str]:
    """The text of every page."""
    with pdf(body) as document:
        return [_text(page) for page in document]


def _text(page: Any) -> str:
    with closing(page), closing(page.get_textpage()) as text:
        return text.get_text_bounded().replace("\r\n", "\n")


def signs(page: Any) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Letters and digits of a page in the order they were drawn, with left, top, right, bottom in points from the top left."""
    height = page.get_height()
    with closing(page.get_textpage()) as text:
        drawn = [(chr(raw.FPDFText_GetUnicode(text, at)), at) for at in range(text.count_chars())]
        found = [(sign, text.get_charbox(at)) for sign, at in drawn if sign.isalnum()]
    return [(sign, (left, height - top, right, height - bottom)) for sign, (left, bottom, right, top) in found]
