"""Pictures in the conversation: named by their hash there, carried by the request that is sent.

The journal and the thread stay small (L8); a request shows the newest pictures and says of older ones that they were there.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from auteryn.errors import NotFound
from auteryn.policy.limits import PICTURE_BYTES, PICTURES
from auteryn.ports import Blobs
from auteryn.ports.model import ModelRequest
from auteryn.schema.message import Content, Image

_OURS = "blob:"


def shown_image(image: Image) -> list[dict[str, Any]]:
    """The parts that stand for a picture in the conversation."""
    place = {"fileUri": f"{_OURS}{image.sha256}", "mimeType": image.media_type, "displayName": image.name}
    return [{"text": f"The picture {image.name}:"}, {"fileData": place}]


def newest_images(contents: Sequence[Content]) -> tuple[Image, ...]:
    """The pictures that a request of this conversation may show, each once, the newest last."""
    found = dict[str, Image]()
    for part in (part for content in contents for part in content["parts"]):
        if sha256 := _sha256(part):
            found.pop(sha256, None)
            found[sha256] = Image(sha256=sha256, media_type=part["fileData"]["mimeType"], name=part["fileData"]["displayName"])
    return tuple(found.values())[-PICTURES:]


async def with_pictures(request: ModelRequest, blobs: Blobs) -> ModelRequest:
    """The request with the bytes of the newest pictures in their places."""
    wanted = [sha256 for content in request.contents for part in content["parts"] if (sha256 := _sha256(part))]
    if not wanted:
        return request
    bodies = await _newest(wanted, blobs)
    return replace(request, contents=[_filled(content, bodies) for content in request.contents])


async def _newest(wanted: Sequence[str], blobs: Blobs) -> dict[str, bytes]:
    bodies, left = dict[str, bytes](), PICTURE_BYTES
    for sha256 in reversed(wanted):
        if sha256 in bodies:
            continue
        try:
            body = await blobs.get(sha256)
        except NotFound:  # a run that had looked at the same was erased
            continue
        left -= len(body)
        if left < 0 or len(bodies) == PICTURES:
            break
        bodies[sha256] = body
    return bodies


def _filled(content: Content, bodies: dict[str, bytes]) -> Content:
    if not any(map(_sha256, content["parts"])):
        return content
    return {**content, "parts": [_part(part, bodies) for part in content["parts"]]}


def _part(part: dict[str, Any], bodies: dict[str, bytes]) -> dict[str, Any]:
    sha256 = _sha256(part)
    if sha256 is None:
        return part
    if sha256 not in bodies:
        return {"text": "(It was shown here and is not shown any more; look at it again if you need it.)"}
    data = base64.b64encode(bodies[sha256]).decode()
    return {"inlineData": {"mimeType": part["fileData"]["mimeType"], "data": data}}


def _sha256(part: dict[str, Any]) -> str | None:
    uri: str = part.get("fileData", {}).get("fileUri", "")
    return uri.removeprefix(_OURS) if uri.startswith(_OURS) else None
