"""Posting to Slack: a few calls of its Web API through the guard.

A post carries the call's key as message metadata. When a try was cut off, the channel is read first: what has the key is
there already and is not posted again.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import AsyncGenerator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, cast
from urllib.parse import urlencode

from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.policy.quotas import READ_BYTES
from auteryn.tools import foreseen
from auteryn.tools.egress import AnswerLost
from auteryn.tools.needs import SLACK_TOKEN, no_slack
from auteryn.tools.refusals import refusal
from auteryn.tools.sending import earlier_try, not_sent
from auteryn.tools.tool import ToolContext, tool

PLACE = "AUTERYN_SLACK_URL"
API = "https://slack.com/api/"
"""Where the Web API is, unless the owner's Slack is elsewhere (`PLACE`)."""
EVENT = "auteryn_call"
"""Type of the metadata."""
PAGE, MOST_PAGES = 200, 50
"""Of what is read when a try was cut off: messages at a time, and how often; a busy channel has a few a minute."""
CLOCKS_DIFFER = timedelta(minutes=5)
"""Slack's clock and ours."""
ANSWER_BYTES = 4 << 20

_BROADCAST = re.compile(r"<!(?=channel|here|everyone|subteam)", re.IGNORECASE)
_KINDS = {
    "not_found": "channel_not_found message_not_found thread_not_found user_not_found",
    "auth": "invalid_auth not_authed token_revoked token_expired account_inactive missing_scope no_permission",
    "denied": "not_in_channel is_archived restricted_action cannot_reply_to_message ekm_access_denied access_denied",
    "too_large": "msg_too_long msg_blocks_too_long metadata_too_large file_upload_size_restricted",
    "rate_limited": "ratelimited rate_limited",
    "unavailable": "internal_error fatal_error service_unavailable request_timeout team_added_to_org",
}
_KIND = {code: kind for kind, codes in _KINDS.items() for code in codes.split()}


@tool(
    effect="keyed",
    permission="ask1",
    group="communicate",
    missing=no_slack,
    sends=True,
    timeout=timedelta(seconds=180),
    target=lambda args: str(args["channel"]),
    recipients=lambda args: [str(args["channel"])],
    preview=foreseen.message,
    serial=lambda args: str(args["channel"]),
)
async def slack_post(
    ctx: ToolContext,
    channel: Annotated[str, "Channel name (`#alerts`) or id", Meta(min_length=1)],
    text: Annotated[str, "The message; *bold*, _italic_, <https://…|link>", Meta(min_length=1, max_length=12_000)],
    thread: Annotated[str | None, "`ts` of the message to answer to"] = None,
    files: Annotated[list[str], "Files to attach", Meta(max_length=10)] = [],  # noqa: B006 - never changed
) -> dict[str, Any]:
    """Post a message to a Slack channel, with files if wanted. Nobody is woken by @channel or @here."""
    bodies = {path: ctx.files.read(path, most=READ_BYTES) for path in files}
    earlier = await earlier_try(ctx)
    posted = await _found(ctx, channel, thread, earlier) if earlier else None
    if posted is None:
        posted = await _posted(ctx, channel, text, thread)
    attached = await _attached(ctx, posted, thread) if earlier and files else set[str]()
    for path, body in bodies.items():
        if Path(path).name not in attached:
            try:
                await _attach(ctx, posted, thread, Path(path).name, body)
            except ToolFailed as error:
                told = f"the message is posted (ts {posted['ts']}) and {path!r} is not attached: {error}"
                raise ToolFailed(error.kind, told, retryable=error.retryable, retry_after=error.retry_after) from error
    return {"posted": True, "channel": posted["channel"], "ts": posted["ts"]} | ({"files": list(files)} if files else {})


# ---- posting -----------------------------------------------------------------------------------------------------


async def _posted(ctx: ToolContext, channel: str, text: str, thread: str | None) -> dict[str, str]:
    body: dict[str, Any] = {
        "channel": channel,
        "text": _BROADCAST.sub("<\u200b!", text),
        "unfurl_links": False,
        "unfurl_media": False,
        "client_msg_id": str(uuid.uuid5(uuid.NAMESPACE_URL, ctx.key)),
        "metadata": {"event_type": EVENT, "event_payload": {"key": ctx.key}},
    } | ({"thread_ts": thread} if thread else {})
    try:
        said = await _call(ctx, "chat.postMessage", body)
    except AnswerLost as error:
        raise AnswerLost(
            "ambiguous", f"the message may be posted: Slack's answer did not come ({error}); look before repeating"
        ) from error
    except ToolFailed:
        await not_sent(ctx)
        raise
    return {"channel": str(said["channel"]), "ts": str(said["ts"])}


async def _found(ctx: ToolContext, channel: str, thread: str | None, since: datetime) -> dict[str, str] | None:
    """The message an earlier try of this call has posted."""
    room = await _room(ctx, channel)
    oldest = f"{(since - CLOCKS_DIFFER).timestamp():.6f}"
    try:
        async for message in _messages(ctx, room, thread, oldest):
            if _key(message) == ctx.key:
                return {"channel": room, "ts": str(message["ts"])}
    except ToolFailed as error:
        if error.retryable:
            raise
        raise ToolFailed(
            "ambiguous", f"an earlier try may have posted it, and the channel cannot be read to see: {error}"
        ) from error
    return None


