"""Pictures reach the model as pictures, small enough and only as long as there is room for them."""

from __future__ import annotations

import asyncio
import base64
import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from auteryn.agent.pictures import shown_image, with_pictures
from auteryn.policy import limits
from auteryn.ports.model import ModelRequest
from auteryn.schema.message import Image as Shown
from auteryn.tools import image as module
from auteryn.tools.image import image_view
from unit.tools.outside import as_a_judge_calls
from unit.tools.room import Room
from unit.tools.test_document import red


@pytest.mark.tool("image_view", "happy")
@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_a_picture_of_any_kind_is_shown_no_larger_than_it_is_seen(room: Room, form: str) -> None:
    room.put("a.img", red(2400, 1200, form))
    told = room.call(image_view, **as_a_judge_calls(image_view, paths=["a.img"], question="Which colour?"))
    assert told.output["pictures"] == [{"path": "a.img", "width": 2400, "height": 1200, "format": form.lower()}]
    (one,) = told.images
    seen = Image.open(io.BytesIO(asyncio.run(room.blobs.get(one.sha256))))
    assert (seen.format, seen.size, one.media_type) == ("PNG", (1600, 800), "image/png")
    assert seen.convert("RGB").getpixel((800, 400))[0] > 200


@pytest.mark.tool("image_view", "failure")
@pytest.mark.proves("L14")
def test_what_is_no_picture_or_too_large_a_one_is_refused(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.put("no.png", b"text")
    room.put("cut.png", red(600, 600)[:200])
    room.put("a.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>")
    for path, kind in (("no.png", "unsupported"), ("cut.png", "unsupported"), ("a.svg", "unsupported"), ("x.png", "not_found")):
        assert room.refusal(image_view, paths=[path]).kind == kind, path
    monkeypatch.setattr(module, "MOST_PIXELS", 100)
    room.put("big.png", red(20, 20))
    assert room.refusal(image_view, paths=["big.png"]).kind == "too_large"
    assert room.refusal(image_view, paths=[]).kind == "invalid"


def test_a_file_that_claims_gigabytes_is_not_unpacked(room: Room) -> None:
    body = red()
    head = b"IHDR" + struct.pack(">II", 300_000, 300_000) + body[24:29]
    room.put("bomb.png", body[:12] + head + struct.pack(">I", zlib.crc32(head)) + body[33:])
    assert room.refusal(image_view, paths=["bomb.png"]).kind == "too_large"


# ---- in the conversation -------------------------------------------------------------------------------------


def request(*pictures: Shown) -> ModelRequest:
    parts: list[dict[str, Any]] = [{"text": "see"}, *(part for one in pictures for part in shown_image(one))]
    return ModelRequest(role="deep", system="", contents=[{"role": "user", "parts": parts}])


@pytest.fixture
def kept(room: Room) -> Iterator[list[Shown]]:
    bodies = [bytes([at]) * 10 for at in range(5)]
    yield [
        Shown(sha256=asyncio.run(room.blobs.put(body)), media_type="image/png", name=f"p{at}") for at, body in enumerate(bodies)
    ]


def test_a_request_carries_the_bytes_the_conversation_names(room: Room, kept: list[Shown]) -> None:
    filled = asyncio.run(with_pictures(request(*kept[:2]), room.blobs))
    parts = filled.contents[0]["parts"]
    assert [base64.b64decode(part["inlineData"]["data"])[0] for part in parts if "inlineData" in part] == [0, 1]
    assert not any("fileData" in part for part in parts) and parts[1] == {"text": "The picture p0:"}
    plain = request()
    assert asyncio.run(with_pictures(plain, room.blobs)) is plain


def test_only_the_newest_pictures_are_carried(room: Room, kept: list[Shown], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auteryn.agent.pictures.PICTURES", 2)
    parts = asyncio.run(with_pictures(request(*kept), room.blobs)).contents[0]["parts"]
    assert [base64.b64decode(part["inlineData"]["data"])[0] for part in parts if "inlineData" in part] == [3, 4]
    assert sum("not shown any more" in part.get("text", "") for part in parts) == 3
    monkeypatch.setattr("auteryn.agent.pictures.PICTURE_BYTES", 15)
    parts = asyncio.run(with_pictures(request(*kept), room.blobs)).contents[0]["parts"]
    assert sum("inlineData" in part for part in parts) == 1 and limits.PICTURE_BYTES < 14 << 20
