"""One-tap links in a browser: a small page that says what would be answered, and a form that answers it. No script, no login.

GET changes nothing, so a mail scanner that opens every link decides nothing. What is refused is a page, too: who opens a link
from a mail is a person.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping
from html import escape
from urllib.parse import parse_qs

from starlette.responses import HTMLResponse, Response

from auteryn.api import bodies as b
from auteryn.api.call import Call
from auteryn.errors import AuterynError, Invalid
from auteryn.policy.durations import moment
from auteryn.policy.shown import exact_json, unturned
from auteryn.schema.human import Answer, Ask
from auteryn.schema.run import Run
from auteryn.service.links import OneTap, answer_by, opened
from auteryn.service.why import silence_means

LARGEST = 100_000
"""Bytes of a form."""

_CSS = """
:root{color-scheme:light dark;--ink:#1c1b1a;--soft:#6b6762;--paper:#faf9f7;--card:#fff;--line:#e4e0da;--go:#1f6f4a}
@media(prefers-color-scheme:dark){:root{--ink:#eceae6;--soft:#a39e97;--paper:#171615;--card:#201f1d;--line:#38352f;--go:#7fd0a6}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
main{max-width:38rem;margin:8vh auto;padding:0 1rem}
section{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:1.5rem}
h1{font-size:1.2rem;line-height:1.35;margin:0 0 .75rem;overflow-wrap:anywhere;white-space:pre-wrap}
p{margin:.5rem 0;white-space:pre-wrap;overflow-wrap:anywhere}
.soft{color:var(--soft);font-size:.9rem}
pre{background:var(--paper);border:1px solid var(--line);border-radius:8px;padding:.75rem;overflow:auto;max-height:22rem;
font:.85rem/1.45 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere}
button{font:inherit;font-weight:600;width:100%;padding:.8rem 1rem;border-radius:10px;border:0;background:var(--go);
color:var(--paper);cursor:pointer;margin-top:1rem;overflow-wrap:anywhere}
button:focus-visible,input:focus-visible,textarea:focus-visible{outline:3px solid var(--ink);outline-offset:2px}
label{display:block;margin-top:1rem;font-weight:600}
input,textarea{font:inherit;width:100%;padding:.6rem;margin-top:.3rem;border:1px solid var(--soft);border-radius:8px;
background:var(--paper);color:var(--ink)}
"""
_HASH = b64encode(hashlib.sha256(_CSS.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}


async def show_link(call: Call[b.Empty, None]) -> Response:
    """What a one-tap link would answer, as a page with a form. Nothing is answered by opening it."""
    try:
        tap, run, ask = await opened(call.engine, call.path["token"])
    except AuterynError as error:
        return _refused(error)
    return _page(ask.message, _confirm(tap, run, ask))


async def follow_tap(call: Call[b.Empty, None]) -> Response:
    """Give the answer of a one-tap link. It counts once; a link that was changed, has expired or comes too late is refused."""
    try:
        answer = await answer_by(call.engine, call.path["token"], await _written(call))
    except Invalid as error:
        return await _again(call, error)
    except AuterynError as error:
        return _refused(error)
    return _page("Thank you", _thanks(answer))


async def _again(call: Call[b.Empty, None], refused: Invalid) -> Response:
    try:
        tap, run, ask = await opened(call.engine, call.path["token"])
    except AuterynError as error:
        return _refused(error)
    return _page(ask.message, _confirm(tap, run, ask, f"That cannot be taken: it {refused.rule}."), 422)


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
    parts = [f"<p>{_read(ask.context)}</p>" if ask.context else ""]
    if ask.subject:
        parts.append(
            f"<p class=soft>{escape(ask.subject.tool)}, with exactly this:</p><pre>{escape(exact_json(ask.subject.args))}</pre>"
        )
        if ask.subject.preview:
            parts.append(f"<p class=soft>What it would do:</p><pre>{_read(ask.subject.preview)}</pre>")
    if complaint:
        parts.append(f"<p role=alert><strong>{_read(complaint)}</strong></p>")
    parts.append(_form(tap, ask))
    until = f"This link holds until {moment(tap.until)}, once, and answers as {tap.by}. {silence_means(ask)}"
    parts.append(f"<p class=soft>{_read(until)}</p><p class=soft>{_read(run.title)}</p>")
    return "".join(parts)


def _form(tap: OneTap, ask: Ask) -> str:
    if tap.option is not None:
        return f"<form method=post><button>{_read(tap.option)}</button></form>"
    return f"<form method=post><label>Your answer{_field(ask)}</label><button>Send</button></form>"


def _field(ask: Ask) -> str:
    kinds: Mapping[str, str] = {"number": "number step=any", "date": "date", "email": "email", "url": "url"}
    kind = kinds.get(ask.input_type) or kinds.get(ask.validation or "")
    if kind:
        return f"<input name=value required type={kind}>"
    return "<textarea name=value rows=4 required></textarea>"


def _thanks(answer: Answer) -> str:
    said = answer.value if isinstance(answer.value, str) else json.dumps(answer.value, ensure_ascii=False)
    return f"<p>Answered: <strong>{_read(said)}</strong></p><p class=soft>as {_read(answer.by)}. You can close this page.</p>"


def _refused(error: AuterynError) -> Response:
    return _page("Nothing was answered", f"<p>{_read(_sentence(str(error)))}</p>", error.http_status)


def _read(text: str) -> str:
    return escape(unturned(text))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _page(title: str, body: str, status: int = 200) -> HTMLResponse:
    html = (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width,initial-scale=1'>"
        f"<title>{_read(title[:80])}</title><style>{_CSS}</style>"
        f"<main><section><h1>{_read(title)}</h1>{body}</section></main></html>"
    )
    return HTMLResponse(html, status, HEADERS)
