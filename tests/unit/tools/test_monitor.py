"""Monitors that do not cry wolf: golden pairs, conditional requests, pictures of before and after."""

from __future__ import annotations

import io

import pytest

from auteryn.tools.compare import compare
from auteryn.tools.compare_images import differing
from auteryn.tools.monitor import monitor_capture, monitor_compare, monitor_watch
from auteryn.tools.monitor_text import difference, page_words, without_noise
from unit.tools.fault_server import Asked, FaultServer, Reply
from unit.tools.room import Room

PAGE = """<html><head><title>Shop</title><script>var token = "{token}"</script></head><body>
<div class="ad">Buy {ad} now!</div><ins class="adsbygoogle">{ad}</ins>
<main><h1>Chairs</h1><p>Updated {date} at {time}, session {token}</p>
<ul><li>Oak chair: <b>{price} EUR</b></li><li>Pine chair: 29.00 EUR</li></ul><p>{text}</p></main>
<aside aria-label="Advertisement">{ad}</aside></body></html>"""
USUAL = {
    "ad": "soap",
    "date": "2026-03-01",
    "time": "10:00",
    "token": "a1b2c3d4e5f6a7b8c9d0e1f2",
    "price": "49.90",
    "text": "Free delivery",
}


def words(**changes: str) -> str:
    return without_noise(page_words(PAGE.format(**{**USUAL, **changes}), None), [], dates=False)


@pytest.mark.proves("P79")
@pytest.mark.parametrize(
    "changes",
    [
        {"ad": "a completely different advertisement with many more words"},
        {"date": "March 2, 2026", "time": "4:15 pm"},
        {"date": "02.03.2026", "time": "16:15:22"},
        {"date": "3 Mar 2026"},
        {"time": "9:05"},
        {"token": "ffffffffffff00000000111122223333"},
        {"ad": "x", "date": "2027-01-01", "time": "00:00", "token": "zzzzzzzzz9zzzzzzzzzzzzzzzzz1"},
    ],
)
def test_what_changes_on_every_look_is_no_change(changes: dict[str, str]) -> None:
    assert not difference(words(), words(**changes)).changed


def test_a_clock_beside_a_date_is_noise_in_every_form() -> None:
    for one, other in (("2026-03-01 9:00", "2026-03-02 10:00"), ("2026-03-01T09:00Z", "2026-03-12T23:59Z")):
        assert without_noise(one, [], dates=False) == without_noise(other, [], dates=False)
    assert without_noise("2026-03-01 9:00", [], dates=True) != without_noise("2026-03-02 9:00", [], dates=True)


@pytest.mark.proves("P78", "P79")
def test_a_price_is_a_change_and_is_named() -> None:
    found = difference(words(), words(price="44.90", ad="else", date="2026-03-02"))
    assert found.changed and found.figures == [{"before": "49.90 EUR", "after": "44.90 EUR", "line": "44.90 EUR"}]
    assert "-49.90 EUR" in found.diff and "+44.90 EUR" in found.diff and 0 < found.score < 0.3
    more = difference(words(), words(text="We have moved to another town, see you there"))
    assert more.changed and more.figures == [] and more.score > found.score


