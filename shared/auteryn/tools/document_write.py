"""Markdown becomes a Word document: its tokens one by one, in the styles the document has."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from auteryn.errors import ToolFailed
from auteryn.policy.quotas import READ_BYTES
from auteryn.tools.workspace import Workspace

FONT, MONO = "Arial", "Courier New"
INK, ACCENT = "1B2A41", "1F6FEB"
_DEEPEST_LIST = 3
_COLUMN = 30
"""Letters of a line in a table's column; longer text has more lines."""
_LINKS = ("http://", "https://", "mailto:")


def blank() -> Any:
    """An empty A4 document in our look, with page numbers."""
    import docx
    from docx.shared import Cm, Pt, RGBColor

    document: Any = docx.Document()
    page = document.sections[0]
    page.page_width, page.page_height = Cm(21), Cm(29.7)
    page.left_margin = page.right_margin = Cm(2.5)
    page.top_margin = page.bottom_margin = Cm(2.2)
    for name, size in (("Normal", 10.5), ("Title", 26), ("Heading 1", 18), ("Heading 2", 14), ("Heading 3", 12)):
        style = document.styles[name]
        _face(style.element, FONT)
        style.font.size = Pt(size)
        if name != "Normal":
            style.font.color.rgb = RGBColor.from_string(INK)
            style.font.bold = True
    document.styles["Normal"].paragraph_format.space_after = Pt(7)
    document.styles["Normal"].paragraph_format.line_spacing = 1.15
    _page_number(page.footer.paragraphs[0])
    return document


def from_template(real: Path) -> Any:
    """The template without its text; sections, header and footer stay."""
    import docx

    document: Any = docx.Document(str(real))
    body = document.element.body
    for one in list(body):
        if not one.tag.endswith("}sectPr"):
            body.remove(one)
    return document


def filled(document: Any, markdown: str, files: Workspace) -> tuple[bytes, dict[str, Any]]:
    """The document with this text, as bytes, and what is in it; raises `ToolFailed` for a picture that is none."""
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).parse(markdown)
    writer = _Writer(document, files)
    for token in tokens:
        writer.take(token)
    document.core_properties.title = writer.title
    document.core_properties.author = "Auteryn"
    out = io.BytesIO()
    document.save(out)
    return out.getvalue(), {"headings": writer.headings, "tables": writer.tables, "pictures": writer.pictures}


