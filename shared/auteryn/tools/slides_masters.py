"""The three looks a deck can have, as ordinary PowerPoint files anybody can open, change and give as a template.

`python -m auteryn.tools.slides_masters` writes `templates/*.pptx` anew; a test says when it must be.
"""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

from auteryn.schema.record import Record

FOLDER = Path(__file__).with_name("templates")
WIDTH, HEIGHT = 12_192_000, 6_858_000
"""13.33 by 7.5 inches, in English metric units (914,400 an inch)."""
_WHEN = (2026, 1, 1, 0, 0, 0)


class Look(Record):
    """Colours by their part in the theme."""

    name: str
    paper: str
    ink: str
    muted: str
    card: str
    accents: tuple[str, str, str, str, str, str]
    cover: str
    """Behind the title slide."""
    on_cover: str
    shapes: tuple[tuple[str, float, float, float, float, str], ...]
    """Of the title slide: form, left, top, width, height (in parts of the slide), accent."""


LOOKS = (
    Look(
        name="clear",
        paper="FFFFFF",
        ink="1B2A41",
        muted="5B6B82",
        card="F1F4F9",
        accents=("1F6FEB", "12A594", "F59E0B", "D6455D", "7C5CDB", "4B5D78"),
        cover="FFFFFF",
        on_cover="1B2A41",
        shapes=(("rect", 0.74, 0, 0.26, 1, "accent1"), ("rect", 0.72, 0, 0.02, 1, "accent2")),
    ),
    Look(
        name="night",
        paper="0F1B2D",
        ink="F4F7FB",
        muted="A9B8CC",
        card="1B2C45",
        accents=("38BDF8", "34D399", "FBBF24", "FB7185", "A78BFA", "94A3B8"),
        cover="0B1524",
        on_cover="F4F7FB",
        shapes=(("ellipse", 0.72, 0.5, 0.46, 0.82, "bg2"), ("ellipse", 0.83, 0.34, 0.14, 0.25, "accent1")),
    ),
    Look(
        name="warm",
        paper="FBF7F0",
        ink="3B2A20",
        muted="7D6B5D",
        card="F2E9DC",
        accents=("C2542D", "5F7F5A", "D9982F", "A23B4A", "3F6C7A", "8A7463"),
        cover="F2E9DC",
        on_cover="3B2A20",
        shapes=(("rect", 0, 0.86, 1, 0.14, "accent1"), ("rect", 0, 0.84, 1, 0.02, "accent3")),
    ),
)

_NAMESPACES = (
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
)


def made(look: Look) -> bytes:
    """The template file of a look; the same bytes every time."""
    from pptx import Presentation

    deck: Any = Presentation()
    deck.slide_width, deck.slide_height = WIDTH, HEIGHT
    for layout in list(deck.slide_layouts):
        if layout.name not in ("Title Slide", "Title Only"):
            deck.slide_layouts.remove(layout)
    master = deck.slide_master
    title = _place("title", None, "Title", 0.05, 0.055, 0.9, 0.13, 2800, None, "ctr", bold=True)
    _drawn(master, _background("bg1"), _rule(), title, _body(), _number())
    _drawn(
        deck.slide_layouts[0],
        _background_colour(look.cover),
        *(_shape(*one) for one in look.shapes),
        _place("ctrTitle", 0, "Title", 0.06, 0.2, 0.62, 0.34, 4400, look.on_cover, "b", bold=True),
        _place("subTitle", 1, "Subtitle", 0.06, 0.57, 0.62, 0.18, 2000, look.on_cover, "t"),
    )
    _drawn(deck.slide_layouts[1], "", title, _number())
    deck.slide_layouts[0]._element.set("showMasterSp", "0")
    _left(master)
    out = io.BytesIO()
    deck.save(out)
    return _tidied(out.getvalue(), look)


def write() -> None:
    FOLDER.mkdir(exist_ok=True)
    for look in LOOKS:
        (FOLDER / f"{look.name}.pptx").write_bytes(made(look))


# ---- pieces ------------------------------------------------------------------------------------------------------


def _drawn(page: Any, background: str, *shapes: str) -> None:
    """Put these shapes and nothing else on a master or a layout."""
    from pptx.oxml import parse_xml

    content: Any = page._element.cSld
    for old in list(content.spTree)[2:]:
        content.spTree.remove(old)
    for shape in filter(None, shapes):
        content.spTree.append(parse_xml(shape))
    if background:
        for old in content.findall("{http://schemas.openxmlformats.org/presentationml/2006/main}bg"):
            content.remove(old)
        content.insert(0, parse_xml(background))


def _left(master: Any) -> None:
    """Titles begin at the left and are bold, in the master's own style as well."""
    style = master._element.find(".//{*}titleStyle/{*}lvl1pPr")
    style.set("algn", "l")
    style.find("{*}defRPr").set("sz", "2800")
    style.find("{*}defRPr").set("b", "1")


def _background(colour: str) -> str:
    return f'<p:bg {_NAMESPACES}><p:bgPr><a:solidFill><a:schemeClr val="{colour}"/></a:solidFill><a:effectLst/></p:bgPr></p:bg>'


def _background_colour(colour: str) -> str:
    return f'<p:bg {_NAMESPACES}><p:bgPr><a:solidFill><a:srgbClr val="{colour}"/></a:solidFill><a:effectLst/></p:bgPr></p:bg>'


