"""Posts to their receivers: mail, Slack, webhooks, through the tools' own senders and the guard of everything that leaves.

At least once: a post is dropped when it was taken, and a repeat carries the same id (`webhook-id`, `Message-ID`, Slack's
metadata), so that a receiver can tell. A try is claimed before it is made; one that a crash cut off is made again.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from auteryn.errors import AuterynError, Invalid, NotFound, ToolFailed
from auteryn.policy.shown import exact_json, unturned
from auteryn.runtime.engine import Engine
from auteryn.runtime.outbox import doc_of, endpoints_of
from auteryn.schema.change import Doc
from auteryn.schema.human import Ask
from auteryn.schema.post import POST, POSTS, UNDELIVERED, Endpoint, Post
from auteryn.schema.run import Channel, Run
from auteryn.service.links import Link, links
from auteryn.service.progress import status_line
from auteryn.service.why import silence_means, why_waiting
from auteryn.tools.email import email_send
from auteryn.tools.needs import WEBHOOKS
from auteryn.tools.refusals import refusal
from auteryn.tools.secrets import names
from auteryn.tools.slack import slack_post
from auteryn.tools.tool import Tool, ToolContext
from auteryn.tools.webhook import signature, webhook_send

PAUSES = tuple(timedelta(minutes=minutes) for minutes in (0.5, 2, 10, 30, 60, 180, 360, 720))
"""Between the tries: about a day in all, then the post is laid aside."""
CLAIM = timedelta(minutes=4)
"""A try that has not ended by then was cut off: longer than any sender takes."""
SHOWN = 1_500
"""Characters of a result or question in a message."""
ANSWER_BYTES = 1 << 16

_log = logging.getLogger(__name__)


async def deliver(engine: Engine, post_id: str) -> None:
    """Try once to send the post, if it is due and nobody else is trying. After a failure it is tried again later, and in the
    end set aside."""
    store, now = engine.services.store, engine.now()
    doc = await store.doc(POST, post_id)
    if doc is None:
        return
    post = msgspec.convert(doc.body, Post)
    if doc.at > now:
        await engine.services.queue.enqueue(post_id, doc.at)
        return
    claims = await _claims(engine, post)
    if not claims:
        return
    if await store.doc(POST, post_id) == doc:  # else it was tried between the look and the claim
        await _try(engine, post)
    for claim in claims:
        await store.drop("claim", claim)


async def _try(engine: Engine, post: Post) -> None:
    try:
        await _send(engine, post)
    except AuterynError as error:
        await _failed(engine, post, str(error))
    else:
        if post.attempts:
            await engine.services.store.drop(UNDELIVERED, post.id)
        await engine.services.store.drop(POST, post.id)


async def _claims(engine: Engine, post: Post) -> list[str]:
    """This try's claim and those before it that a crash left behind; none if somebody else is at it, or was a moment ago.

    One that was cut off is not claimed again but passed over: of two who find it, one makes the next.
    """
    store, now, ids = engine.services.store, engine.now(), list[str]()
    while True:
        ids.append(f"{post.id}.{post.attempts}" + (f".{len(ids)}" if ids else ""))
        if await store.put(Doc(kind="claim", id=ids[-1], scope=POSTS, body=None, at=now), if_absent=True):
            return ids
        held = await store.doc("claim", ids[-1])
        if held is None:
            return []
        if now - held.at < CLAIM:
            await engine.services.queue.enqueue(post.id, held.at + CLAIM)
            return []


async def _failed(engine: Engine, post: Post, why: str) -> None:
    store, now = engine.services.store, engine.now()
    post = replace(post, attempts=post.attempts + 1, error=why[:500])
    again_at = now + PAUSES[post.attempts - 1] if post.attempts <= len(PAUSES) else None
    if post.attempts == 1 or again_at is None:
        yet = " yet" if again_at else ""
        _log.warning("%s of %s is not delivered%s: %s", post.letter.type, post.run, yet, why)
    await store.put(Doc(kind=UNDELIVERED, id=post.id, scope=post.root, body=msgspec.to_builtins(post), at=again_at or now))
    if again_at is None:
        await store.drop(POST, post.id)
        return
    await store.put(doc_of(post, again_at))
    await engine.services.queue.enqueue(post.id, again_at)


async def _send(engine: Engine, post: Post) -> None:
    try:
        run = await engine.services.store.get(post.run)
    except NotFound:
        return  # the run was never created, or has been deleted: there is nothing to tell
    if post.endpoint:
        endpoint = next((one for one in await endpoints_of(engine, post.owner) if one.id == post.endpoint), None)
        if endpoint is not None:  # else it was removed meanwhile
            await send_signed(engine, endpoint, post.id, payload(post))
        return
    assert post.channel is not None
    match post.channel.kind:
        case "webhook":
            await _to_webhook(engine, run, post, post.channel.to)
        case "email":
            if text := await _text(engine, run, post, post.channel):
                subject, body = text
                given = {"to": [post.channel.to], "subject": subject, "body_markdown": body}
                await _by(email_send, engine, run, post, **given)
        case "slack":
            if text := await _text(engine, run, post, post.channel, slack=True):
                await _by(slack_post, engine, run, post, channel=post.channel.to, text=f"*{text[0]}*\n{text[1]}")


async def _by(tool: Tool, engine: Engine, run: Run, post: Post, **args: Any) -> None:
    """The tool's own sender, with the post's id as the key of all its tries."""
    if why := tool.missing() if tool.missing else None:
        raise ToolFailed("not_configured", f"{tool.name}: {why}")
    context = ToolContext(
        run=run,
        call=post.id,
        files=engine.files.of(run.root),
        store=engine.services.store,
        blobs=engine.services.blobs,
        clock=engine.services.clock,
        registry=engine.registry,
        egress=engine.egress,
    )
    await tool.fn(context, **args)


# ---- webhooks ------------------------------------------------------------------------------------------------


async def _to_webhook(engine: Engine, run: Run, post: Post, to: str) -> None:
    """An endpoint of the owner's by name or address, a target of the environment, or a bare address, which is told unsigned."""
    known = await endpoints_of(engine, run.owner)
    endpoint = next((one for one in known if to in (one.id, one.url, one.description)), None)
    if endpoint is not None:
        await send_signed(engine, endpoint, post.id, payload(post))
    elif to.startswith(("https://", "http://")):
        await _post_json(engine, to, payload(post), {"webhook-id": post.id, "webhook-timestamp": _stamp(engine.now())})
    elif to.lower() in names(WEBHOOKS):
        await _by(webhook_send, engine, run, post, name=to.lower(), payload=payload(post))
    else:
        raise ToolFailed("not_configured", f"there is no webhook {to!r}: `auteryn webhooks add` makes one")


