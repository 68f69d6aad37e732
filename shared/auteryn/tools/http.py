"""Any HTTP interface: reading is free, everything else is asked of a person once per host."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.tools.egress import Answer, AnswerLost, Egress, checked_headers, host_and_port
from auteryn.tools.refusals import refusal
from auteryn.tools.secrets import credential_of
from auteryn.tools.sending import earlier_try, not_sent
from auteryn.tools.tool import Permission, ToolContext, tool
from auteryn.tools.untrusted import all_cleaned, framed, notice
from auteryn.tools.web import host_of, media_type, textual
from auteryn.tools.web_text import decoded
from auteryn.tools.workspace import Workspace

Method = Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]

READING = ("GET", "HEAD", "OPTIONS")
ONCE = ("POST", "PATCH")
"""What HTTP says does more when it is said twice."""
ANSWER_BYTES = 4 << 20
TEXT_CHARACTERS = 6_000
_TOLD = ("content-type", "location", "etag", "last-modified", "link", "retry-after", "x-ratelimit-remaining", "allow")
"""Headers a model can do something with."""


def _permission(args: dict[str, Any], files: Workspace) -> Permission:
    return "auto" if args["method"] in READING else "ask1"


def _only_fetched(args: dict[str, Any]) -> str:
    more = args.get("headers") or args.get("credential")
    return str(args["url"]) if args["method"] in READING and not more else ""


@tool(
    effect="keyed",
    group="utility",
    untrusted=True,
    sends=True,
    address=_only_fetched,
    decide=_permission,
    target=lambda args: host_of(str(args["url"])),
)
async def http_request(
    ctx: ToolContext,
    method: Annotated[Method, "GET, HEAD and OPTIONS are free; the others must be allowed once per host"],
    url: Annotated[str, "http:// or https:// address, with its query", Meta(min_length=1)],
    headers: Annotated[dict[str, str] | None, "Further headers; no passwords or keys"] = None,
    json_body: Annotated[dict[str, Any] | list[Any] | None, "Body, sent as JSON"] = None,
    text_body: Annotated[str | None, "Body, sent as it is; name its Content-Type in headers"] = None,
    credential: Annotated[str | None, "Name of a credential the owner set up for this host"] = None,
    knows_keys: Annotated[bool, "POST, PATCH: the server honours Idempotency-Key, so a lost call may be sent again"] = False,
) -> dict[str, Any]:
    """Call an HTTP interface: status, headers and body as the server gives them. Statuses such as 404 are answers, not errors.
    POST and PATCH carry an Idempotency-Key."""
    sent = checked_headers(headers or {})
    body = _body(sent, json_body, text_body, method)
    if credential:
        sent |= await _opened(ctx, credential, url)
    if method not in ONCE:
        return await _asked(ctx, method, url, sent, body)
    sent.setdefault("idempotency-key", ctx.key)
    if await earlier_try(ctx) and not knows_keys:
        raise _unknown(method, url)
    try:
        return await _asked(ctx, method, url, sent, body)
    except AnswerLost as error:
        if knows_keys:
            raise
        raise _unknown(method, url) from error
    except ToolFailed:
        await not_sent(ctx)
        raise


def _body(sent: dict[str, str], as_json: Any, as_text: str | None, method: str) -> bytes:
    if as_json is not None and as_text is not None:
        raise ToolFailed("invalid", "json_body, text_body: give one of them, not both")
    if as_json is None and as_text is None:
        return b""
    if method in READING:
        raise ToolFailed("invalid", f"method: {method!r} takes no body")
    if as_text is not None:
        sent.setdefault("content-type", "text/plain; charset=utf-8")
        return as_text.encode()
    sent.setdefault("content-type", "application/json")
    return json.dumps(as_json, ensure_ascii=False).encode()


async def _opened(ctx: ToolContext, name: str, url: str) -> dict[str, str]:
    """The header a credential stands for, only for its own hosts and never in the clear."""
    found, goal = await credential_of(ctx, name), ctx.egress.checked(url)
    host, port = host_and_port(goal)
    if host not in found.hosts:
        raise ToolFailed("denied", f"the credential {name!r} is for {', '.join(found.hosts)}, not for {host!r}")
    if goal.scheme != "https" and not _named(ctx.egress, host, port):
        raise ToolFailed("denied", f"the credential {name!r} is sent over https:// only")
    return checked_headers({found.header: found.value})


def _named(egress: Egress, host: str, port: int) -> bool:
    return f"{host}:{port}" in egress.allow


async def _asked(ctx: ToolContext, method: str, url: str, sent: dict[str, str], body: bytes) -> dict[str, Any]:
    async with ctx.egress.open(method, url, headers=sent, body=body, most_bytes=ANSWER_BYTES) as answer:
        passing = refusal(answer.status, answer.headers, str(answer.url), ctx.clock.now())
        if passing and (answer.status == 429 or (answer.status == 503 and method in READING)):
            raise passing
        return await _told(answer)


async def _told(answer: Answer) -> dict[str, Any]:
    raw = await answer.body()
    told: dict[str, Any] = {
        "notice": notice(str(answer.url)),
        "url": str(answer.url),
        "status": answer.status,
        "headers": {name: answer.headers[name][:500] for name in _TOLD if name in answer.headers},
        "size_bytes": len(raw),
    }
    told |= {"redirected_from": list(answer.redirects)} if answer.redirects else {}
    return all_cleaned(told) | _content(answer, raw)


def _content(answer: Answer, raw: bytes) -> dict[str, Any]:
    if not raw:
        return {"complete": True}
    if not textual(answer) or b"\0" in raw[:1_024]:
        return {
            "complete": False,
            "note": f"the body is {media_type(answer) or 'no text'}: web_fetch with save_as downloads files",
        }
    text = decoded(raw, answer.headers.get("content-type", ""))
    if media_type(answer).endswith("json"):
        try:
            return {"complete": True, "json": all_cleaned(json.loads(text))}
        except (ValueError, RecursionError):
            pass  # what says that it is JSON and is none is shown as it is
    told = {"complete": len(text) <= TEXT_CHARACTERS, "chars_total": len(text)}
    return told | {"text": framed(text[:TEXT_CHARACTERS], str(answer.url))}


def _unknown(method: str, url: str) -> ToolFailed:
    return ToolFailed(
        "ambiguous",
        f"outcome unknown: {method} to {host_of(url)!r} may have arrived, its answer did not come, and it was not repeated. "
        "Find out by reading before you do it again.",
    )
