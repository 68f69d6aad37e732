"""One-tap links in a browser: a small page that says what would be answered, and a form that answers it. No script, no login.

GET changes nothing, so a mail scanner that opens every link decides nothing. What is refused is a page, too: who opens a link
from a mail is a person.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from urllib.parse import parse_qs

from starlette.responses import Response

from auteryn.api import bodies as b
from auteryn.api.call import Call
from auteryn.console.files import PLAIN_POLICY, plain_page
from auteryn.console.prose import html_of
from auteryn.errors import AuterynError, Invalid, WrongState
from auteryn.policy.durations import moment
from auteryn.policy.shown import exact_json, unturned
from auteryn.schema.human import Answer, Ask
from auteryn.schema.run import Run
from auteryn.service.links import OneTap, answer_by, answered_by, opened
from auteryn.service.why import silence_means

LARGEST = 100_000
"""Bytes of a form."""

ASKS, THANKS = "Auteryn asks you", "Thank you"
HEADERS = {
    "Content-Security-Policy": PLAIN_POLICY.replace("form-action 'none'", "form-action 'self'"),
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}


async def show_link(call: Call[b.Empty, None]) -> Response:
    """What a one-tap link would answer, as a page with a form. Nothing is answered by opening it."""
    try:
        tap, run, ask = await opened(call.engine, call.path["token"])
    except AuterynError as error:
        before = await answered_by(call.engine, call.path["token"]) if isinstance(error, WrongState) else None
        return _page(THANKS, _thanks(before)) if before else _refused(error)
    return _page(ASKS, _confirm(tap, run, ask))


async def follow_tap(call: Call[b.Empty, None]) -> Response:
    """Give the answer of a one-tap link. It counts once, however often it is tapped; a link that was changed, has expired or
    comes too late is refused."""
    try:
        answer = await answer_by(call.engine, call.path["token"], await _written(call))
    except Invalid as error:
        return await _again(call, error)
    except AuterynError as error:
        return _refused(error)
    return _page(THANKS, _thanks(answer))


async def _again(call: Call[b.Empty, None], refused: Invalid) -> Response:
    try:
        tap, run, ask = await opened(call.engine, call.path["token"])
    except AuterynError as error:
        return _refused(error)
    return _page(ASKS, _confirm(tap, run, ask, f"That cannot be taken: it {refused.rule}."), 422)


async def _written(call: Call[b.Empty, None]) -> str | None:
    """The field `value` of the form; raises `Invalid` for a body that is no form of ours."""
    raw = bytearray()
    async for chunk in call.request.stream():
        raw += chunk
        if len(raw) > LARGEST:
            raise Invalid("value", len(raw), f"has more than {LARGEST:,} bytes")
    try:
        values = parse_qs(raw.decode(), keep_blank_values=True, max_num_fields=10).get("value")
    except ValueError as error:
        raise Invalid("value", "", f"cannot be read: {error}") from error
    return values[0] if values else None


# ---- pages ---------------------------------------------------------------------------------------------------


def _confirm(tap: OneTap, run: Run, ask: Ask, complaint: str = "") -> str:
    parts = [f"<p class=hint>{_read(run.title)}</p>", _prose(ask.message), _prose(ask.context)]
    if ask.subject:
        parts.append(f"<p class=label>Exactly this would be done</p><p><code>{escape(ask.subject.tool)}</code></p>")
        parts.append(_code(exact_json(ask.subject.args)))
        if ask.subject.preview:
            parts.append(f"<p class=label>What it would do</p>{_code(ask.subject.preview)}")
    if complaint:
        parts.append(f"<p role=alert class=problem>{_read(complaint)}</p>")
    parts.append(_form(tap, ask))
    until = f"This link holds until {moment(tap.until)}, once, and answers as {tap.by}. {silence_means(ask)}"
    parts.append(f"<p class=hint>{_read(until)}</p>")
    return "".join(parts)


def _form(tap: OneTap, ask: Ask) -> str:
    if tap.option is not None:
        return f"<form method=post><button class=primary>{_read(tap.option)}</button></form>"
    return f"<form method=post><label>Your answer{_field(ask)}</label><button class=primary>Send</button></form>"


def _field(ask: Ask) -> str:
    kinds: Mapping[str, str] = {"number": "number step=any", "date": "date", "email": "email", "url": "url"}
    kind = kinds.get(ask.input_type) or kinds.get(ask.validation or "")
    if kind:
        return f"<input name=value required type={kind}>"
    return "<textarea name=value rows=4 required></textarea>"


def _thanks(answer: Answer) -> str:
    said = answer.value if isinstance(answer.value, str) else json.dumps(answer.value, ensure_ascii=False)
    return f"<p>Answered: <strong>{_read(said)}</strong></p><p class=hint>as {_read(answer.by)}. You can close this page.</p>"


def _refused(error: AuterynError) -> Response:
    return _page("Nothing was answered", f"<p>{_read(_sentence(str(error)))}</p>", error.http_status)


def _prose(text: str) -> str:
    """What was written, with nothing in it to follow: here one answers."""
    return f'<div class="prose">{html_of(unturned(text), links=False)}</div>' if text else ""


def _code(text: str) -> str:
    return f'<pre class="code" tabindex="0">{_read(text)}</pre>'


def _read(text: str) -> str:
    return escape(unturned(text))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _page(title: str, body: str, status: int = 200) -> Response:
    page = plain_page(title, f'<section class="card tap"><h1>{title}</h1>{body}</section>')
    return Response(page, status, HEADERS, media_type="text/html")
