"""Asking and telling people. While a question is open the run has no process and costs nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from msgspec import Meta

from auteryn.errors import Invalid, ToolFailed
from auteryn.policy import durations
from auteryn.policy.answers import check_question
from auteryn.policy.asking import asked_of, waited_for
from auteryn.policy.limits import NOTIFICATIONS_PER_HOUR
from auteryn.schema.change import Doc
from auteryn.schema.event import AskOpened, Notified
from auteryn.schema.human import Ask, InputType
from auteryn.schema.record import derived_id
from auteryn.tools.tool import Pause, Result, ToolContext, tool

NOTICE = "notice"
"""Kind of the documents that count notifications."""

Silence = Literal["wait", "default", "deny", "halt"]
"""Who is asked next is the owner's to say, not the model's."""
Options = Annotated[list[str], "What may be answered, word for word", Meta(min_length=1, max_length=20)]
Timeout = Annotated[str | None, "How long to wait for an answer, e.g. `24h`; null: as long as the run lives"]


# ---- the tools -----------------------------------------------------------------------------------------------


@tool(effect="idempotent", group="human", cost=0)
async def ask_approval(
    ctx: ToolContext,
    message: Annotated[str, "What you want to do, what it touches, what cannot be undone", Meta(min_length=1)],
    options: Options = ["Approve", "Reject"],  # noqa: B006 - never changed
    context: Annotated[str, "What the person needs to know to decide"] = "",
    timeout: Timeout = "24h",
    on_timeout: Annotated[
        Silence, "deny: you hear that nobody answered; default: `default` counts; halt: the run ends"
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
    """The question, put to whom the owner chose. The model says how long it waits, unless the owner named who is next."""
    span = None if timeout is None else _span(timeout)
    if ctx.run.options.people.escalate_to:
        more.pop("on_timeout")
    else:
        more |= {"timeout": span, "escalate_to": ()}
    return asked_of(
        ctx.run, ctx.clock.now(), id=derived_id("ask", ctx.call, kind), call=ctx.call, kind=kind, message=message, **more
    )


def _opened(ask: Ask) -> Pause:
    try:
        check_question(ask)
    except Invalid as error:
        raise ToolFailed("invalid", str(error)) from error
    return Pause(wait=waited_for(ask), events=(AskOpened(ask=ask),))


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
