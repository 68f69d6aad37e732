"""One call of a tool: bounded in time, carried through a full disk, and retried where a retry is safe (L6)."""

from __future__ import annotations

import asyncio
from posixpath import normpath
from typing import Any

from auteryn.agent.mind import Mind
from auteryn.agent.output import capped, told_in_part
from auteryn.agent.thread import OpenCall
from auteryn.errors import DiskFull, Retryable, ToolFailed
from auteryn.policy.limits import TOOL_RETRIES
from auteryn.policy.retry import backoff
from auteryn.tools.away import all_back, bring_back, make_room
from auteryn.tools.hidden import PutAway
from auteryn.tools.jail import out_of_space
from auteryn.tools.refusals import wanted_later
from auteryn.tools.tool import Tool, ToolContext


class Work:
    """A call that may run now."""

    __slots__ = ("args", "call", "inner", "resumed", "tool")

    def __init__(self, call: OpenCall, tool: Tool, args: dict[str, Any]) -> None:
        self.call, self.tool, self.args = call, tool, args
        self.inner = False
        """Another call made it: its output goes there, whole."""
        self.resumed = call.begun
        """An earlier slice began it and left no answer."""

    @property
    def needs_intent(self) -> bool:
        return self.tool.effect in ("keyed", "once") and not self.resumed

    @property
    def lane(self) -> str:
        """Calls of one lane run one after the other."""
        key = self.tool.serial(self.args) if self.tool.serial else None
        return f"{self.tool.group} {normpath(key)}" if key else self.call.id  # ./a and a are one file

    @property
    def after_those_before(self) -> bool:
        """It hands over what the calls before it in the same turn are still making, by whatever tool."""
        return self.tool.group == "deliver"


async def attempted(mind: Mind, one: Work, context: ToolContext) -> tuple[Any, int]:
    """The tool's outcome, after retries of what may be retried (L6)."""
    if one.resumed and one.tool.effect == "once":
        return await _probed(mind, one, context), 1
    for attempt in range(1, TOOL_RETRIES + 2):
        try:
            return await _with_room(mind, one, context), attempt
        except ToolFailed as error:
            if not error.retryable or attempt > TOOL_RETRIES or one.tool.effect == "once" or not mind.run.options.auto_retry:
                raise
            if later := wanted_later(error.kind, str(error), error.retry_after):
                raise later from error
            await mind.services.clock.sleep(error.retry_after or backoff(attempt))
    raise AssertionError("unreachable: the last attempt raises")


async def _with_room(mind: Mind, one: Work, context: ToolContext) -> Any:
    """Make the call. Where the disk is full, free what can be freed and make it again, unless its effect is `once` (L6)."""
    try:
        if one.tool.effect == "once":
            await all_back(mind.files, mind.services.blobs)
        try:
            return await _with_files(mind, one, context)
        except DiskFull:
            made = await _room_made(mind)
            if one.tool.effect == "once" or not made:
                raise
            return await _with_files(mind, one, context)
    except DiskFull as error:
        raise ToolFailed("quota", str(error)) from error


async def _with_files(mind: Mind, one: Work, context: ToolContext) -> Any:
    """Make the call. Where it asks for a file whose bytes lie in the blobs only, bring that back and make it again."""
    while True:
        try:
            return await _within_time(one, context)
        except PutAway as away:
            if one.tool.effect == "once":
                raise
            await bring_back(mind.files, mind.services.blobs, away.path)


async def _room_made(mind: Mind) -> bool:
    return await make_room(mind.files, mind.services.blobs, mind.run.artifacts)


async def kept(mind: Mind, output: Any, call: str) -> tuple[Any, bool]:
    """The output as the conversation holds it, and whether it was cut. A full disk never loses the answer of a call that was
    made."""
    try:
        return capped(output, call, mind.files)
    except DiskFull:
        await _room_made(mind)
    try:
        return capped(output, call, mind.files)
    except (DiskFull, ToolFailed) as error:
        return told_in_part(output, str(error)), True


async def _probed(mind: Mind, one: Work, context: ToolContext) -> Any:
    """An earlier slice may have made this call: ask the target if it can be asked, never repeat it blindly."""
    if one.tool.probe is not None:
        found = await one.tool.probe(context, **one.args)
        if found is not None:
            return found
        return await _with_room(mind, one, context)
    raise outcome_unknown()


def outcome_unknown(why: ToolFailed | None = None) -> ToolFailed:
    """The answer to a call that may have been made. `why` it can neither be repeated nor probed here."""
    return ToolFailed(
        "ambiguous",
        "outcome unknown: this call was under way when the work was interrupted, and it may have taken effect. "
        f"It was not repeated{f' ({why})' if why else ''}. Find out before you do it again, or say so in the result.",
    )


async def _within_time(one: Work, context: ToolContext) -> Any:
    tool = one.tool
    try:
        return await tool.outcome(context, one.args)
    except TimeoutError as error:
        unknown = "; it may have taken effect: find out before you do it again" if tool.effect == "once" else ""
        told = f"{tool.name} took longer than {tool.timeout.total_seconds():g} s and was stopped{unknown}"
        raise ToolFailed("timeout", told) from error
    except DiskFull:
        raise
    except Retryable as error:
        raise ToolFailed("unavailable", str(error), retryable=True, retry_after=error.retry_after) from error
    except (ToolFailed, asyncio.CancelledError):
        raise
    except Exception as error:
        if out_of_space(error):
            raise DiskFull(f"no space was left on the disk while {tool.name} was at work") from error
        raise ToolFailed("failed", f"{tool.name} failed: {type(error).__name__}: {error}") from error
