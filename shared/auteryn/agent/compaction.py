"""When the conversation grows too long: a summary of what was, the newest turns as they are, the ledger untouched."""

from __future__ import annotations

import json
from typing import Any

from auteryn.agent.mind import Facts, Mind
from auteryn.agent.pictures import newest_images
from auteryn.agent.prompt import text
from auteryn.agent.speak import ask_model, paid
from auteryn.agent.thread import task_parts
from auteryn.policy.gates import named_in
from auteryn.policy.limits import CHARS_PER_TOKEN
from auteryn.policy.modes import MODES
from auteryn.ports.model import ModelRequest
from auteryn.schema import event as e
from auteryn.schema.message import Content

RESULT_CHARS = 600
"""Of each tool result in the transcript that is summarised: its file holds the rest."""
SHORTER = (20_000, 4_000)
"""Of each tool result in the transcript that another model goes on from, where it is too long as a whole."""


async def compacted(mind: Mind) -> Facts:
    """A `Compacted` fact, at a turn's boundary: the older turns become a summary, the newest stay as they are."""
    thread = mind.thread
    keep = _first_kept(mind)
    kept_at = thread.turns[keep].content if keep < len(thread.turns) else len(thread.contents)
    keep_from = thread.turns[keep].seq if keep < len(thread.turns) else mind.run.seq + 2
    reply = await ask_model(mind, _summary_request(mind, thread.contents[:kept_at]), aloud=False)
    summary = reply.text.strip() or _transcript(thread.contents[:kept_at])[-8_000:]
    return (
        e.Compacted(
            summary=summary,
            keep_from=keep_from,
            **_known(mind),
            prompt_tokens=thread.tokens(),
            tokens=reply.tokens,
            attempts=reply.attempts,
            credits=paid(mind, reply),
        ),
    )


def raised(mind: Mind, refused: int = 0) -> Facts:
    """Go on with another model: the conversation as text and its pictures, since signatures belong to the model that made them.
    Results are whole if all fits into half of what a conversation may hold, else cut as needed; at last the beginning is left
    out."""
    first, *others = mind.thread.contents
    said = {**first, "parts": first["parts"][len(task_parts(mind.thread.task)) :]}  # before the first answer, or summarised
    most = mind.settings.compact_at_tokens * CHARS_PER_TOKEN // 2
    told = ""
    for result_chars in (most, *SHORTER, RESULT_CHARS):
        told = _transcript([said, *others], result_chars)
        if len(told) <= most:
            break
    summary = f"(with another model)\n{told[-most:]}"
    images = newest_images(mind.thread.contents)
    return (
        e.Compacted(summary=summary, keep_from=mind.run.seq + 2, attempts=0, images=images, refused=refused, **_known(mind)),
    )


def _known(mind: Mind) -> dict[str, Any]:
    """What else the thread knows. Whoever resumes from the fact reads nothing older."""
    thread = mind.thread
    return {
        "found": tuple(thread.found),
        "reported": tuple(sorted(thread.reported)),
        "reminders": thread.reminders,
        "share_refused": thread.share_refused,
        "said": named_in(thread.owner_said[1:]),
        "last_text": thread.last_text,
        "unfinished": thread.unfinished,
    }


def _first_kept(mind: Mind) -> int:
    """Index of the first turn that stays: as many of the newest as fit into the kept tokens, at least none."""
    thread = mind.thread
    size, index = 0, len(thread.turns)
    for at in range(len(thread.turns) - 1, 0, -1):
        begin = thread.turns[at].content
        end = thread.turns[at + 1].content if at + 1 < len(thread.turns) else len(thread.contents)
        size += sum(len(json.dumps(content)) for content in thread.contents[begin:end])
        if size > mind.settings.keep_tokens * CHARS_PER_TOKEN:
            break
        index = at
    return index


def _summary_request(mind: Mind, contents: list[Content]) -> ModelRequest:
    mode = MODES[mind.run.mind]
    transcript = _transcript(contents)
    return ModelRequest(
        role=mode.name,
        system=text("summarise"),
        contents=[
            {"role": "user", "parts": [{"text": f"Summarise this transcript.\n\n<transcript>\n{transcript}\n</transcript>"}]}
        ],
        thinking_tokens=mode.thinking_tokens,
        silence=mode.silence,
    )


def _transcript(contents: list[Content], result_chars: int = RESULT_CHARS) -> str:
    """The conversation as plain text, long results cut in the middle."""
    lines = (_line(content["role"], part, result_chars) for content in contents for part in content["parts"])
    return "\n".join(filter(None, lines))


def _line(role: str, part: dict[str, Any], most: int) -> str:
    if call := part.get("functionCall"):
        return f"agent calls {call['name']} {_short(json.dumps(call.get('args') or {}, ensure_ascii=False), most)}"
    if answer := part.get("functionResponse"):
        return f"{answer['name']} answers {_short(json.dumps(answer['response'], ensure_ascii=False), most)}"
    if part.get("text") and not part.get("thought"):
        return f"{'agent' if role == 'model' else 'user'}: {part['text']}"
    return ""


def _short(whole: str, most: int) -> str:
    half = most // 2
    return whole if len(whole) <= most else f"{whole[:half]} … {whole[-half:]}"
