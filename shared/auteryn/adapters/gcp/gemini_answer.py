"""The chunks of one answer, put together to one `Reply`."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from auteryn.adapters.gcp.gemini_events import BrokenAnswer, Chunk, WireCall, WireCandidate, WireUsage
from auteryn.adapters.gcp.gemini_grounding import Grounding
from auteryn.schema.message import Call, Delta, FinishReason, Reply, Tokens

_FINISH: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "max_tokens",
    "MALFORMED_FUNCTION_CALL": "malformed_call",
    "MALFORMED_RESPONSE": "malformed_call",
    "TOO_MANY_TOOL_CALLS": "malformed_call",
    "UNEXPECTED_TOOL_CALL": "unexpected_call",
    "CONTINUATION": "continuation",
    "SAFETY": "safety",
    "BLOCKLIST": "safety",
    "PROHIBITED_CONTENT": "safety",
    "SPII": "safety",
    "MODEL_ARMOR": "safety",
    "IMAGE_SAFETY": "safety",
    "IMAGE_PROHIBITED_CONTENT": "safety",
}
"""Every other one is `other`: an accident of this one answer, as RECITATION (it came too close to a text it was trained on)."""


class Answer:
    """Grows chunk by chunk; only the first candidate counts."""

    def __init__(self, *, include_thoughts: bool) -> None:
        self.reason: str | None = None
        """The vendor's finish or block reason; `None` while the answer is not complete."""
        self._include_thoughts = include_thoughts
        self._parts: list[dict[str, Any]] = []
        self._text: list[str] = []
        self._thoughts: list[str] = []
        self._message = ""
        self._blocked = False
        self._model: str | None = None
        self._usage = WireUsage()
        self._grounding = Grounding()

    def add(self, chunk: Chunk) -> list[Delta]:
        """Take one chunk in; what it adds to text and thoughts. Raises `BrokenAnswer` for a call that is none: stored, nobody
        could read it back."""
        self._model = chunk.model_version or self._model
        self._usage = chunk.usage_metadata or self._usage
        feedback = chunk.prompt_feedback
        if feedback and feedback.block_reason:
            self._blocked, self.reason, self._message = True, feedback.block_reason, feedback.block_reason_message or ""
        candidate = chunk.candidates[0] if chunk.candidates else None
        if candidate is None:
            return []
        if candidate.finish_reason:
            self.reason, self._message = candidate.finish_reason, candidate.finish_message or _ratings(candidate)
        self._grounding.add(candidate.grounding_metadata)
        parts = (candidate.content.parts or []) if candidate.content else []
        return [delta for part in parts if (delta := self._take(part))]

    def reply(self, model: str, attempts: int) -> Reply:
        """The whole answer; `model` is who was asked, used where the wire does not say who answered."""
        return Reply(
            model=self._model or model,
            content={"role": "model", "parts": self._parts},
            finish=self._finish(),
            finish_detail=": ".join(filter(None, (self.reason, self._message))),
            text="".join(self._text),
            thoughts="".join(self._thoughts),
            calls=tuple(_calls(self._parts)),
            tokens=replace(_tokens(self._usage), searches=self._grounding.count),
            searched=tuple(self._grounding.searched),
            sources=self._grounding.sources(),
            attempts=attempts,
        )

    def _take(self, part: dict[str, Any]) -> Delta | None:
        thought = part.get("thought") is True
        try:
            msgspec.convert(part.get("functionCall"), WireCall | None)
        except msgspec.ValidationError as error:
            raise BrokenAnswer(f"a call in the answer is not Gemini's ({error})") from error
        if not thought or "thoughtSignature" in part:
            self._keep(part)
        text = part.get("text")
        if not isinstance(text, str) or not text or "functionCall" in part or (thought and not self._include_thoughts):
            return None
        (self._thoughts if thought else self._text).append(text)
        return Delta(kind="thought" if thought else "text", text=text)

    def _keep(self, part: dict[str, Any]) -> None:
        """Into the history, verbatim and in order. Plain neighbouring texts become one and empty plain texts vanish: both
        are the same to the API and keep a streamed history small. A signed part is never touched."""
        if _plain(part) and self._parts and _plain(self._parts[-1]):
            self._parts[-1] = {"text": self._parts[-1]["text"] + part["text"]}
        elif part and part != {"text": ""}:
            self._parts.append(part)

    def _finish(self) -> FinishReason:
        if self._blocked:
            return "safety"
        finish = _FINISH.get(self.reason or "", "other")
        return "empty" if finish == "stop" and not any(map(_says_something, self._parts)) else finish


def _plain(part: dict[str, Any]) -> bool:
    return part.keys() == {"text"} and isinstance(part["text"], str)


def _says_something(part: dict[str, Any]) -> bool:
    return part.get("text") != "" and not part.get("thought") and part.keys() != {"thoughtSignature"}


def _calls(parts: list[dict[str, Any]]) -> list[Call]:
    """Every named call; nameless ones continue another's arguments, which only a client that asks for that receives."""
    found = (part.get("functionCall") for part in parts)
    return [
        Call(name=call["name"], args=call.get("args") or {}, wire_id=call.get("id"))
        for call in found
        if call and call.get("name")
    ]


def _tokens(usage: WireUsage) -> Tokens:
    return Tokens(
        prompt=usage.prompt_token_count or 0,
        cached=usage.cached_content_token_count or 0,
        output=usage.candidates_token_count or 0,
        thoughts=usage.thoughts_token_count or 0,
        tool_use=usage.tool_use_prompt_token_count or 0,
    )


def _ratings(candidate: WireCandidate) -> str:
    """Which categories blocked the answer, for people."""
    blocking = (rating for rating in candidate.safety_ratings or [] if rating.get("blocked"))
    return ", ".join(f"{rating.get('category')} {rating.get('probability')}" for rating in blocking)
