"""A deck says what was asked, looks as its template does, and no text leaves its place."""

from __future__ import annotations

import asyncio
import io
import random
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pptx import Presentation
from pptx.enum.chart import XL_TICK_LABEL_POSITION

from auteryn.errors import ToolFailed
from auteryn.tools import slides_masters
from auteryn.tools.registry import Registry
from auteryn.tools.slides import LOOKS, slides_create
from auteryn.tools.slides_fit import fitted, height_of, lines_of, point
from unit.tools.office import LibreOffice, pdf, pdf_texts, signs
from unit.tools.outside import as_a_judge_calls
from unit.tools.room import Room

SWOT = {
    "layout": "swot",
    "title": "Acme",
    "strengths": ["Largest network", "Best reports"],
    "weaknesses": ["Slow app"],
    "opportunities": ["Tenders in spring"],
    "threats": ["A rival undercuts by 30 %"],
}
TABLE = {"layout": "table", "title": "Prices", "columns": ["Vendor", "Price"], "rows": [["Acme", 9.5], ["Bolt", 1200]]}


def made(room: Room, *slides: dict[str, Any], template: str = "clear", title: str = "Deck") -> dict[str, Any]:
    return room.call(slides_create, path="deck.pptx", title=title, slides=list(slides), template=template)


def deck(room: Room) -> Any:
    return Presentation(io.BytesIO(room.files.read("deck.pptx")))


def picture(wide: int, high: int, form: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (wide, high), (200, 30, 30)).save(out, form, **options)
    return out.getvalue()


# ---- what is on the pages ------------------------------------------------------------------------------------


@pytest.mark.tool("slides_create", "happy")
@pytest.mark.proves("P32", "P72")
def test_a_judge_makes_a_deck_and_another_program_reads_every_word(room: Room, libreoffice: LibreOffice) -> None:
    room.put("chart.png", picture(400, 300))
    wanted = [
        {"layout": "title", "title": "Ten vendors", "subtitle": "November 2026"},
        {"layout": "bullets", "title": "Findings", "bullets": ["**Prices** fell", "  by 12 % at Acme"]},
        {
            "layout": "two_column",
            "title": "Choice",
            "left_title": "Build",
            "left": ["Slow"],
            "right_title": "Buy",
            "right": ["Dear"],
        },
        TABLE | {"caption": "Source: vendors"},
        {"layout": "chart", "title": "Share", "kind": "bar", "columns": ["Who", "Share"], "rows": [["Acme", 60], ["Bolt", 40]]},
        {"layout": "image", "title": "The page", "image": "chart.png", "caption": "As of today"},
        SWOT,
        {"layout": "quote", "title": "Voices", "quote": "It just runs.", "author": "A customer"},
    ]
    given_ = as_a_judge_calls(slides_create, path="deck.pptx", title="Vendors", slides=wanted, template="clear")
    told = room.call(slides_create, **given_)
    assert told["pages"] == 8 and told["titles"][1] == "Findings"
    pages = pdf_texts(libreoffice.converted(room.files.read("deck.pptx"), "deck.pptx", "pdf"))
    words = [
        ["Ten vendors", "November 2026"],
        ["Findings", "Prices fell", "by 12 % at Acme"],
        ["Choice", "Build", "Slow", "Buy", "Dear"],
        ["Vendor", "Price", "Acme", "9.5", "Bolt", "1,200", "Source: vendors"],
        ["Share", "Acme", "60", "Bolt", "40"],
        ["The page", "As of today"],
        ["Strengths", "Largest network", "Weaknesses", "Slow app", "Opportunities", "Threats", "30 %"],
        ["“It just runs.”", "A customer"],
    ]
    assert len(pages) == len(words)
    for page, said in zip(pages, words, strict=True):
        assert not [one for one in said if one not in page], page


def test_charts_and_tables_are_native_so_that_people_can_go_on_with_them(room: Room) -> None:
    chart = {"layout": "chart", "title": "C", "columns": ["Month", "A", "B"], "rows": [["Jan", 1, 2.5], ["Feb", None, 4]]}
    made(room, *(chart | {"kind": kind} for kind in ("column", "bar", "line", "area")), TABLE)
    *charts, table = list(deck(room).slides)[1:]
    for page in charts:
        native = next(shape for shape in page.shapes if shape.has_chart).chart
        assert native.category_axis.tick_label_position == XL_TICK_LABEL_POSITION.LOW, "names lie on bars of negative numbers"
        assert list(native.plots[0].categories) == ["Jan", "Feb"]
        assert [(one.name, list(one.values)) for one in native.plots[0].series] == [("A", [1, None]), ("B", [2.5, 4])]
    cells = next(shape for shape in table.shapes if shape.has_table).table
    shown = [[cell.text for cell in row.cells] for row in cells.rows]
    assert shown == [
        ["Vendor", "Price"],
        ["Acme", "9.5"],
        ["Bolt", "1,200"],
    ]


