"""A tool server asks the owner something in the middle of a call (MCP elicitation): the run waits as for any question of its
own, and then the call is made once more. A question that has been answered is answered again, so a server that was started
anew meanwhile hears all of it. No answer, or `null`, declines.

The question is the server's and says so; the answer is a person's and goes to that server. No model answers for people.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, cast

from msgspec.structs import replace

from auteryn.errors import ToolFailed
from auteryn.policy.asking import asked_of, waited_for
from auteryn.schema.event import AskOpened
from auteryn.schema.record import canonical_json, derived_id
from auteryn.tools.mcp_schema import sanitised
from auteryn.tools.mcp_server import Definition, Server
from auteryn.tools.tool import Pause, ToolContext
from auteryn.tools.untrusted import cleaned

PATIENCE = timedelta(hours=24)
"""For an answer, where the owner set no time."""
ROUNDS = 10
"""Of questions within one call."""
LONGEST = 2_000
"""Characters of a question."""


async def call_asking(ctx: ToolContext, server: Server, definition: Definition, arguments: dict[str, Any]) -> Any:
    """The server's answer, or a `Pause` for the first question that nobody has answered yet."""
    said: dict[str, Any] | None = None
    state: str | None = None
    for number in range(ROUNDS):
        result = await server.call(ctx, definition, arguments, said=said, state=state)
        if result.result_type != "input_required":
            return result
        said, state = {}, result.request_state
        for key, request in cast("dict[str, Any]", result.input_requests or {}).items():
            ask = derived_id("ask", ctx.call, number, key, canonical_json(request.model_dump(mode="json")))
            if _to_a_person(server.name, request) and ask not in ctx.answers:
                return _asked(ctx, server.name, ask, request.params)
            said[key] = _said(ctx, ask)
        if not said:
            await asyncio.sleep(min(0.05 * 2**number, 1.0))  # it only wants to be called again
    raise ToolFailed("failed", f"the server {server.name!r} asked {ROUNDS} times in one call, and is not answered any more")


def _to_a_person(server: str, request: Any) -> bool:
    """Whether it may be put to somebody. Who is sent to an address by a server could be sent anywhere: that is declined."""
    if request.method != "elicitation/create":
        raise ToolFailed(
            "unsupported", f"the server {server!r} wants {cleaned(str(request.method))[:60]!r}: it does not get it"
        )
    return request.params.mode == "form"


def _asked(ctx: ToolContext, server: str, ask: str, question: Any) -> Pause:
    people = ctx.run.options.people
    silence: dict[str, Any] = {} if people.escalate_to else {"on_timeout": "deny", "timeout": people.timeout or PATIENCE}
    opened = asked_of(
        ctx.run,
        ctx.clock.now(),
        id=ask,
        call=ctx.call,
        kind="input",
        message=f"The tool server {server!r} asks, and will read the answer (null declines). Its words: "
        + cleaned(question.message)[:LONGEST],
        input_type="json",
        json_schema={"anyOf": [sanitised(question.requested_schema), {"type": "null"}]},
        **silence,
    )
    return Pause(wait=replace(waited_for(opened), again=True), events=(AskOpened(ask=opened),))


def _said(ctx: ToolContext, ask: str) -> Any:
    from mcp_types import ElicitResult

    answer = ctx.answers.get(ask)
    if answer is None or answer.how == "expired" or not isinstance(answer.value, dict):
        return ElicitResult(action="decline")
    return ElicitResult(action="accept", content=cast("dict[str, Any]", answer.value))