class _Writer:
    """Where in the document the next token goes."""

    def __init__(self, document: Any, files: Workspace) -> None:
        self.document, self.files = document, files
        self.title, self.headings, self.tables, self.pictures = "", 0, 0, 0
        self._style: str | None = None
        """Of the next paragraph, where the block says so."""
        self._lists = list[tuple[str, int | None]]()
        """Open lists: bullet or number, and the numbering's id."""
        self._quotes = 0
        self._first = False
        """The next paragraph is the first of a list's point."""
        self._rows: list[list[Any]] | None = None
        """Rows of the open table, cells as inline tokens."""
        self._aligned: list[str] = []
        """Left, center or right, as the columns of the open table are."""

    def take(self, token: Any) -> None:
        match token.type:
            case "heading_open":
                self._style = f"Heading {token.tag[1:]}"
                self.headings += 1
            case "inline":
                self._inline(token)
            case "bullet_list_open":
                self._lists.append(("Bullet", None))
            case "ordered_list_open":
                self._lists.append(("Number", self._numbering(int(token.attrGet("start") or 1))))
            case "bullet_list_close" | "ordered_list_close":
                self._lists.pop()
            case "list_item_open":
                self._first = True
            case "blockquote_open":
                self._quotes += 1
            case "blockquote_close":
                self._quotes -= 1
            case "fence" | "code_block":
                self._code(token.content)
            case "hr":
                _ruled(self._paragraph(None))
            case "table_open":
                self._rows, self._aligned = [], []
            case "th_open":
                self._aligned.append(str(token.attrGet("style") or "").partition("text-align:")[2].strip())
            case "tr_open":
                assert self._rows is not None
                self._rows.append([])
            case "table_close":
                self._table()
            case _:
                pass

    # ---- blocks

    def _inline(self, token: Any) -> None:
        if self._rows is not None:
            self._rows[-1].append(token)
            return
        if self._style == "Heading 1" and not self.title:
            self.title = "".join(child.content for child in token.children)
        paragraph = self._paragraph(self._block_style())
        if self._lists and self._first and self._lists[-1][1] is not None:
            _number(paragraph, self._lists[-1][1])
        self._style, self._first = None, False
        self._runs(paragraph, token.children)

    def _block_style(self) -> str | None:
        if self._style:
            return self._style
        if self._lists:
            level = min(len(self._lists), _DEEPEST_LIST)
            kind = f"List {self._lists[-1][0]}" if self._first else "List Continue"
            return kind if level == 1 else f"{kind} {level}"
        return "Quote" if self._quotes else None

    def _paragraph(self, style: str | None) -> Any:
        known = {one.name for one in self.document.styles}
        paragraph = self.document.add_paragraph(style=style if style in known else None)
        if style and style not in known and style.startswith("List") and self._first:
            paragraph.add_run("• ")
        return paragraph

    def _code(self, text: str) -> None:
        from docx.shared import Pt

        paragraph = self._paragraph(None)
        run = paragraph.add_run(text.rstrip("\n"))
        run.font.name, run.font.size = MONO, Pt(9)
        _shaded(paragraph._p.get_or_add_pPr(), "F1F4F9")

    def _table(self) -> None:
        rows = [row for row in self._rows or [] if row]
        self._rows = None
        self.tables += 1
        from docx.enum.text import WD_ALIGN_PARAGRAPH

        sides = {"right": WD_ALIGN_PARAGRAPH.RIGHT, "center": WD_ALIGN_PARAGRAPH.CENTER}
        table = self.document.add_table(len(rows), max(map(len, rows)))
        known = {one.name for one in self.document.styles}
        table.style = "Table Grid" if "Table Grid" in known else None
        for y, row in enumerate(rows):
            for x, token in enumerate(row):
                cell = table.cell(y, x)
                paragraph = cell.paragraphs[0]
                paragraph.paragraph_format.space_after = 0
                paragraph.alignment = sides.get(self._aligned[x] if x < len(self._aligned) else "")
                self._runs(paragraph, token.children, bold=y == 0)
                if y == 0:
                    _shaded(cell._tc.get_or_add_tcPr(), "E6ECF5")
        self._widen(table)
        _repeated(table.rows[0])
        self._paragraph(None).paragraph_format.space_after = 0

    def _widen(self, table: Any) -> None:
        """Columns as wide as what stands in them asks for, within the page: no word is cut while another has room."""
        from docx.shared import Emu

        section = self.document.sections[-1]
        room = section.page_width - section.left_margin - section.right_margin
        texts = [[cell.text for cell in column.cells] for column in table.columns]
        longest = [max((len(word) for text in column for word in text.split()), default=0) for column in texts]
        wanted = [max(word, min(_COLUMN, max(map(len, column)))) + 2 for word, column in zip(longest, texts, strict=True)]
        table.autofit = False
        for column, share in zip(table.columns, wanted, strict=True):
            for cell in column.cells:
                cell.width = Emu(room * share // sum(wanted))

    def _numbering(self, start: int) -> int | None:
        """A new numbering from `start`; None if the document has no numbered style."""
        try:
            numbering = self.document.part.numbering_part.element
            style = self.document.styles["List Number"].element
            (old,) = [one for one in numbering.num_lst if one.numId == style.pPr.numPr.numId.val]
        except (KeyError, ValueError, AttributeError, NotImplementedError):
            return None
        new = numbering.add_num(old.abstractNumId.val)
        new.add_lvlOverride(ilvl=0).add_startOverride(start)
        return new.numId

    # ---- inside a paragraph

    def _runs(self, paragraph: Any, children: list[Any], *, bold: bool = False) -> None:
        strong = emphasis = struck = 0
        link: str | None = None
        for child in children:
            match child.type:
                case "strong_open" | "strong_close":
                    strong += 1 if child.nesting > 0 else -1
                case "em_open" | "em_close":
                    emphasis += 1 if child.nesting > 0 else -1
                case "s_open" | "s_close":
                    struck += 1 if child.nesting > 0 else -1
                case "link_open":
                    link = str(child.attrGet("href") or "")
                case "link_close":
                    link = None
                case "image":
                    self._picture(paragraph, child)
                case "softbreak":
                    paragraph.add_run(" ")
                case "hardbreak":
                    paragraph.add_run().add_break()
                case _ if child.content:
                    run = paragraph.add_run(child.content)
                    run.bold = True if strong or bold else None
                    run.italic = True if emphasis else None
                    run.font.strike = True if struck else None
                    if child.type == "code_inline":
                        run.font.name = MONO
                    if link and link.startswith(_LINKS):
                        _linked(paragraph, run, link)
                case _:
                    pass

    def _picture(self, paragraph: Any, child: Any) -> None:
        from docx.shared import Emu

        from auteryn.tools.image import opened_image

        path = unquote(str(child.attrGet("src") or ""))
        if "://" in path or path.startswith("data:"):
            raise ToolFailed("invalid", f"markdown: the picture {path[:80]!r} must be a file of the run")
        body = self.files.read(path, most=READ_BYTES)
        with opened_image(body, path) as picture:
            shape = picture.size
            if picture.format not in ("PNG", "JPEG", "GIF", "BMP", "TIFF"):
                out = io.BytesIO()
                picture.convert("RGBA").save(out, "PNG")
                body = out.getvalue()
        section = self.document.sections[-1]
        room = section.page_width - section.left_margin - section.right_margin
        tall = (section.page_height - section.top_margin - section.bottom_margin) * 0.8
        width = min(room, shape[0] * 9_525, tall * shape[0] / shape[1])
        added = paragraph.add_run().add_picture(io.BytesIO(body), width=Emu(round(width)))
        added._inline.docPr.set("descr", child.content or path)
        self.pictures += 1


# ---- what the library has no words for ---------------------------------------------------------------------------


def _element(name: str, **attributes: str) -> Any:
    from docx import oxml
    from docx.oxml.ns import qn

    library: Any = oxml
    element = library.OxmlElement(name)
    for key, value in attributes.items():
        element.set(qn(f"w:{key}"), value)
    return element


def _shaded(properties: Any, colour: str) -> None:
    properties.append(_element("w:shd", val="clear", color="auto", fill=colour))


def _ruled(paragraph: Any) -> None:
    border = _element("w:pBdr")
    border.append(_element("w:bottom", val="single", sz="6", space="1", color="AAB4C3"))
    paragraph._p.get_or_add_pPr().append(border)


def _repeated(row: Any) -> None:
    """The header stands on every page the table reaches."""
    row._tr.get_or_add_trPr().append(_element("w:tblHeader", val="true"))


def _number(paragraph: Any, numbering: int) -> None:
    properties = paragraph._p.get_or_add_pPr().get_or_add_numPr()
    properties.get_or_add_ilvl().val = 0
    properties.get_or_add_numId().val = numbering


def _linked(paragraph: Any, run: Any, to: str) -> None:
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.oxml.ns import qn
    from docx.shared import RGBColor

    link = _element("w:hyperlink")
    link.set(qn("r:id"), paragraph.part.relate_to(to, RELATIONSHIP_TYPE.HYPERLINK, is_external=True))
    run.font.color.rgb, run.font.underline = RGBColor.from_string(ACCENT), True
    run._r.getparent().replace(run._r, link)
    link.append(run._r)


def _page_number(paragraph: Any) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH

    paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    for kind in ("begin", None, "end"):
        run = paragraph.add_run()
        if kind:
            run._r.append(_element("w:fldChar", fldCharType=kind))
        else:
            text = _element("w:instrText")
            text.text = "PAGE"
            run._r.append(text)


def _face(style: Any, font: str) -> None:
    """The font for every script; themes otherwise win over it."""
    from docx.oxml.ns import qn

    fonts = style.get_or_add_rPr().get_or_add_rFonts()
    for name in list(fonts.attrib):
        del fonts.attrib[name]
    for script in ("ascii", "hAnsi", "cs", "eastAsia"):
        fonts.set(qn(f"w:{script}"), font)
