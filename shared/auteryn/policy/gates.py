"""When a person is asked before a call. Host policy on tool, effect, arguments and taint; never the model's word (L14)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Literal

from auteryn.schema.human import Ask
from auteryn.schema.record import canonical_json
from auteryn.schema.run import Run

Gate = Literal["open", "ask", "refuse", "dry"]

FOREIGN, PRIVATE = "@foreign", "@private"
"""Labels among a run's `used_tools`: it has read text written by others; it holds private data of the owner's."""

NAMED_CHARS = 8_000
"""Of an owner's sentences that name whom to write to: what a compaction keeps of them."""
_SENTENCE = re.compile(r"(?<=[.!?])\s|\n")
_SENDING = re.compile(
    r"\b(?:send|e-?mail|mail|forward|post|write|notify|alert|report|deliver|message|share|tell|inform|reply)\b"
    r"(?! (?:from|of|by)\b)"
)
_ADDRESS = r"(?:[\w.+-]+@[\w-]+(?:\.[\w-]+)+|#[\w-]+)"
_AND = r"(?:, and|,| and|;| &)"
_RECIPIENTS = re.compile(
    r"\b(?:to|cc|bcc|in|notify|tell|alert|inform|e-?mail|mail):? +(?:the (?:channel|team) )?"
    rf"({_ADDRESS}(?:{_AND} *{_ADDRESS})*)"
)
_ONE = re.compile(_ADDRESS)

ALLOW = "Allow"
ALLOW_FOR_RUN = "Allow for the rest of this run"
DENY = "Deny"
DENY_FOR_RUN = "Deny for the rest of this run"
GATE_OPTIONS = (ALLOW, ALLOW_FOR_RUN, DENY, DENY_FOR_RUN)
TAINTED_OPTIONS = (ALLOW, DENY, DENY_FOR_RUN)
"""A tainted call is asked about every time, so no lasting permission is offered."""
ALLOWING = (ALLOW, ALLOW_FOR_RUN)


def fingerprint(tool: str, args: dict[str, Any], preview: str = "") -> str:
    """What an approval binds to: exactly this tool with exactly these arguments, doing exactly what was foreseen."""
    return hashlib.sha256(canonical_json([tool, args, preview] if preview else [tool, args])).hexdigest()


def gate(
    permission: str,
    *,
    tool: str,
    target: str,
    run: Run,
    now: datetime,
    sends: bool,
    tainted: bool,
    outward: bool,
    named: bool = False,
) -> Gate:
    """Whether a person must allow this call.

    `ask` and `ask1` ask, until a person has allowed or refused this tool and target for the rest of the run; `auto` asks only
    where a run that has read untrusted text could carry something out. An owner who chose `approve="auto"` opens gates
    beforehand, except the tainted ones. In a run with `effects="ask"` (a fork), every `outward` call is asked about: one that
    changes something outside. `named`: the owner wrote every recipient into the task, which allows the call beforehand.
    """
    pair = f"{tool} {target}"
    if pair in run.refusals:
        return "refuse"
    blocked = outward and run.options.effects == "ask"
    if named and not blocked:
        return "open"
    if sends and tainted:
        return "ask"
    if not blocked and (permission == "auto" or run.options.approve == "auto"):
        return "open"
    ends = run.grant_ends.get(pair)
    if pair in run.grants and (ends is None or now < ends):
        return "open"
    return "ask"


def named_recipients(text: str) -> tuple[str, ...]:
    """Addresses and channels a text tells somebody to send something to, in lower case.

    An address that is only mentioned ("summarise the mail of …") does not count: the sentence must say what to do before it
    names whom.
    """
    found = list[str]()
    for sentence in _SENTENCE.split(text.lower()):
        if told := _SENDING.search(sentence):
            found += [one for many in _RECIPIENTS.findall(sentence[told.start() :]) for one in _ONE.findall(many)]
    return tuple(dict.fromkeys(found))


def named_in(texts: Iterable[str]) -> tuple[str, ...]:
    """The sentences that name a recipient or an address of the web, in order and each once; of too many the newest."""
    found = dict.fromkeys(one for text in texts for one in _SENTENCE.split(text) if "://" in one or named_recipients(one))
    kept, left = list[str](), NAMED_CHARS
    for one in reversed(found):
        if len(one) <= left:
            kept.append(one)
            left -= len(one)
    return tuple(reversed(kept))


def may_answer(ask: Ask, by: str) -> bool:
    """Whether it is this person's turn: one of the approvers, by name or address, if any are named."""
    return not ask.approvers or any(fnmatchcase(by.lower(), pattern.lower()) for pattern in ask.approvers)


def decided(ask: Ask, value: Any) -> bool:
    """Whether one more person who says `value` settles it: enough agree, or somebody refuses the call."""
    if ask.kind == "gate" and value not in ALLOWING:
        return True
    return 1 + sum(vote.value == value for vote in ask.votes) >= ask.quorum