async def _messages(ctx: ToolContext, room: str, thread: str | None, oldest: str) -> AsyncGenerator[dict[str, Any]]:
    """What was written in a channel, or as answers in a thread, from then on."""
    asked = {"channel": room, "oldest": oldest, "inclusive": True, "limit": PAGE, "include_all_metadata": True}
    method, more = ("conversations.replies", {"ts": thread}) if thread else ("conversations.history", {})
    async for said in _pages(ctx, method, asked | more):
        for message in said.get("messages", []):
            yield message


async def _pages(ctx: ToolContext, method: str, asked: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any]]:
    cursor = ""
    for _ in range(MOST_PAGES):
        said = await _call(ctx, method, {**asked, "cursor": cursor})
        yield said
        more: dict[str, Any] = said.get("response_metadata") or {}
        cursor = str(more.get("next_cursor") or "")
        if not cursor:
            return
    raise ToolFailed("too_large", f"Slack's {method} has more than {MOST_PAGES} pages")


def _key(message: Mapping[str, Any]) -> str:
    metadata: dict[str, Any] = message.get("metadata") or {}
    return str(metadata.get("event_payload", {}).get("key", "")) if metadata.get("event_type") == EVENT else ""


async def _room(ctx: ToolContext, channel: str) -> str:
    """The id of a channel: what reads messages takes no names."""
    if re.fullmatch(r"[CGD][A-Z0-9]{6,}", channel):
        return channel
    async for said in _pages(ctx, "conversations.list", {"limit": 1_000, "exclude_archived": True}):
        for one in said.get("channels", []):
            if one.get("name") == channel.removeprefix("#"):
                return str(one["id"])
    raise ToolFailed("not_found", f"there is no channel {channel!r}, or the bot does not see it")


# ---- files -------------------------------------------------------------------------------------------------------


async def _attached(ctx: ToolContext, posted: Mapping[str, str], thread: str | None) -> set[str]:
    answers = [one async for one in _messages(ctx, posted["channel"], thread or posted["ts"], posted["ts"])]
    later = [one for one in answers if float(one.get("ts", 0)) >= float(posted["ts"])]  # a thread's head always comes along
    return {str(file.get("name", "")) for one in later for file in one.get("files", [])}


async def _attach(ctx: ToolContext, posted: Mapping[str, str], thread: str | None, name: str, body: bytes) -> None:
    """Slack's three steps: an address to upload to, the upload, the share into the message's thread."""
    place = await _call(ctx, "files.getUploadURLExternal", {"filename": name, "length": len(body)})
    async with ctx.egress.open("POST", str(place["upload_url"]), body=body, total=timedelta(seconds=90)) as answer:
        if failed := refusal(answer.status, answer.headers, "Slack's upload", ctx.clock.now()):
            raise failed
    shared = {
        "files": [{"id": place["file_id"], "title": name}],
        "channel_id": posted["channel"],
        "thread_ts": thread or posted["ts"],
    }
    await _call(ctx, "files.completeUploadExternal", shared)


# ---- the Web API -------------------------------------------------------------------------------------------------


_AS_FORM = ("conversations.history", "conversations.replies", "conversations.list", "files.getUploadURLExternal")
"""Methods that take no JSON."""


async def _call(ctx: ToolContext, method: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of a method; raises `ToolFailed` for what Slack refuses."""
    headers = {"authorization": f"Bearer {os.environ.get(SLACK_TOKEN, '')}"}
    if method in _AS_FORM:
        plain = {
            name: str(value).lower() if isinstance(value, bool) else value for name, value in fields.items() if value != ""
        }
        headers["content-type"], body = "application/x-www-form-urlencoded", urlencode(plain).encode()
    else:
        headers["content-type"], body = "application/json; charset=utf-8", json.dumps(fields).encode()
    elsewhere = os.environ.get(PLACE)
    egress = ctx.egress.trusting(elsewhere) if elsewhere else ctx.egress
    address = f"{(elsewhere or API).rstrip('/')}/{method}"
    async with egress.open("POST", address, headers=headers, body=body, most_bytes=ANSWER_BYTES) as answer:
        if failed := refusal(answer.status, answer.headers, f"Slack's {method}", ctx.clock.now()):
            raise AnswerLost(failed.kind, str(failed)) if answer.status >= 500 else failed
        raw = await answer.body()
    try:
        said = cast("dict[str, Any]", json.loads(raw))
        ok, code = bool(said["ok"]), str(said.get("error", ""))
    except (ValueError, KeyError, TypeError) as error:
        raise AnswerLost("unavailable", f"Slack's {method} answered what cannot be read") from error
    if ok:
        return said
    kind = _KIND.get(code, "invalid")
    needed = f" (needs {said['needed']})" if said.get("needed") else ""
    message = f"Slack refused {method}: {code}{needed}"
    if kind == "unavailable":  # "some aspect of the operation may have succeeded", says Slack
        raise AnswerLost(kind, message)
    raise ToolFailed(kind, message, retryable=kind == "rate_limited")