@pytest.mark.proves("P76", "P77", "P78")
@pytest.mark.tool("monitor_capture", "happy")
@pytest.mark.tool("monitor_capture", "failure")
@pytest.mark.tool("monitor_compare", "happy")
@pytest.mark.tool("monitor_compare", "failure")
def test_a_page_is_looked_at_conditionally_and_pictured_when_it_changes(surfer: Room, site: FaultServer) -> None:
    state = {"price": "49.90", "tag": '"1"'}

    def shop(asked: Asked) -> Reply:
        if asked.headers.get("if-none-match") == state["tag"]:
            return Reply(status=304)
        body = PAGE.format(**{**USUAL, "price": state["price"], "token": f"a1b2c3d4e5f6a7b8c9d0e1{len(site.asked)}"})
        return Reply(body, headers={"content-type": "text/html", "etag": state["tag"]})

    site.on("/", shop)
    first = surfer.call(monitor_capture, url=site.url("/"), name="Chairs")
    assert not first["changed"] and first["picture"].endswith("0001.png")
    assert surfer.refusal(monitor_compare, name="Chairs").kind == "not_found"
    same = surfer.call(monitor_capture, url=site.url("/"), name="Chairs")
    assert not same["changed"] and same["picture"] == first["picture"] and same["text"] == first["text"]
    assert site.asked[-1].headers["if-none-match"] == '"1"'
    none = surfer.call(monitor_compare, name="Chairs")
    assert (none["changed"], none["significant"], none["score"]) == (False, False, 0.0) and "image" not in none
    state |= {"price": "39.90", "tag": '"2"'}
    other = surfer.call(monitor_capture, call="once", url=site.url("/"), name="Chairs")
    assert other["changed"] and other["picture"] != first["picture"]
    asked = len(site.asked)
    assert surfer.call(monitor_capture, call="once", url=site.url("/"), name="Chairs") == other and len(site.asked) == asked
    told = surfer.call(monitor_compare, name="Chairs", threshold=0.9)
    assert told["significant"] and told["figures"][0]["after"] == "39.90 EUR" and told["boxes"]
    assert told["before"]["picture"] == first["picture"] and told["after"]["picture"] == other["picture"]
    assert surfer.files.stat(told["image"]).size_bytes > 1_000
    assert not surfer.call(monitor_compare, name="Chairs", ignore=[r"\d+\.\d+"])["changed"]
    assert surfer.call(monitor_compare, name="Chairs", a="first")["changed"]
    assert surfer.refusal(monitor_compare, name="Chairs", a="look_9").kind == "not_found"
    assert surfer.refusal(monitor_capture, url=site.url("/"), name="Chairs", selector="#none").kind == "not_found"
    part = surfer.call(monitor_capture, url=site.url("/"), name="List", selector="li", screenshot=False)
    assert surfer.files.read(part["text"]).decode().splitlines()[0] == "Oak chair:" and part["picture"] == ""


def picture(*boxes: tuple[int, int, int, int]) -> bytes:
    from PIL import Image, ImageDraw

    made = Image.new("RGB", (640, 480), "white")
    for box in boxes:
        ImageDraw.Draw(made).rectangle(box, fill="navy")
    out = io.BytesIO()
    made.save(out, "PNG")
    return out.getvalue()


def test_boxes_frame_what_differs() -> None:
    found = differing(picture((10, 10, 50, 50)), picture((10, 10, 50, 50), (300, 200, 340, 230), (600, 450, 630, 470)))
    assert len(found.boxes) == 2 and found.same_size
    left, top, width, height = found.boxes[0]
    assert left <= 300 and top <= 200 and left + width >= 340 and top + height >= 230 and width <= 96
    assert differing(picture(), picture()).score == 0


@pytest.mark.tool("compare", "happy")
@pytest.mark.tool("compare", "failure")
def test_texts_files_and_pictures_are_compared(room: Room) -> None:
    assert room.call(compare, a="one two", b="one  two\n")["changed"] is False
    room.put("a.txt", "price 10 EUR\nsame\n")
    room.put("b.txt", "price 12 EUR\nsame\n")
    found = room.call(compare, a="a.txt", b="b.txt")
    assert found["figures"] == [{"before": "10 EUR", "after": "12 EUR", "line": "price 12 EUR"}]
    room.put("a.png", picture())
    room.put("b.png", picture((0, 0, 40, 40)))
    shown = room.call(compare, a="a.png", b="b.png", out="both.png")
    assert shown["changed"] and shown["image"] == "both.png" and room.files.exists("both.png")
    for text in ("C:\\reports", "/usr/bin", "a word " * 40):  # what is no path is a text
        assert room.call(compare, a=text, b=text + "!")["changed"] is True
    room.put("c.bin", b"a\0b")
    assert room.refusal(compare, a="c.bin", b="a.txt").kind == "unsupported"
    assert room.refusal(compare, a="a.txt", b="b.txt", out="x.png").kind == "unsupported"


@pytest.mark.tool("monitor_watch", "failure")
def test_a_watch_that_cannot_be_is_refused_and_leaves_nothing(surfer: Room, site: FaultServer) -> None:
    grid = {"every": "6h", "until": "7d"}
    for wrong in ({"every": "10s"}, {"every": "often"}, {"until": "later"}):
        assert surfer.refusal(monitor_watch, url=site.url("/"), name="Chairs", **{**grid, **wrong}).kind == "invalid"
    assert site.asked == []
    assert surfer.refusal(monitor_watch, url=site.url("/nothing"), name="Chairs", **grid).kind == "not_found"
    site.on("/busy", Reply("busy", 503))
    busy = surfer.refusal(monitor_watch, url=site.url("/busy"), name="Chairs", **grid)
    assert busy.kind == "unavailable" and busy.retryable
    assert surfer.refusal(monitor_compare, name="Chairs").kind == "not_found"
