"""What a person is asked before a call, bound to exactly what is shown (L14)."""

from __future__ import annotations

from typing import Any

from auteryn.agent.mind import Mind
from auteryn.agent.taint import tainted
from auteryn.agent.thread import OpenCall
from auteryn.policy.asking import asked_of, waited_for
from auteryn.policy.gates import GATE_OPTIONS, TAINTED_OPTIONS, fingerprint
from auteryn.schema import event as e
from auteryn.schema.human import Subject
from auteryn.schema.record import derived_id
from auteryn.tools.tool import Judged, Tool

CHANGED = "what this call would do now is not what was allowed; repeat the call to ask again"


def gated(mind: Mind, call: OpenCall, tool: Tool, args: dict[str, Any], judged: Judged) -> list[e.AnyEvent]:
    """The question before the call, bound to exactly what is shown."""
    shown = Subject(
        tool=tool.name,
        args=args,
        sha256=fingerprint_now(mind, tool, args),
        target=judged.target,
        preview=_preview(mind, tool, args),
    )
    ask = asked_of(
        mind.run,
        mind.now(),
        id=derived_id("ask", call.id),
        call=call.id,
        kind="gate",
        message=f"Allow {named(tool, judged)}?",
        options=TAINTED_OPTIONS if judged.sends and tainted(mind) else GATE_OPTIONS,
        subject=shown,
    )
    return [e.AskOpened(ask=ask), e.CallSuspended(call=call.id, tool=tool.name, wait=waited_for(ask))]


def foregone(mind: Mind, tool: Tool, args: dict[str, Any], judged: Judged) -> dict[str, Any]:
    """The answer of a call that a dry run does not make."""
    would = {"tool": tool.name, "target": judged.target, "args": args, "preview": _preview(mind, tool, args)}
    return {"dry_run": "this was not done; go on as if it had been", "would": {name: one for name, one in would.items() if one}}


def named(tool: Tool, judged: Judged) -> str:
    return f"{tool.name} ({judged.target})" if judged.target else tool.name


def _preview(mind: Mind, tool: Tool, args: dict[str, Any]) -> str:
    if tool.preview:
        return tool.preview(args, mind.files)
    return tool.judged(args, mind.files, mind.run).preview


def fingerprint_now(mind: Mind, tool: Tool, args: dict[str, Any]) -> str:
    """Fingerprint of what the call would do now: compared where the call is made, not where it was asked about (L14)."""
    return fingerprint(tool.name, args, _preview(mind, tool, args))