def _shape(form: str, left: float, top: float, width: float, height: float, colour: str) -> str:
    return (
        f'<p:sp {_NAMESPACES}><p:nvSpPr><p:cNvPr id="{_id(left, top, width)}" name="Decoration"/>'
        f'<p:cNvSpPr/><p:nvPr userDrawn="1"/></p:nvSpPr><p:spPr>{_at(left, top, width, height, form)}'
        f'<a:solidFill><a:schemeClr val="{colour}"/></a:solidFill><a:ln><a:noFill/></a:ln></p:spPr></p:sp>'
    )


def _rule() -> str:
    """A short bar at the title's left."""
    return _shape("rect", 0, 0.082, 0.012, 0.076, "accent1")


def _body() -> str:
    return _place("body", 1, "Body", 0.05, 0.22, 0.9, 0.68, 1800, None, "t")


def _number() -> str:
    return (
        f'<p:sp {_NAMESPACES}><p:nvSpPr><p:cNvPr id="9" name="Slide Number"/><p:cNvSpPr><a:spLocks noGrp="1"/></p:cNvSpPr>'
        f'<p:nvPr><p:ph type="sldNum" sz="quarter" idx="12"/></p:nvPr></p:nvSpPr>'
        f"<p:spPr>{_at(0.87, 0.935, 0.08, 0.045)}</p:spPr>"
        '<p:txBody><a:bodyPr lIns="0" tIns="0" rIns="0" bIns="0" anchor="ctr"/><a:lstStyle><a:lvl1pPr algn="r">'
        '<a:defRPr sz="1000"><a:solidFill><a:schemeClr val="tx2"/></a:solidFill></a:defRPr></a:lvl1pPr></a:lstStyle>'
        '<a:p><a:fld id="{C1FF6DA9-008F-8B48-92A6-B652298478BF}" type="slidenum"><a:rPr lang="en-US"/><a:t>0</a:t></a:fld>'
        "</a:p></p:txBody></p:sp>"
    )


def _place(
    kind: str,
    index: int | None,
    name: str,
    left: float,
    top: float,
    width: float,
    height: float,
    size: int,
    colour: str | None,
    anchor: str,
    *,
    bold: bool = False,
) -> str:
    """A placeholder."""
    numbered = "" if index is None else f' idx="{index}"'
    fill = f'<a:srgbClr val="{colour}"/>' if colour else '<a:schemeClr val="tx1"/>'
    font = f'<a:defRPr sz="{size}" b="{int(bold)}"><a:solidFill>{fill}</a:solidFill></a:defRPr>'
    return (
        f'<p:sp {_NAMESPACES}><p:nvSpPr><p:cNvPr id="{_id(left, top, size)}" name="{name}"/>'
        f'<p:cNvSpPr><a:spLocks noGrp="1"/></p:cNvSpPr><p:nvPr><p:ph type="{kind}"{numbered}/></p:nvPr></p:nvSpPr>'
        f"<p:spPr>{_at(left, top, width, height)}</p:spPr><p:txBody>"
        f'<a:bodyPr lIns="0" tIns="0" rIns="0" bIns="0" anchor="{anchor}"><a:noAutofit/></a:bodyPr>'
        f'<a:lstStyle><a:lvl1pPr marL="0" indent="0" algn="l"><a:buNone/>{font}</a:lvl1pPr></a:lstStyle>'
        f'<a:p><a:r><a:rPr lang="en-US"/><a:t>{name}</a:t></a:r></a:p></p:txBody></p:sp>'
    )


def _at(left: float, top: float, width: float, height: float, form: str = "rect") -> str:
    x, y, cx, cy = round(left * WIDTH), round(top * HEIGHT), round(width * WIDTH), round(height * HEIGHT)
    frame = f'<a:xfrm><a:off x="{x}" y="{y}"/><a:ext cx="{cx}" cy="{cy}"/></a:xfrm>'
    return f'{frame}<a:prstGeom prst="{form}"><a:avLst/></a:prstGeom>'


def _id(*of: float) -> int:
    return 10 + round(sum(of) * 1000) % 100_000


def _tidied(body: bytes, look: Look) -> bytes:
    """The theme in the look's colours and fonts; without thumbnail, printer settings and the time of writing."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist(), key=lambda name: (name != "[Content_Types].xml", name)):
            if "printerSettings" in name or "thumbnail" in name:
                continue
            part = old.read(name)
            if name.startswith("ppt/theme/theme"):
                part = _themed(part.decode(), look).encode()
            if name in ("ppt/_rels/presentation.xml.rels", "_rels/.rels"):
                part = re.sub(rb"<Relationship [^>]*(?:printerSettings|thumbnail)[^>]*/>", b"", part)
            new.writestr(zipfile.ZipInfo(name, _WHEN), part, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _themed(theme: str, look: Look) -> str:
    colours = {"dk1": look.ink, "lt1": look.paper, "dk2": look.muted, "lt2": look.card}
    colours |= {f"accent{at}": colour for at, colour in enumerate(look.accents, 1)}
    colours |= {"hlink": look.accents[0], "folHlink": look.accents[4]}
    scheme = "".join(f'<a:{name}><a:srgbClr val="{colour}"/></a:{name}>' for name, colour in colours.items())
    scheme = f'<a:clrScheme name="{look.name}">{scheme}</a:clrScheme>'
    theme = re.sub(r"<a:clrScheme .*?</a:clrScheme>", scheme, theme, flags=re.DOTALL)
    theme = re.sub(r'(<a:(?:majorFont|minorFont)>\s*<a:latin typeface=")[^"]*', r"\1Arial", theme)
    return re.sub(r'(<a:theme [^>]*name=")[^"]*', rf"\1Auteryn {look.name}", theme)


if __name__ == "__main__":
    write()
