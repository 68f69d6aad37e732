"""The specification's two researches, with a model that only says which tool comes next: ten competitors in an afternoon,
twenty in five days. Everything it hands over is opened with another program."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pptx import Presentation
from python_calamine import CalamineWorkbook

from auteryn.runtime.files import Files
from auteryn.schema.run import FileCheck, Options
from auteryn.testing.clock import skipping
from auteryn.testing.scripted import Ask, Call, Line, call
from auteryn.testing.world import World
from auteryn.tools import slack as slack_module
from scenarios.real_tools import REAL
from unit.tools.fault_server import FaultServer
from unit.tools.office import LibreOffice, pdf_texts
from unit.tools.test_confluence import Wiki, set_up
from unit.tools.test_email import Post, post
from unit.tools.test_slack import Slack

__all__ = ["post"]


def facts(number: int) -> dict[str, Any]:
    return {
        "name": f"Vendor {number}",
        "price": 9.5 + number,
        "features": 3 + number % 5,
        "review": f"{3 + number % 3} of 5 stars",
    }


def page(number: int) -> str:
    one = facts(number)
    return (
        f"<html><head><title>{one['name']}</title></head><body><h1>{one['name']}</h1><p>Price: ${one['price']} a seat.</p>"
        f"<p>{one['features']} features. Reviews: {one['review']}.</p></body></html>"
    )


@pytest.fixture
def web() -> Iterator[FaultServer]:
    """The competitors' pages."""
    server = FaultServer()
    for number in range(20):
        server.on(f"/vendor/{number}", page(number))
    yield server
    server.close()


def fetched(ask: Ask, count: int) -> list[dict[str, Any]]:
    """What the pages said, checked against the tool's answers: a vendor no answer speaks of is not in the report."""
    answers = [part["functionResponse"] for one in ask.request.contents for part in one["parts"] if "functionResponse" in part]
    texts = [json.dumps(one["response"]) for one in answers if one["name"] == "web_fetch"]
    found = [facts(number) for number in range(count)]
    read = [one for one in found if any(f"${one['price']} a seat" in text and one["review"] in text for text in texts)]
    assert read == found
    return read


def swot(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "layout": "swot",
        "title": f"{one['name']}: SWOT",
        "strengths": [f"{one['features']} features", f"Rated {one['review']}"],
        "weaknesses": [f"${one['price']} a seat is above the cheapest"],
        "opportunities": ["Bundles for small teams"],
        "threats": ["Cheaper rivals"],
    }


def book(found: list[dict[str, Any]], name: str = "Comparison") -> dict[str, Any]:
    rows = [[one["name"], one["price"], one["features"], one["review"]] for one in found]
    chart = {"kind": "column", "x": "Vendor", "y": "Price", "title": "Price per seat"}
    return {
        "name": name,
        "columns": ["Vendor", {"header": "Price", "format": "usd"}, "Features", "Reviews"],
        "rows": rows,
        "charts": [chart],
        "formulas": {f"B{len(rows) + 3}": f"=AVERAGE(B2:B{len(rows) + 1})"},
    }


def sheet_rows(files: Any, path: str, sheet: str) -> list[list[Any]]:
    with CalamineWorkbook.from_filelike(io.BytesIO(files.read(path))) as opened:
        return opened.get_sheet_by_name(sheet).to_python(skip_empty_area=False)


def swots(files: Any, path: str) -> list[str]:
    deck: Any = Presentation(io.BytesIO(files.read(path)))
    return [title for slide in deck.slides if slide.shapes.title and "SWOT" in (title := slide.shapes.title.text_frame.text)]


@pytest.mark.proves("P32", "P20")
def test_ten_competitors_become_a_workbook_a_deck_and_one_mail(
    tmp_path: Path, web: FaultServer, post: Post, libreoffice: LibreOffice
) -> None:
    def script(ask: Ask) -> Line:
        match ask.turn:
            case 0:
                return [call("web_fetch", url=web.url(f"/vendor/{number}", host="shop.test")) for number in range(10)]
            case 1:
                found = fetched(ask, 10)
                return [
                    call("sheet_create", path="comparison.xlsx", sheets=[book(found)]),
                    call("slides_create", path="rivals.pptx", title="Ten competitors", slides=[swot(one) for one in found]),
                ]
            case 2:
                return call(
                    "email_send",
                    to=["team@example.com"],
                    subject="Ten competitors",
                    body_markdown="The comparison and the SWOT deck.",
                    attachments=["comparison.xlsx", "rivals.pptx"],
                )
            case _:
                return "Ten competitors compared; workbook, deck and mail are done."

    wanted = (FileCheck(path="comparison.xlsx", min_rows=10), FileCheck(path="rivals.pptx"))

    async def story() -> None:
        settings = {"egress": web.egress("shop.test")}
        async with World(tmp_path, model=script, tools=REAL, **settings) as world:
            run = await world.start(
                "Research 10 competitors: products, pricing, features; spreadsheet, SWOT each, presentation, e-mail",
                options=Options(deliverables=wanted, approve="auto"),
            )
            ended = await world.ended(run)
            assert ended.status == "completed" and all(verdict.ok for verdict in ended.verdicts), ended
            files = Files(tmp_path / "files").of(run)
            rows = sheet_rows(files, "comparison.xlsx", "Comparison")
            assert [row[0] for row in rows[1:11]] == [facts(number)["name"] for number in range(10)] and rows[12][1] == 14.0
            assert len(swots(files, "rivals.pptx")) == 10
            (mail,) = post.delivered
            sent = {part.get_filename(): part.get_payload(decode=True) for part in mail.iter_attachments()}
            assert sent == {name: files.read(name) for name in ("comparison.xlsx", "rivals.pptx")}

    skipping(story())