def test_a_scatter_and_a_pie_hold_their_numbers(room: Room) -> None:
    made(
        room,
        {"layout": "chart", "title": "S", "kind": "scatter", "columns": ["x", "y"], "rows": [[1, 2], [3.5, 4], [None, 1]]},
        {"layout": "chart", "title": "P", "kind": "pie", "columns": ["who", "share"], "rows": [["a", 1], ["b", 3]]},
    )
    scatter, pie = (next(shape for shape in page.shapes if shape.has_chart).chart for page in list(deck(room).slides)[1:])
    assert list(scatter.plots[0].series[0].values) == [2, 4] and list(pie.plots[0].series[0].values) == [1, 3]


def test_a_deck_begins_with_its_title_and_carries_numbers_and_notes(room: Room) -> None:
    told = made(room, SWOT | {"notes": "Say hello"}, title="Our rivals")
    pages = list(deck(room).slides)
    assert told["titles"] == ["Our rivals", "Acme"] and pages[1].notes_slide.notes_text_frame.text == "Say hello"
    assert any('type="slidenum"' in shape._element.xml for shape in pages[1].shapes)
    assert deck(room).core_properties.title == "Our rivals"


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP"])
def test_pictures_keep_their_shape_and_stay_on_the_page(room: Room, form: str) -> None:
    room.put("wide.img", picture(1600, 200, form))
    room.put("tall.img", picture(100, 900, form))
    made(room, *({"layout": "image", "title": "P", "image": name} for name in ("wide.img", "tall.img")))
    for page, shape in zip(list(deck(room).slides)[1:], (8.0, 1 / 9), strict=True):
        image = next(one for one in page.shapes if one.shape_type == 13)
        assert image.width / image.height == pytest.approx(shape, rel=0.01)
        assert image.left >= 0 and image.top + image.height <= deck(room).slide_height


# ---- nothing overflows ---------------------------------------------------------------------------------------


WORDS = [
    "price",
    "Überraschung",
    "30%",
    "seat,",
    "(annual)",
    "enterprise-grade",
    "WWW",
    "support",
    "競合他社",
    "Donaudampfschifffahrtsgesellschaft",
    "of",
    "the",
    "iii",
]


def texts(rng: random.Random, most: int, longest: int) -> list[str]:
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, longest))) for _ in range(rng.randint(1, most))]


def full_slides(rng: random.Random) -> list[dict[str, Any]]:
    """Slides as full as they may be: what is refused is shortened until it is taken."""
    long = texts(rng, 1, 9)[0]
    rows = [(texts(rng, 1, 5) + texts(rng, 1, 16) + [rng.random() * 1e6]) for _ in range(rng.randint(1, 40))]
    four = {name: texts(rng, 5, 9) for name in ("strengths", "weaknesses", "opportunities", "threats")}
    return [
        {"layout": "bullets", "title": long, "bullets": texts(rng, 14, 25)},
        {"layout": "two_column", "title": "Two", "left_title": "Left", "left": texts(rng, 9, 14), "right": texts(rng, 9, 14)},
        {"layout": "swot", "title": long} | four,
        {"layout": "table", "title": "Table", "columns": ["a", "b", "Enterprise-grade"], "rows": rows},
        {"layout": "quote", "title": long, "quote": texts(rng, 1, 60)[0], "author": texts(rng, 1, 5)[0]},
    ]


