"""Asking and telling people. While a question is open the run has no process and costs nothing."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from auteryn.errors import Invalid, ToolFailed
from auteryn.policy import durations
from auteryn.policy.limits import NOTIFICATIONS_PER_HOUR
from auteryn.schema.change import Doc
from auteryn.schema.event import AskOpened, Notified
from auteryn.schema.human import Ask, InputType, OnTimeout
from auteryn.schema.record import derived_id
from auteryn.schema.run import ForPerson
from auteryn.tools.files import compiled
from auteryn.tools.json_schema import mismatch
from auteryn.tools.tool import Pause, Result, ToolContext, tool

NOTICE = "notice"
"""Kind of the documents that count notifications."""

Options = Annotated[list[str], "What may be answered, word for word", Meta(min_length=1, max_length=20)]
Timeout = Annotated[str | None, "How long to wait for an answer, e.g. `24h`; null: as long as the run lives"]
_RULES = ("email", "url", "number", "date")


# ---- the tools -----------------------------------------------------------------------------------------------


@tool(effect="idempotent", group="human", cost=0)
async def ask_approval(
    ctx: ToolContext,
    message: Annotated[str, "What you want to do, what it touches, what cannot be undone", Meta(min_length=1)],
    options: Options = ["Approve", "Reject"],  # noqa: B006 - never changed
    context: Annotated[str, "What the person needs to know to decide"] = "",
    timeout: Timeout = "24h",
    on_timeout: Annotated[
        OnTimeout, "deny: you hear that nobody answered; default: `default` counts; halt: the run ends"
    ] = "deny",
    default: Annotated[str | None, "The option that counts when nobody answers"] = None,
) -> Pause:
    """Ask a person to decide before you go on. The answer is one of the options."""
    if on_timeout == "default" and default not in options:
        raise ToolFailed("invalid", f"default: {default!r} must be one of the options {options} when on_timeout is 'default'")
    ask = _ask(
        ctx, "approval", message, timeout, options=_distinct(options), context=context, on_timeout=on_timeout, default=default
    )
    return _opened(ask)


@tool(effect="idempotent", group="human", cost=0)
async def ask_input(
    ctx: ToolContext,
    message: Annotated[str, "The question", Meta(min_length=1)],
    input_type: Annotated[InputType, "What kind of answer"] = "text",
    options: Annotated[list[str], "choice: what may be answered", Meta(max_length=100)] = [],  # noqa: B006 - never changed
    validation: Annotated[str | None, "`email`, `url`, `number`, `date` or `regex:PATTERN` (RE2, the whole answer)"] = None,
    json_schema: Annotated[dict[str, Any] | None, "json: the schema the answer must keep"] = None,
    timeout: Timeout = None,
) -> Pause:
    """Ask a person for something only they know. A bad answer is asked again before you see it."""
    if (input_type == "choice") != bool(options):
        raise ToolFailed("invalid", f"options: {options} must be given for input_type 'choice' and for no other")
    if validation is not None:
        _check_rule(validation)
    ask = _ask(
        ctx,
        "input",
        message,
        timeout,
        options=_distinct(options),
        input_type=input_type,
        validation=validation,
        json_schema=json_schema,
        on_timeout="deny" if timeout else "wait",
    )
    return _opened(ask)


@tool(effect="idempotent", group="human", cost=0)
async def notify(
    ctx: ToolContext,
    message: Annotated[str, "What the owner should know", Meta(min_length=1, max_length=4_000)],
    level: Annotated[Literal["info", "warning", "error"], "How urgent"] = "info",
) -> Result:
    """Tell the owner something without waiting for an answer: progress, an alert, a finding."""
    await _count_notice(ctx)
    return Result(output={"told": True}, events=(Notified(message=message, level=level),))


def _ask(ctx: ToolContext, kind: Literal["approval", "input"], message: str, timeout: str | None, **more: Any) -> Ask:
    now = ctx.clock.now()
    expires_at = None if timeout is None else min(now + _span(timeout), ctx.run.deadline_at)
    return Ask(
        id=derived_id("ask", ctx.call, kind),
        run=ctx.run.id,
        call=ctx.call,
        kind=kind,
        message=message,
        opened_at=now,
        expires_at=expires_at,
        **more,
    )


def _opened(ask: Ask) -> Pause:
    until = ask.expires_at if ask.on_timeout != "wait" else None
    return Pause(wait=ForPerson(ask=ask.id, call=ask.call, until=until), events=(AskOpened(ask=ask),))


def _span(timeout: str) -> timedelta:
    try:
        return durations.parse(timeout, "timeout")
    except Invalid as error:
        raise ToolFailed("invalid", str(error)) from error


def _distinct(options: list[str]) -> tuple[str, ...]:
    for option in options:
        if not option.strip() or options.count(option) > 1:
            raise ToolFailed("invalid", f"options: {option!r} is empty or there twice")
    return tuple(options)


def _check_rule(validation: str) -> None:
    if validation.startswith("regex:"):
        compiled(validation.removeprefix("regex:"), "validation")
    elif validation not in _RULES:
        raise ToolFailed("invalid", f"validation: {validation!r} must be {', '.join(_RULES)} or regex:PATTERN")


async def _count_notice(ctx: ToolContext) -> None:
    """Count this one, once; refuse it when the hour is full. Counts older than an hour are dropped on the way."""
    now, mine = ctx.clock.now(), derived_id(NOTICE, ctx.call)
    recent = 0
    for doc in await ctx.store.docs(NOTICE, ctx.run.root):
        if doc.id == mine:
            return
        if doc.at > now - timedelta(hours=1):
            recent += 1
        else:
            await ctx.store.drop(NOTICE, doc.id)
    if recent >= NOTIFICATIONS_PER_HOUR:
        raise ToolFailed(
            "rate_limited",
            f"{recent} notifications were sent within the hour, the most there may be: put news together, or use notes",
        )
    await ctx.store.put(Doc(kind=NOTICE, id=mine, scope=ctx.run.root, body=None, at=now), if_absent=True)


# ---- the answers ---------------------------------------------------------------------------------------------


def accepted(ask: Ask, value: Any) -> Any:
    """The answer as the run will see it; raises `Invalid` naming the rule it breaks, and the question stays open."""
    if ask.options:
        if value not in ask.options:
            raise Invalid("answer", value, f"must be one of {', '.join(map(repr, ask.options))}")
        return value
    if ask.input_type == "json" or ask.json_schema is not None:
        return _json(ask, value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Invalid("answer", value, "must be a text or a number")
    text = str(value).strip()
    if not text:
        raise Invalid("answer", value, "must not be empty")
    for rule in (ask.input_type, ask.validation or "text"):
        _refuse(text, value, rule)
    return _number(text) if ask.input_type == "number" else text


def _json(ask: Ask, value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError as error:
            raise Invalid("answer", value, f"must be JSON: {error}") from error
    if wrong := mismatch(value, ask.json_schema or {}):
        raise Invalid("answer", value, wrong)
    return value


def _refuse(text: str, value: Any, rule: str) -> None:
    if rule.startswith("regex:"):
        good, must = bool(compiled(rule.removeprefix("regex:"), "validation").fullmatch(text)), f"must match {rule[6:]}"
    else:
        check, must = _CHECKS[rule]
        good = check(text)
    if not good:
        raise Invalid("answer", value, must)


def _is_email(text: str) -> bool:
    """What HTML's own e-mail field takes, with a dot in the host."""
    host = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
    return len(text) <= 254 and bool(
        re.fullmatch(rf"[\w.!#$%&'*+/=?^`{{|}}~-]{{1,64}}@{host}(?:\.{host})+", text, re.IGNORECASE)
    )


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", text)
    except ValueError:
        return False


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", text)) and len(text) <= 100


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        try:
            datetime.fromisoformat(text)
        except ValueError:
            return False
    return True


def _number(text: str) -> int | float:
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)


_CHECKS: dict[str, tuple[Any, str]] = {
    "text": (lambda text: True, ""),  # pyright: ignore[reportUnknownLambdaType]
    "choice": (lambda text: False, "cannot be chosen: the question has no options"),  # pyright: ignore[reportUnknownLambdaType]
    "email": (_is_email, "must be an e-mail address"),
    "url": (_is_url, "must be a web address with http or https"),
    "number": (_is_number, "must be a number"),
    "date": (_is_date, "must be a date such as 2026-01-31"),
}