async def send_signed(engine: Engine, endpoint: Endpoint, message: str, body: dict[str, Any]) -> None:
    """One try; raises `ToolFailed` or `Retryable` where it was not taken. `message`: its id."""
    now, raw = engine.now(), _encoded(body)
    valid = [one.text for one in endpoint.secrets if one.until is None or now < one.until]
    signed = " ".join(signature(secret, message, int(now.timestamp()), raw) for secret in valid)
    headers = {"webhook-id": message, "webhook-timestamp": _stamp(now), "webhook-signature": signed}
    await _post_json(engine, endpoint.url, body, headers)


def payload(post: Post) -> dict[str, Any]:
    """Type and ids, nothing of the content: whoever may read that asks for it with a key."""
    about = {"subject": post.letter.subject} if post.letter.subject and post.letter.type != "run.notified" else {}
    return {
        "type": post.letter.type,
        "id": post.id,
        "timestamp": post.at.isoformat(),
        "data": {"run": post.root, **({"step_run": post.run} if post.run != post.root else {}), **about},
    }


async def _post_json(engine: Engine, url: str, body: dict[str, Any], headers: dict[str, str]) -> None:
    sent = {"content-type": "application/json", "idempotency-key": headers["webhook-id"], **headers}
    async with engine.egress.open("POST", url, headers=sent, body=_encoded(body), most_bytes=ANSWER_BYTES) as answer:
        if failed := refusal(answer.status, answer.headers, url, engine.now()):
            raise failed