def everything(found: list[dict[str, Any]]) -> list[Call]:
    """Workbook with matrix, chart, deck and summary."""
    columns = ["Vendor", *(f"F{at}" for at in range(5))]
    matrix = [[one["name"], *("yes" if at < one["features"] else "no" for at in range(5))] for one in found]
    position = {
        "layout": "chart",
        "title": "Price and features",
        "kind": "scatter",
        "columns": ["price", "features"],
        "rows": [[one["price"], one["features"]] for one in found],
    }
    table = {"layout": "table", "title": "Feature matrix", "columns": columns, "rows": matrix}
    best = "\n".join(f"- {one['name']}: ${one['price']}" for one in found[:5])
    prices = [{"vendor": one["name"], "price": one["price"]} for one in found]
    return [
        call(
            "sheet_create", path="analysis.xlsx", sheets=[book(found), {"name": "Matrix", "columns": columns, "rows": matrix}]
        ),
        call("chart_create", path="prices.png", kind="bar", data=prices, x="vendor", y="price"),
        call(
            "slides_create",
            path="deck.pptx",
            title="Twenty competitors",
            slides=[position, table, *map(swot, found)],
            template="night",
        ),
        call("docx_create", path="summary.docx", markdown=f"# Executive summary\n\nTwenty vendors were compared.\n\n{best}"),
    ]


@pytest.mark.proves("P70", "P71", "P72", "P73")
def test_twenty_competitors_become_everything_that_was_asked_and_each_message_leaves_once(
    tmp_path: Path, web: FaultServer, post: Post, libreoffice: LibreOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    monkeypatch.setattr(slack_module, "API", web.url("/api/"))
    set_up(web, monkeypatch)
    team, wiki = Slack(web), Wiki(web)
    old = wiki.add("Competitors", "<p>old</p>")

    def script(ask: Ask) -> Line:
        match ask.turn:
            case 0:
                return [call("web_fetch", url=web.url(f"/vendor/{number}", host="shop.test")) for number in range(20)]
            case 1:
                return call("wait", until="24h", reason="day 2")
            case 2:
                return everything(fetched(ask, 20))
            case 3:
                return call("wait", until="48h", reason="day 5")
            case 4:
                return [
                    call(
                        "email_send",
                        to=["a@example.com", "b@example.com"],
                        subject="Competitors",
                        body_markdown="Done.",
                        attachments=["summary.docx", "deck.pptx"],
                    ),
                    call("slack_post", channel="#alerts", text="The competitor report is out"),
                    call("confluence_write", space="TEAM", title="Competitors", body_markdown="# Competitors\n\nSee the deck."),
                ]
            case _:
                return "All is delivered."

    async def story() -> None:
        allowed = Options(approve="auto")
        async with World(tmp_path, model=script, tools=REAL, egress=web.egress("shop.test")) as world:
            run = await world.start("Research 20 competitors over several days", options=allowed)
            ended = await world.ended(run)
            assert ended.status == "completed", ended
            files = Files(tmp_path / "files").of(run)
            assert len(sheet_rows(files, "analysis.xlsx", "Matrix")) == 21 and len(swots(files, "deck.pptx")) == 20
            assert files.read("prices.png").startswith(b"\x89PNG")
            (one_page,) = pdf_texts(libreoffice.converted(files.read("summary.docx"), "summary.docx", "pdf"))
            assert "Twenty vendors" in one_page
            deck: Any = Presentation(io.BytesIO(files.read("deck.pptx")))
            assert any(shape.has_chart for slide in deck.slides for shape in slide.shapes)
            assert len(post.delivered) == 1 and post.envelopes == [["a@example.com", "b@example.com"]]
            assert len(team.posts) == 1 and [one["version"]["number"] for one in wiki.pages[old]] == [1, 2]

    skipping(story())
