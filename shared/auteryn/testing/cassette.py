"""A model that was recorded: the same request gets the same answer, without a key and without the network.

    CassetteModel("tests/cassettes/report.jsonl", mode="replay")           # what is not recorded is an error
    CassetteModel("report.jsonl", mode="record", inner=GeminiModel.from_environment())
    CassetteModel("report.jsonl", mode="auto", inner=…)                    # asks only what is not recorded yet

One JSON line for each answer. A request is found by the hash of what the model would see, so a changed prompt, tool or
history is noticed. Keys, tokens and mail addresses are blotted out before anything is hashed or written.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, cast

import msgspec

from auteryn.errors import Corrupt, Invalid, NotFound
from auteryn.ports.model import Model, ModelRequest, Role, Spend
from auteryn.schema.message import Content, Delta, Reply
from auteryn.schema.record import Record, canonical_json, to_json

Mode = Literal["replay", "record", "auto"]


class NotRecorded(NotFound):
    """The cassette holds no answer to this request; the message says how the nearest recorded one differs."""

    code = "not_recorded"


class Outline(Record):
    """What a miss is explained with: a digest of each piece of a request, and the newest contents in short."""

    settings: str
    system: str
    tools: dict[str, str] = {}
    contents: tuple[str, ...]
    newest: tuple[str, ...] = ()


class Recorded(Record):
    """One line of a cassette."""

    request: str
    """Hash of the request; lines with the same one are answered in their order."""
    outline: Outline
    reply: Reply


class CassetteModel:
    """`ports.model.Model` from a file. Requests that were recorded several times are answered in that order, and then by
    the last answer: a process that resumes and asks again hears the same. Failures are never recorded."""

    def __init__(self, path: str | Path, mode: Mode = "replay", *, inner: Model | None = None) -> None:
        if mode != "replay" and inner is None:
            raise Invalid("inner", None, f"must be the model to ask in mode {mode!r}")
        self.path, self.mode, self._inner = Path(path), mode, inner
        self._lines: dict[str, list[Recorded]] = {}
        self._given: dict[str, int] = {}
        self._read_to = 0

    @property
    def searches(self) -> bool:
        """As far as it was recorded."""
        return self._inner.searches if self._inner else True

    async def generate(
        self,
        request: ModelRequest,
        *,
        on_delta: Callable[[Delta], None] | None = None,
        spend: Spend | None = None,
    ) -> Reply:
        seen = _seen(request)
        key = hashlib.blake2b(canonical_json(seen), digest_size=16).hexdigest()
        recorded = None if self.mode == "record" else self._next(key)
        if recorded is not None:
            if spend:
                await spend(1, "")
            return _replayed(recorded.reply, on_delta)
        if self._inner is None or self.mode == "replay":
            raise NotRecorded(self._explain(_outline(seen)))
        reply = await self._inner.generate(request, on_delta=on_delta, spend=spend)
        self._append(
            Recorded(request=key, outline=_outline(seen), reply=msgspec.convert(_blotted(msgspec.to_builtins(reply)), Reply))
        )
        return reply

    def model_id(self, role: Role) -> str:
        return self._inner.model_id(role) if self._inner else f"cassette:{self.path.stem}"

    async def close(self) -> None:
        if self._inner:
            await self._inner.close()

    def _next(self, key: str) -> Recorded | None:
        if key not in self._lines:
            self._read_new()
        lines = self._lines.get(key)
        if not lines:
            return None
        number = self._given.get(key, 0)
        self._given[key] = number + 1
        return lines[min(number, len(lines) - 1)]

    def _read_new(self) -> None:
        """Take in what this or another process has appended since; a last line that is not whole yet is left for later."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._read_to)
            whole, _, _ = file.read().rpartition(b"\n")
        self._read_to += len(whole) + 1 if whole else 0
        for raw in filter(None, whole.split(b"\n")):
            try:
                line = msgspec.json.decode(raw, type=Recorded)
            except msgspec.DecodeError as error:
                raise Corrupt(f"cassette {str(self.path)!r} has a line that cannot be read: {error}; record it anew") from error
            self._lines.setdefault(line.request, []).append(line)

    def _append(self, line: Recorded) -> None:
        """One write of one line at the end: parallel steps and processes do not mix their lines."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        out = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(out, to_json(line) + b"\n")
        finally:
            os.close(out)

    def _explain(self, asked: Outline) -> str:
        self._read_new()
        known = [line.outline for lines in self._lines.values() for line in lines]
        if not known:
            return f"cassette {str(self.path)!r} is empty or not there; record it with mode='record' and a real model"
        nearest = max(known, key=lambda outline: _likeness(outline, asked))
        differences = "; ".join(_differences(nearest, asked))
        return f"cassette {str(self.path)!r} has no answer to this request; the nearest recorded one differs: {differences}"


def _replayed(reply: Reply, on_delta: Callable[[Delta], None] | None) -> Reply:
    if on_delta and reply.thoughts:
        on_delta(Delta(kind="thought", text=reply.thoughts))
    if on_delta and reply.text:
        on_delta(Delta(kind="text", text=reply.text))
    return msgspec.structs.replace(reply, attempts=1)


# ---- what a request is, for finding it again -------------------------------------------------------------------


_HOW_NOT_WHAT = ("silence", "patience", "attempts")
"""How long to wait and how often to try do not change the answer."""


def _seen(request: ModelRequest) -> dict[str, Any]:
    fields = cast("dict[str, Any]", msgspec.to_builtins(request))
    return _blotted({name: value for name, value in fields.items() if name not in _HOW_NOT_WHAT})


_SECRETS = (
    (re.compile(r"AIza[\w-]{30,}|ya29\.[\w.-]+|AQ\.[\w-]{20,}"), "[key]"),
    (
        re.compile(
            r"\b(?:sk|pk|rk)[-_][\w-]{16,}|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bxox[abprs]-[\w-]{10,}|\bAKIA[A-Z0-9]{16}\b"
        ),
        "[key]",
    ),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), "[token]"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{12,}"), r"\1 [token]"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.S), "[key]"),
    (re.compile(r"\b[\w.+-]+@(?!example\.(?:com|org|net)\b)[\w-]+(?:\.[\w-]+)+\b"), "user@example.com"),
)
_OPAQUE = ("thoughtSignature", "data")
"""Base64, where a chance likeness to a key would destroy it."""


def _blotted(value: Any) -> Any:
    """The value without secrets; doing it twice changes nothing more, so replayed answers find their successors."""
    if isinstance(value, str):
        for pattern, instead in _SECRETS:
            value = pattern.sub(instead, value)
        return value
    if isinstance(value, dict):
        inside = cast("dict[str, Any]", value).items()
        return {key: part if key in _OPAQUE and isinstance(part, str) else _blotted(part) for key, part in inside}
    return [_blotted(part) for part in cast("list[Any]", value)] if isinstance(value, list | tuple) else value


# ---- explaining a miss -----------------------------------------------------------------------------------------

_SHORT, _KEPT = 160, 4


def _outline(seen: dict[str, Any]) -> Outline:
    pieces = dict(seen)
    contents: list[Content] = pieces.pop("contents")
    tools = {tool["name"]: _digest(tool) for tool in pieces.pop("tools", ())}
    system = pieces.pop("system")
    return Outline(
        settings=canonical_json(pieces).decode()[:400],
        system=f"{_digest(system)} {system[:_SHORT]}",
        tools=tools,
        contents=tuple(map(_digest, contents)),
        newest=tuple(f"{content['role']}: {to_json(content['parts']).decode()[:_SHORT]}" for content in contents[-_KEPT:]),
    )


def _digest(value: Any) -> str:
    return hashlib.blake2b(canonical_json(value), digest_size=5).hexdigest()


def _likeness(recorded: Outline, asked: Outline) -> tuple[int, int, int]:
    """How many of the first contents agree, then how much else."""
    same = _common(recorded, asked)
    rest = (recorded.settings == asked.settings) + (recorded.system == asked.system) + (recorded.tools == asked.tools)
    return same, -abs(len(recorded.contents) - len(asked.contents)), rest


def _common(recorded: Outline, asked: Outline) -> int:
    pairs = zip(recorded.contents, asked.contents, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(recorded.contents), len(asked.contents)))


def _differences(recorded: Outline, asked: Outline) -> list[str]:
    found = [
        f"{name} was {getattr(recorded, name)!r}, now {getattr(asked, name)!r}"
        for name in ("settings", "system")
        if getattr(recorded, name) != getattr(asked, name)
    ]
    changed = sorted(name for name in {*recorded.tools, *asked.tools} if recorded.tools.get(name) != asked.tools.get(name))
    if changed:
        found.append(f"tools differ in {', '.join(changed)}")
    at = _common(recorded, asked)
    if recorded.contents[at:] or asked.contents[at:]:
        found.append(f"contents[{at}] was {_newest(recorded, at)}, now {_newest(asked, at)}")
    return found or ["only in what the outline leaves out"]


def _newest(outline: Outline, at: int) -> str:
    kept_from = len(outline.contents) - len(outline.newest)
    if at >= len(outline.contents):
        return "not there"
    return repr(outline.newest[at - kept_from]) if at >= kept_from else f"another (digest {outline.contents[at]})"
