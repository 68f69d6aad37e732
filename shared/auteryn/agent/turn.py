"""One turn of the model, and everything that may come instead of it: a nudge, a limit, a compaction, a wait."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from functools import partial
from math import ceil
from typing import Literal

from msgspec.structs import replace

from auteryn.agent.compaction import compacted, raised
from auteryn.agent.conclude import nothing_left
from auteryn.agent.mind import Facts, Mind
from auteryn.agent.prompt import CUT_OFF, DEADLINE, NUDGE, TOO_LONG_FOR_ONE, UNREADABLE, WRAP_UP, ledger, system_prompt
from auteryn.agent.speak import answered, ask_model, fruitless, unusable
from auteryn.agent.stuck import Circle, circle_of
from auteryn.errors import Exhausted, ModelRefused, RateLimited, Unavailable
from auteryn.policy.asking import asked_of, waited_for
from auteryn.policy.budget import held, near, raise_question
from auteryn.policy.limits import (
    CHARS_PER_TOKEN,
    CONCLUDE,
    CUT_OFFS,
    LEAST_OUTPUT,
    MOST_OUTPUT,
    OUTAGE_WAITS,
    REFUSED_SIGNATURES,
    REQUESTS_PER_ANSWER,
    UNREADABLE_ANSWERS,
)
from auteryn.policy.modes import FAST, MODES
from auteryn.ports.model import Declaration, ModelRequest
from auteryn.schema import event as e
from auteryn.schema.message import Content, Reply, Tokens
from auteryn.schema.record import derived_id, to_json
from auteryn.schema.run import FailReason, ForBudget, ForRateLimit
from auteryn.tools.notes import ledger_notes
from auteryn.tools.profiles import for_files, for_words
from auteryn.tools.registry import kept_out

STOP, GO_ON = "Stop here", "Go on"


async def next_turn(mind: Mind) -> Facts:
    """The facts of the next turn. Empty, with `mind.wait_for` set, when the run has to wait first."""
    run, thread = mind.run, mind.thread
    if mind.notes is None and thread.started:
        mind.notes = await ledger_notes(mind.services.store, run.root)
    if run.is_question:
        return _question(mind)
    if thread.stuck_ask:
        return _stuck_answer(mind)
    if facts := near(run, mind.now()):
        return tuple(facts)
    if question := held(run):
        mind.wait_for.append(waited_for(question))
        return ()
    if wait := await mind.room(partial(_foreseen, mind)):
        mind.wait_for.append(wait)
        return ()
    if limit := _limit(mind):
        if limit == "credit_limit" and (ask := raise_question(run, mind.now(), _short(mind))):
            return (e.AskOpened(ask=ask),)
        return await _wrapped_up(mind, limit)
    if run.parent and (mind.calls_left < 1 or _short(mind) > 0):
        mind.wait_for.append(ForBudget())
        return (e.BudgetAsked(llm_calls=run.usage.llm_calls, short_credits=max(0, _short(mind))),)
    if mind.now() >= run.deadline_at and not run.over_time:
        return (e.Told(text=DEADLINE, why="deadline"),)
    if (circle := circle_of(thread.outcomes)) and not thread.late:
        return _going_in_circles(mind, circle)
    if thread.raised:
        return raised(mind)
    if (thread.too_long or thread.tokens() > mind.settings.compact_at_tokens) and len(thread.turns) > 1:
        return await _guarded(mind, "compaction")
    return await _guarded(mind, "turn")


async def out_of_time(mind: Mind) -> Facts:
    """End the run, whatever is open in it; with a last turn of the model where one is still possible."""
    if mind.thread.calls or mind.run.is_question:
        return _ended(mind, "deadline", LIMIT_WORDS["deadline"])
    return await _wrapped_up(mind, "deadline")


async def _guarded(mind: Mind, what: Literal["turn", "compaction"]) -> Facts:
    """The model call; its failures become what they mean for the run. Of a FAST run it ends with the run's time: an answer that
    trickles is no silence."""
    ends_at = mind.stop_at + FAST.slice_margin
    fast = mind.run.mode == "fast" and not mind.run.parent
    limit = asyncio.timeout((ends_at - mind.now()).total_seconds() if fast else None)
    try:
        async with limit:
            return await compacted(mind) if what == "compaction" else await _spoken(mind)
    except TimeoutError:
        if not limit.expired():
            raise
        return _ended(mind, "timeout", LIMIT_WORDS["timeout"])
    except RateLimited as error:
        return _outage(mind, "rate_limited", str(error), error.retry_after)
    except Unavailable as error:
        return _outage(mind, "unavailable", str(error), error.retry_after)
    except ModelRefused as error:
        if error.reason == "too_long" and what == "turn" and len(mind.thread.turns) > 1:
            return (fruitless(mind, "too_long", str(error)),)  # the next turn compacts
        if error.reason == "signature" and what == "turn" and mind.thread.turns:
            return _as_text(mind, str(error))
        if error.reason == "no_key" and (mind.thread.turns or mind.run.parent):
            return _outage(mind, "no_key", str(error), None)  # the tree has spoken: whoever renews it loses no work (F31)
        return _ended(mind, "model_refused", str(error))
    except Exhausted:
        return await _wrapped_up(mind, "llm_call_limit")


async def _spoken(mind: Mind) -> Facts:
    began = time.monotonic()
    reply = await ask_model(mind, request(mind))
    fact = answered(mind, reply, began)
    match reply.finish:
        case "stop" | "unexpected_call" if reply.calls or reply.text.strip():
            done = not reply.calls and nothing_left(mind)
            return (fact, e.RunCompleted(result=mind.thread.unfinished + reply.text)) if done else (fact,)
        case "max_tokens" | "continuation" if reply.calls or reply.text.strip():
            goes_on = not reply.calls and mind.thread.cut_offs < CUT_OFFS
            return (fact, e.Told(text=CUT_OFF, why="format")) if goes_on else (fact,)
        case "safety":
            why = f"the model declined to answer ({reply.finish_detail or 'safety'})"
            return (unusable(mind, reply, reply.finish_detail), *_ended(mind, "model_refused", why))
        case "max_tokens":
            return _unreadable(mind, reply, "the output limit was used up before anything was said")
        case _:
            empty = reply.finish in ("stop", "empty") or not reply.finish_detail
            return _unreadable(mind, reply, "it was empty" if empty else reply.finish_detail)


def request(mind: Mind, *, notice: str = "", tools: bool = True) -> ModelRequest:
    """The next request: the stable prefix, the conversation, and at the end what must be seen fresh."""
    mode = MODES[mind.run.mind]
    return ModelRequest(
        role=mode.name,
        system=system_prompt(mind.run),
        contents=_with_tail(mind, notice),
        tools=declared(mind),
        tool_mode="auto" if tools else "none",
        thinking_tokens=mode.thinking_tokens,
        include_thoughts=mind.run.options.include_thoughts,
        silence=mode.silence,
        attempts=REQUESTS_PER_ANSWER if mind.run.options.auto_retry else 1,
    )


def declared(mind: Mind) -> tuple[Declaration, ...]:
    """The tools of this request; made anew only when a search has found more, or the mode was raised."""
    run = mind.run
    state = (run.mode, len(mind.thread.found))
    if mind.shown is None or mind.shown[0] != state:
        mind.shown = (state, _declared(mind))
    return mind.shown[1]


def _declared(mind: Mind) -> tuple[Declaration, ...]:
    run = mind.run
    task = mind.thread.task
    early = [*for_files(task.files), *(for_words(task.text) if run.mode == "deep" else ())]
    return mind.registry.declared(run.mode, [*early, *mind.thread.found], kept_out(run))


def _with_tail(mind: Mind, notice: str) -> list[Content]:
    contents = mind.thread.contents
    shown = [text for text in (ledger(mind.run, mind.notes or ()), notice) if text]
    if not shown or (not mind.thread.started and not notice):
        return contents
    parts = [{"text": text} for text in shown]
    if contents[-1]["role"] == "user":
        return [*contents[:-1], {"role": "user", "parts": [*contents[-1]["parts"], *parts]}]
    return [*contents, {"role": "user", "parts": parts}]


# ---- limits -------------------------------------------------------------------------------------------------


def _limit(mind: Mind) -> FailReason | None:
    """The limit that is reached, if one is: what follows is at most one last turn."""
    run = mind.run
    if run.mode == "fast" and not run.parent and mind.now() >= mind.stop_at:
        return "timeout"
    if mind.calls_left <= 1 and (not run.parent or mind.thread.share_refused):
        return "llm_call_limit"
    if run.concluding:
        return "credit_limit"
    if _short(mind) > 0 and (not run.parent or mind.thread.share_refused):
        return "credit_limit"
    return None


def _short(mind: Mind) -> int:
    """Thousandths of a credit the next turn would lack, as far as its prompt tells; 0 or less: it lacks none."""
    left = mind.run.credits_left
    return 0 if left is None else 1 + _foreseen(mind) - left


def _foreseen(mind: Mind, output: int = 1_000) -> int:
    """Thousandths of a credit the next turn will cost, as far as its prompt tells."""
    model, thread = mind.services.model.model_id(mind.run.mind), mind.thread
    prompt = thread.tokens() if thread.turns else thread.tokens() + _unseen_tokens(mind)
    return mind.settings.price(model, Tokens(prompt=prompt, output=output), mind.now())


def _unseen_tokens(mind: Mind) -> int:
    """Of what comes before the conversation, which no answer has counted yet."""
    return (len(system_prompt(mind.run)) + len(to_json(declared(mind)))) // CHARS_PER_TOKEN


def _payable_output(mind: Mind) -> int | None:
    """Tokens of output that what is left of the budget pays for, as the prompt is only estimated; None without a budget."""
    left = mind.run.credits_left
    if left is None:
        return None
    prompt, whole = _foreseen(mind, 0), _foreseen(mind)
    return max(0, left - prompt - left // 20) * 1_000 // max(1, whole - prompt)


LIMIT_WORDS: dict[str, str] = {
    "timeout": "the 11 minutes of a FAST run are over",
    "deadline": "the run's time is over",
    "llm_call_limit": "the run's {calls} model calls are used up",
    "credit_limit": "the run's budget of {credits:g} credits is used up: the next turn is estimated to need {needed:g}, and"
    " that is not left",
}
TOO_SMALL = (
    "the run's budget of {credits:g} credits is too small for a single turn, which is estimated to need {needed:g}. Nothing"
    " was spent. Start it again with a larger budget: most tasks take several turns, and an estimate says about how much"
)
SHARE_TOO_SMALL = (
    "the step's share of the budget, {credits:g} credits, is too small for a single turn, which is estimated to need"
    " {needed:g}: the run needs a larger budget or fewer steps"
)


def _in_words(mind: Mind, words: str) -> str:
    limits, needed = mind.run.limits, ceil((1 + _foreseen(mind)) / 100) / 10
    return words.format(calls=limits.llm_calls, credits=(limits.credits or 0) / 1000, needed=needed)


async def _wrapped_up(mind: Mind, limit: FailReason) -> Facts:
    """One last turn without tools, if a model call is left for it; then the end, with what there is."""
    run = mind.run
    why = run.concluding or _in_words(mind, LIMIT_WORDS[limit])
    past, most = mind.now() >= run.deadline_at + CONCLUDE, _payable_output(mind)
    if (
        limit == "timeout"
        or past
        or mind.calls_left < 1
        or (most is not None and most < LEAST_OUTPUT)
        or await mind.room(partial(_foreseen, mind))
    ):
        if limit == "credit_limit" and not (run.concluding or run.usage.llm_calls):
            why = _in_words(mind, SHARE_TOO_SMALL if run.parent else TOO_SMALL)
        return _ended(mind, limit, why)
    began = time.monotonic()
    try:
        last = request(mind, notice=WRAP_UP.format(why=why), tools=False)
        if most is not None and most < MOST_OUTPUT:  # it thinks less, and no more is said than can be paid for
            last = replace(last, max_output_tokens=most, thinking_tokens=MODES["fast"].thinking_tokens)
        reply = await ask_model(mind, last)
    except (RateLimited, Unavailable, ModelRefused, Exhausted):
        return _ended(mind, limit, why)
    if not reply.text.strip() or reply.calls:
        return (unusable(mind, reply, reply.finish_detail), *_ended(mind, limit, why))
    return (answered(mind, reply, began), e.RunFailed(reason=limit, message=why, partial=reply.text.strip()))


def _ended(mind: Mind, reason: FailReason, message: str) -> Facts:
    return (e.RunFailed(reason=reason, message=message, partial=mind.thread.last_text or None),)


# ---- trouble --------------------------------------------------------------------------------------------------


def _outage(mind: Mind, reason: str, message: str, retry_after: timedelta | None) -> Facts:
    """The model cannot be reached for longer than is worth sitting out: the run sleeps and costs nothing (F31)."""
    failed = fruitless(mind, reason, message)
    if not mind.run.options.auto_retry:
        return (failed, *_ended(mind, "error", message))
    pause = own = OUTAGE_WAITS[min(mind.thread.outages, len(OUTAGE_WAITS) - 1)]
    if retry_after:  # believed once: a day's quota says "retry in 40 s" all day long, and every try is a counted call
        pause = max(own, retry_after) if mind.thread.outages else retry_after
    mind.wait_for.append(ForRateLimit(at=mind.now() + pause, why=message[:300]))
    return (failed,)


def _as_text(mind: Mind, message: str) -> Facts:
    """Go on without signatures: an older model's went. Its own can only be lost on the way, and then each answer's will be."""
    refused = mind.thread.refused + 1
    if refused > REFUSED_SIGNATURES:
        why = f"{message} (for the {refused}th time in a row: what stands between here and the model seems to drop them)"
        return (fruitless(mind, "signature", message), *_ended(mind, "model_refused", why))
    return (fruitless(mind, "signature", message), *raised(mind, refused))


def _unreadable(mind: Mind, reply: Reply, why: str) -> Facts:
    """Repeat the same request once; the next time tell the model what was wrong; in the end, end the run."""
    failed = unusable(mind, reply, why)
    before = mind.thread.unreadable
    if before + 1 >= UNREADABLE_ANSWERS:
        return (failed, *_ended(mind, "model_refused", f"the model gave {UNREADABLE_ANSWERS} unusable answers in a row: {why}"))
    text = TOO_LONG_FOR_ONE if reply.finish == "max_tokens" else UNREADABLE.format(why=why)
    return (failed,) if before == 0 else (failed, e.Told(text=text, why="format"))


def _going_in_circles(mind: Mind, circle: Circle) -> Facts:
    """Nudge, then ask, then stop. Each rung is climbed only if the circle goes on after the one before."""
    thread, run = mind.thread, mind.run
    if thread.nudges < 2:
        return (e.Told(text=NUDGE.format(what=circle.words), why="nudge"),)
    message = f"the agent made {circle.words} and did not stop when told ({thread.nudges} times)"
    if not run.options.ask_when_stuck or thread.nudges >= 3:
        return _ended(mind, "stuck", message)
    ask = asked_of(
        run,
        mind.now(),
        id=derived_id("ask", run.id, "stuck", run.turns),
        kind="stuck",
        message=f"The agent makes no progress: {message}. Stop here, or let it go on?",
        options=(STOP, GO_ON),
    )
    mind.wait_for.append(waited_for(ask))
    return (e.AskOpened(ask=ask),)


def _stuck_answer(mind: Mind) -> Facts:
    ask = mind.thread.stuck_ask or ""
    answer = mind.thread.answers.get(ask)
    if answer is None:
        mind.wait_for += [waited_for(one) for one in mind.run.asks if one.id == ask]
        return ()
    if answer.value == GO_ON:
        return (e.Told(text=f"{answer.by} was asked and says: go on, but not in the same way.", why="nudge", by=answer.by),)
    return _ended(mind, "stuck", f"{answer.by} stopped the run because it made no progress")


def _question(mind: Mind) -> Facts:
    """A run that is only a question to a person ends with the answer."""
    answer = next(iter(mind.thread.answers.values()), None)
    if answer is None:
        mind.wait_for += [waited_for(ask) for ask in mind.run.asks]
        return ()
    if answer.how == "expired" and answer.value is None:
        return (e.RunFailed(reason="timeout", message="nobody answered in time"),)
    return (e.RunCompleted(result=str(answer.value)),)
