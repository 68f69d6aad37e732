"""When a person is asked before a call. Host policy on tool, effect, arguments and taint; never the model's word (L14)."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from auteryn.schema.record import canonical_json

Gate = Literal["open", "ask"]

ALLOW = "Allow"
ALLOW_FOR_RUN = "Allow for the rest of this run"
DENY = "Deny"
GATE_OPTIONS = (ALLOW, ALLOW_FOR_RUN, DENY)


def fingerprint(tool: str, args: dict[str, Any]) -> str:
    """What an approval binds to: exactly this tool with exactly these arguments."""
    return hashlib.sha256(canonical_json([tool, args])).hexdigest()


def gate(permission: str, *, tool: str, target: str, grants: tuple[str, ...], sends: bool, tainted: bool, approve: str) -> Gate:
    """Whether a person must allow this call.

    `ask` always asks; `ask1` once per run, tool and target; `auto` only where a run that has read untrusted text could carry
    something out. An owner who chose `approve="auto"` opens gates beforehand, except the tainted ones.
    """
    if sends and tainted:
        return "ask"
    if permission == "auto" or approve == "auto":
        return "open"
    if permission == "ask1" and f"{tool} {target}" in grants:
        return "open"
    return "ask"