def _encoded(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _stamp(at: datetime) -> str:
    return str(int(at.timestamp()))


# ---- texts for people ----------------------------------------------------------------------------------------


async def _text(engine: Engine, run: Run, post: Post, channel: Channel, *, slack: bool = False) -> tuple[str, str] | None:
    """Subject and body; None where it is no longer worth telling: the question has been answered meanwhile."""
    letter, now = post.letter, engine.now()
    match letter.type:
        case "run.waiting" | "run.reminded":
            ask = next((one for one in run.asks if one.id == letter.subject), None)
            if ask is None:
                return None
            what = "Auteryn still needs an answer" if letter.type == "run.reminded" else "Auteryn needs an answer"
            body = await _question(engine, run, ask, channel, slack)
        case "run.started":
            what, body = "Auteryn has begun", f"{status_line(run, now)}."
        case "run.digest":
            what, body = f"Auteryn, day {letter.count}", f"{status_line(run, now)}. {why_waiting(run, now)}{_steps(run)}"
        case "run.notified":
            what, body = "Auteryn has news", letter.subject
        case "run.completed":
            files = "".join(f"\n- {one.path}: {one.title}" for one in run.artifacts)
            what, body = "Auteryn is done", _cut(run.result or "") + (f"\n\nFiles:{files}" if files else "")
        case "run.cancelled":
            what, body = "Auteryn was stopped", "The run was cancelled."
        case "run.failed":
            why = f"{run.failure.message} ({run.failure.reason})" if run.failure else "It has failed."
            partial = f"\n\nWhat there is so far:\n\n{_cut(run.result)}" if run.result else ""
            what, body = "Auteryn has failed", why + partial
        case _:
            raise Invalid("letter", letter.type, "is told to programs only")
    return _one_line(f"{what}: {run.title}"), f"{body}\n\n{_address(engine, run)}"


async def _question(engine: Engine, run: Run, ask: Ask, channel: Channel, slack: bool) -> str:
    by = channel.to if channel.kind == "email" else f"slack {channel.to}"
    safe = _slack_words if slack else _words
    parts = [safe(_cut(ask.message)), safe(_cut(ask.context))]
    if ask.subject:
        fenced = _slack_fenced if slack else _fenced
        parts.append(f"`{ask.subject.tool}` with exactly:\n\n{fenced(_cut(exact_json(ask.subject.args)))}")
        parts.append(fenced(_cut(ask.subject.preview)) if ask.subject.preview else "")
    parts.append(_how_to_answer(ask, await links(engine, run, ask, by), slack))
    parts.append(safe(silence_means(ask)))
    return "\n\n".join(part for part in parts if part)


def _how_to_answer(ask: Ask, found: list[Link], slack: bool) -> str:
    if not found:
        options = ", ".join(map(repr, ask.options))
        return f"Answer with: auteryn answer {ask.id} …" + (f" (one of {options})" if options else "")
    if slack:
        return "\n".join(f"• <{link.url}|{_slack_words(link.option or 'Answer')}>" for link in found)
    return "\n".join(f"- [{_words(link.option or 'Answer')}]({link.url})" for link in found)


def _steps(run: Run) -> str:
    if run.plan is None:
        return ""
    return "\n\n" + "\n".join(f"- {step.id}. {step.description}: {step.status.replace('_', ' ')}" for step in run.plan.steps)


def _address(engine: Engine, run: Run) -> str:
    where = engine.public_url.rstrip("/")
    return f"{where}/runs/{run.root}" if where else f"auteryn status {run.root}"


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _one_line(text: str) -> str:
    line = "".join(sign if sign >= " " and sign != "\x7f" else " " for sign in unturned(text))
    return line if len(line) <= 200 else f"{line[:199]}…"


def _words(text: str) -> str:
    """Text of the model or of others, as Markdown that is shown literally: no link, picture or HTML works."""
    return "".join(f"\\{sign}" if sign in "\\[]()*_`<>!#&|~" else sign for sign in unturned(text))


def _slack_words(text: str) -> str:
    """The same for Slack."""
    return _slack_escaped(text).replace("|", "¦")


def _fenced(text: str) -> str:
    """The text as code: between fences longer than any in it."""
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 3)
    return f"{fence}\n{unturned(text)}\n{fence}"


def _slack_fenced(text: str) -> str:
    """The same for Slack, which knows one fence only: one in the text is shown apart."""
    return f"```\n{_slack_escaped(text).replace('```', '` ` `')}\n```"


def _slack_escaped(text: str) -> str:
    return unturned(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