def places(page: Any) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Every text of a slide in drawing order, with the box it must not leave, in points."""
    found = list[tuple[str, tuple[float, float, float, float]]]()
    for shape in page.shapes:
        left, top = shape.left / 12_700, shape.top / 12_700
        if shape.has_table:
            for row in shape.table.rows:
                x, tall = left, row.height / 12_700
                for cell, column in zip(row.cells, shape.table.columns, strict=True):
                    found.append((cell.text, (x, top, x + column.width / 12_700, top + tall)))
                    x += column.width / 12_700
                top += tall
        elif shape.has_text_frame and shape.text_frame.text.strip() and "slidenum" not in shape._element.xml:
            found.append((shape.text_frame.text, (left, top, left + shape.width / 12_700, top + shape.height / 12_700)))
    return found


@pytest.mark.proves("P72")
@pytest.mark.parametrize("template", LOOKS)
def test_every_letter_another_program_draws_is_inside_its_box(room: Room, libreoffice: LibreOffice, template: str) -> None:
    rng = random.Random(template)
    wanted = [slide for _ in range(2) for slide in full_slides(rng)]
    taken = [slide for slide in wanted if fits(room, slide)]
    assert len(taken) > len(wanted) * 0.6
    made(room, *taken, template=template)
    slides = list(deck(room).slides)
    with pdf(libreoffice.converted(room.files.read("deck.pptx"), "deck.pptx", "pdf")) as document:
        assert len(document) == len(slides)
        for number, slide in enumerate(slides):
            with closing(document[number]) as page:
                drawn = iter(signs(page))
            for text, (left, top, right, bottom) in places(slide):
                for sign in filter(str.isalnum, text):
                    seen, box = next(drawn)
                    assert seen == sign, (number, text)
                    assert box[0] >= left - 1 and box[1] >= top - 1 and box[2] <= right + 1 and box[3] <= bottom + 1, (
                        f"slide {number}: {sign!r} of {text[:60]!r} is drawn at {box}, outside {(left, top, right, bottom)}"
                    )


def fits(room: Room, slide: dict[str, Any]) -> bool:
    try:
        made(room, slide)
    except ToolFailed as error:
        assert error.kind == "too_large" and "slides[0]." in str(error)
        return False
    return True


def test_no_box_leaves_the_page_or_covers_another_text(room: Room) -> None:
    rng = random.Random(5)
    made(room, *(slide for slide in full_slides(rng) if fits(room, slide)))
    width, height = deck(room).slide_width / 12_700, deck(room).slide_height / 12_700
    for slide in deck(room).slides:
        boxes = [box for _, box in places(slide)]
        for left, top, right, bottom in boxes:
            assert left >= 0 and top >= 0 and right <= width + 0.1 and bottom <= height + 0.1
        for at, one in enumerate(boxes):
            for two in boxes[at + 1 :]:
                apart = one[2] <= two[0] + 0.5 or two[2] <= one[0] + 0.5 or one[3] <= two[1] + 0.5 or two[3] <= one[1] + 0.5
                assert apart, (one, two)


def test_long_lists_and_tables_go_on_over_further_pages(room: Room) -> None:
    points = [f"Point {at} " + "that goes on for a good while " * 3 for at in range(20)]
    rows = [[f"row {at}", at] for at in range(60)]
    told = made(
        room,
        {"layout": "bullets", "title": "Many", "bullets": points},
        {"layout": "table", "title": "Rows", "columns": ["name", "n"], "rows": rows},
    )
    many = [title for title in told["titles"] if title.startswith("Many")]
    assert many[0] == f"Many (1/{len(many)})" and len(many) > 1
    shown = [text for slide in deck(room).slides for text, _ in places(slide)]
    assert [at for at in range(20) if not any(f"Point {at} " in text for text in shown)] == []
    assert [row for row, _ in rows if row not in shown] == [] and shown.count("name") == sum(
        title.startswith("Rows") for title in told["titles"]
    )


@pytest.mark.tool("slides_create", "failure")
@pytest.mark.parametrize(
    ("slide", "field"),
    [
        ({"layout": "title", "title": "word " * 200}, "title"),
        ({"layout": "bullets", "title": "x " * 400, "bullets": ["a"]}, "title"),
        ({"layout": "bullets", "title": "B", "bullets": ["word " * 2_000]}, "bullets"),
        (SWOT | {"threats": ["a long threat that never ends " * 3] * 20}, "threats"),
        ({"layout": "quote", "quote": "word " * 500}, "quote"),
        ({"layout": "table", "columns": ["a", "b"], "rows": [["word " * 2_000, 1]]}, "rows"),
        (TABLE | {"caption": "word " * 200}, "caption"),
        ({"layout": "table", "columns": [str(at) for at in range(30)], "rows": [[1]]}, "rows"),
    ],
)
def test_what_fits_at_no_size_is_refused_by_its_field(room: Room, slide: dict[str, Any], field: str) -> None:
    failed = room.refusal(slides_create, path="deck.pptx", title="D", slides=[slide])
    assert failed.kind == "too_large" and f"slides[0].{field}" in str(failed) and not room.files.exists("deck.pptx")


@pytest.mark.tool("slides_create", "failure")
@pytest.mark.parametrize(
    ("slide", "said"),
    [
        ({"layout": "bullets", "title": "B"}, "slides[0].bullets: is empty"),
        ({"layout": "swot", "title": "S"}, "slides[0].strengths"),
        ({"layout": "image", "title": "S"}, "slides[0].image: is empty"),
        ({"layout": "table", "columns": ["a"], "rows": [[1, 2]]}, "slides[0].rows[0]: 2 cells"),
        ({"layout": "chart", "columns": ["a", "b"], "rows": [["x", "many"]]}, "slides[0].rows[0][1]: 'many' must be a number"),
        ({"layout": "chart", "columns": ["a"], "rows": []}, "slides[0].columns"),
    ],
)
def test_what_a_layout_lacks_is_said(room: Room, slide: dict[str, Any], said: str) -> None:
    failed = room.refusal(slides_create, path="deck.pptx", title="D", slides=[slide])
    assert failed.kind == "invalid" and said in str(failed)


def test_other_refusals_name_their_argument(room: Room) -> None:
    room.put("no.png", b"not a picture")
    room.put("bad.pptx", b"PK\x03\x04 not really")
    slide = {"layout": "image", "title": "I", "image": "no.png"}
    assert room.refusal(slides_create, path="deck.pdf", title="D", slides=[SWOT]).kind == "unsupported"
    assert room.refusal(slides_create, path="deck.pptx", title="D", slides=[slide]).kind == "unsupported"
    assert room.refusal(slides_create, path="deck.pptx", title="D", slides=[slide | {"image": "x.png"}]).kind == "not_found"
    assert room.refusal(slides_create, path="deck.pptx", title="D", slides=[SWOT], template="pink").kind == "invalid"
    assert room.refusal(slides_create, path="deck.pptx", title="D", slides=[SWOT], template="bad.pptx").kind == "unsupported"
    assert room.refusal(slides_create, path="deck.pptx", title="D", slides=[{"layout": "pie"}]).kind == "invalid"


@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300), width=st.floats(20, 900))
def test_the_measure_never_gets_smaller_when_the_place_gets_narrower(text: str, width: float) -> None:
    one = point(text)
    assert lines_of(one, 18, width) >= lines_of(one, 18, width + 50) >= 1
    assert height_of([one], 12, width) <= height_of([one], 18, width)
    size = fitted([one], width, 300, (24, 18, 12))
    assert size is None or height_of([one], size, width) <= 300


# ---- templates -----------------------------------------------------------------------------------------------


def test_the_templates_in_the_package_are_current() -> None:
    """Else run `python -m auteryn.tools.slides_masters`."""
    for look in slides_masters.LOOKS:
        assert (slides_masters.FOLDER / f"{look.name}.pptx").read_bytes() == slides_masters.made(look)
    assert tuple(look.name for look in slides_masters.LOOKS) == LOOKS


def test_a_given_file_lends_its_design_and_none_of_its_slides(room: Room) -> None:
    theirs: Any = Presentation()
    for layout in (0, 1, 5):
        theirs.slides.add_slide(theirs.slide_layouts[layout]).shapes.title.text = "SECRET"
    out = io.BytesIO()
    theirs.save(out)
    room.put("corporate.pptx", out.getvalue())
    told = made(room, SWOT, TABLE, template="corporate.pptx")
    mine = deck(room)
    assert (mine.slide_width, told["pages"]) == (theirs.slide_width, 3) and b"SECRET" not in room.files.read("deck.pptx")
    for slide in mine.slides:
        for _, box in places(slide):
            assert box[0] >= 0 and box[2] <= mine.slide_width / 12_700 and box[3] <= mine.slide_height / 12_700


# ---- the contract --------------------------------------------------------------------------------------------


def test_the_same_call_gives_the_same_deck(room: Room) -> None:
    chart = {"layout": "chart", "title": "C", "columns": ["Month", "A"], "rows": [["Jan", 1], ["Feb", 2]]}
    first = made(room, SWOT, TABLE, chart)
    body = room.files.read("deck.pptx")
    assert made(room, SWOT, TABLE, chart) == first and room.files.read("deck.pptx") == body
    assert slides_create.effect == "idempotent" and slides_create.serial and slides_create.serial({"path": "x"}) == "x"


def test_a_cancelled_call_writes_nothing(room: Room) -> None:
    room.call(slides_create, path="other.pptx", title="D", slides=[SWOT])
    context = room.context
    assert context is not None

    async def cancel_it() -> None:
        from auteryn.tools.signature import arguments

        given_ = arguments(slides_create, {"path": "deck.pptx", "title": "D", "slides": [SWOT] * 150})
        call = asyncio.create_task(slides_create.fn(context, **given_))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(cancel_it())
    half_made = room.files.own / "tmp"
    assert not room.files.exists("deck.pptx") and not (half_made.exists() and list(half_made.iterdir()))


def test_without_its_library_the_tool_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolFailed, match=r"auteryn\[office\]"):
        Registry([slides_create]).get("slides_create")


def test_a_small_number_in_a_table_is_not_nothing(room: Room) -> None:
    table = {"layout": "table", "title": "Risk", "columns": ["what", "share"], "rows": [["a", 0.003], ["b", 0.25], ["c", 0.0]]}
    room.call(slides_create, path="a.pptx", title="", slides=[table])
    (slide,) = Presentation(io.BytesIO(room.files.read("a.pptx"))).slides
    (shown,) = [shape.table for shape in slide.shapes if shape.has_table]
    assert [row.cells[1].text for row in shown.rows] == ["share", "0.003", "0.25", "0"]
