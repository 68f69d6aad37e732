"""Telling other systems: signed messages to targets the owner named, as standardwebhooks.com has it.

`webhook-id` (also the Idempotency-Key) is the same in every repeat; `webhook-signature` is `v1,` and the base64 of the
HMAC-SHA256 over `id.timestamp.body`. A receiver drops an id it knows and a timestamp older than minutes.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from typing import Annotated, Any

from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.tools import foreseen
from auteryn.tools.egress import AnswerLost
from auteryn.tools.needs import WEBHOOKS, no_targets
from auteryn.tools.refusals import refusal
from auteryn.tools.secrets import Webhook, secret_of, setting
from auteryn.tools.tool import ToolContext, tool
from auteryn.tools.workspace import Workspace

PAYLOAD_BYTES = 1 << 20
ANSWER_BYTES = 1 << 16


def _foreseen(args: dict[str, Any], files: Workspace) -> str:
    try:
        url = setting(WEBHOOKS, args["name"], Webhook).url
    except ToolFailed:
        url = ""
    return foreseen.request(args["name"], url, args["payload"])


@tool(
    effect="keyed",
    permission="ask1",
    group="communicate",
    missing=no_targets,
    sends=True,
    target=lambda args: str(args["name"]),
    preview=_foreseen,
)
async def webhook_send(
    ctx: ToolContext,
    name: Annotated[str, "Which target, by the name the owner gave it", Meta(min_length=1)],
    payload: Annotated[dict[str, Any], "What to tell, a JSON object"],
) -> dict[str, Any]:
    """Send a signed JSON message to a named webhook of the owner's. Its receiver gets a repeat under the same id."""
    goal = setting(WEBHOOKS, name, Webhook)
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    if len(body) > PAYLOAD_BYTES:
        raise ToolFailed("too_large", f"payload: {len(body):,} bytes are more than {PAYLOAD_BYTES:,}")
    headers = _headers(ctx.key, int(ctx.clock.now().timestamp()), body, goal.secret)
    egress = ctx.egress.trusting(goal.url)
    try:
        async with egress.open("POST", goal.url, headers=headers, body=body, most_bytes=ANSWER_BYTES) as answer:
            if failed := refusal(answer.status, answer.headers, name, ctx.clock.now()):
                raise failed
    except AnswerLost as error:
        raise AnswerLost(
            "ambiguous",
            f"{name!r} may have it: the answer did not come ({error}). Its id is {ctx.key}: a repeat is dropped there.",
        ) from error
    return {"sent": True, "name": name, "status": answer.status, "id": ctx.key}


def signature(secret: str, key: str, at: int, body: bytes) -> str:
    """What `webhook-signature` must be. A secret `whsec_…` is base64, any other is taken as it is."""
    try:
        plain = (
            base64.b64decode(secret.removeprefix("whsec_"), validate=True) if secret.startswith("whsec_") else secret.encode()
        )
    except binascii.Error as error:
        raise ToolFailed("not_configured", "the webhook's secret begins with whsec_ and is no base64") from error
    digest = hmac.digest(plain, f"{key}.{at}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


def _headers(key: str, at: int, body: bytes, secret: str) -> dict[str, str]:
    headers = {"content-type": "application/json", "webhook-id": key, "webhook-timestamp": str(at), "idempotency-key": key}
    return headers | ({"webhook-signature": signature(secret_of(secret), key, at, body)} if secret else {})
