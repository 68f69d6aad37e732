"""A model that follows a script: for tests, demos and benchmarks. No key, no network, the same answers every time.

    ScriptedModel(["Hello!"])                                              # one item for each turn of a conversation
    ScriptedModel([[call("calculate", expression="1+1")], "It is 2."])     # calls, then a text
    ScriptedModel(lambda ask: "done" if ask.results else ask.call("calculate", expression="1+1"))
    ScriptedModel([RateLimited("slow down", retry_after=timedelta(hours=1)), "Hello!"])   # an error is met once

It keeps the laws of `ports.model.Model`, and it is strict the way the real one is: every answer is signed, and a request in
which the newest answer does not come back verbatim, or its calls are not answered one by one, is an `AssertionError`.
"""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any

import msgspec

from auteryn.errors import RateLimited, Retryable, Unavailable
from auteryn.ports.clock import Clock
from auteryn.ports.model import ModelRequest, Role, Spend
from auteryn.schema.message import Call, Content, Delta, FinishReason, Reply, Tokens
from auteryn.schema.record import Record

CHARS_PER_TOKEN = 4
PIECE = 200
"""Characters of one text delta."""

_encode = msgspec.json.Encoder(order="sorted").encode


class Say(Record):
    """One turn in full: what is thought, said and called, and how it ends."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    thoughts: str = ""
    finish: FinishReason | None = None
    """`None`: `stop`, or `empty` where nothing is said."""
    thought_tokens: int = 0


Turn = str | Call | Say | Reply | Sequence[Call | str]
"""What a script may answer; several calls and texts together are one turn."""
Line = Turn | Exception
"""An exception is raised instead, or sat out where the real model would."""
Script = Callable[["Ask"], Line] | Sequence[Line]


def call(name: str, /, **args: Any) -> Call:
    """A call of a tool, for a script."""
    return Call(name=name, args=args)


def safety() -> Say:
    """The answer was blocked."""
    return Say(finish="safety")


def malformed() -> Say:
    """The model broke its own format."""
    return Say(finish="malformed_call")


def silence() -> Exception:
    """Nothing comes for as long as the request allows."""
    return _Silence("the script was silent")


class Ask:
    """One request, as a script sees it."""

    def __init__(self, request: ModelRequest, turn: int, attempt: int) -> None:
        self.request, self.turn, self.attempt = request, turn, attempt
        """`turn`: answers this conversation already has, compacted ones included; `attempt`: how often this turn was asked
        for before."""

    call = staticmethod(call)

    @property
    def task(self) -> str:
        """The text of the first message."""
        return _text(self.request.contents[0])

    @property
    def last(self) -> str:
        """The text of the newest message; empty when it only answers calls."""
        return _text(self.request.contents[-1])

    @cached_property
    def results(self) -> dict[str, list[Any]]:
        """Every tool result still in the conversation, by tool, oldest first."""
        found: dict[str, list[Any]] = {}
        for content in self.request.contents:
            for answer in _answers(content):
                found.setdefault(answer["name"], []).append(answer.get("response"))
        return found

    @property
    def new_results(self) -> list[tuple[str, Any]]:
        """(tool, result) of the calls of the last turn, in their order."""
        return [(answer["name"], answer.get("response")) for answer in _answers(self.request.contents[-1])]

    @property
    def tools(self) -> list[str]:
        """The tools that may be called."""
        return [] if self.request.tool_mode == "none" else [tool.name for tool in self.request.tools]


class ScriptedModel:
    """`ports.model.Model` by a script. `calls` counts the requests that reached it.

    A list gives one item for each turn of a conversation, so parallel conversations each start at its first item and a
    resumed one goes on where it was; past its end the last item is repeated. Errors in it are met once, before the item
    that follows. `strict=True` checks the whole history on every request instead of its newest turn.
    """

    searches = False
    """Set where a script answers from the web: its line is then a whole `Reply` with sources."""

    def __init__(self, script: Script, *, model: str = "scripted", strict: bool = False, clock: Clock | None = None) -> None:
        self.calls = 0
        self._script = script if callable(script) else _by_turn(script)
        self._model, self._strict, self._clock = model, strict, clock
        self._asked: dict[tuple[str, int], int] = {}

    async def generate(
        self,
        request: ModelRequest,
        *,
        on_delta: Callable[[Delta], None] | None = None,
        spend: Spend | None = None,
    ) -> Reply:
        history = _read(request.contents, strict=self._strict)
        sent, repeated, why = 0, False, ""
        while True:
            if spend:
                await spend(1, why)
            sent += 1
            self.calls += 1
            line = self._line(request, history)
            if isinstance(line, Exception):
                why = str(line)
                await self._sit_out(line, request, left=request.attempts - sent)
                continue
            reply = self._reply(line, request, history, sent)
            if reply.finish in ("malformed_call", "empty") and not repeated and sent < request.attempts:
                repeated, why = True, f"the answer was {reply.finish}"
                continue
            if on_delta:
                _stream(reply, on_delta)
            return reply

    def model_id(self, role: Role) -> str:
        return self._model

    async def close(self) -> None:
        return None

    def _line(self, request: ModelRequest, history: _History) -> Line:
        key = (_text(request.contents[0]), history.turn)
        attempt = self._asked.get(key, 0)
        self._asked[key] = attempt + 1
        if callable(self._script):
            return self._script(Ask(request, history.turn, attempt))
        errors, line = self._script[min(history.turn, len(self._script) - 1)]
        return errors[attempt] if attempt < len(errors) else line

    async def _sit_out(self, error: Exception, request: ModelRequest, left: int) -> None:
        """Wait as the real adapter does, or raise: what is no passing failure, a delay past patience, the last try."""
        if isinstance(error, _Silence):
            await self._sleep(request.silence)
            error = Unavailable(f"the model was silent for {request.silence.total_seconds():g} s")
        wait = (error.retry_after or timedelta()) if isinstance(error, Retryable) else timedelta.max
        if left <= 0 or wait > request.patience or (isinstance(error, RateLimited) and error.per_day):
            raise error
        if wait:
            await self._sleep(wait)

    async def _sleep(self, span: timedelta) -> None:
        await (self._clock.sleep(span) if self._clock else asyncio.sleep(span.total_seconds()))

    def _reply(self, line: Turn, request: ModelRequest, history: _History, sent: int) -> Reply:
        if isinstance(line, Reply):
            return msgspec.structs.replace(line, attempts=sent)
        say = _say(line)
        calls = tuple(
            Call(name=each.name, args=each.args, wire_id=each.wire_id or f"{each.name[:16]}-{history.turn}-{number}")
            for number, each in enumerate(say.calls)
        )
        parts = _parts(say.text, calls)
        chars = history.chars + len(request.system)
        output = 0
        if parts:
            output = len(say.text) + sum(len(_encode(each.args)) + len(each.name) for each in calls)
            _sign(parts, history.turn, len(request.contents), history.chars + output)
        return Reply(
            model=self._model,
            content={"role": "model", "parts": parts},
            finish=say.finish or ("stop" if say.text or calls else "empty"),
            finish_detail="scripted",
            text=say.text,
            thoughts=say.thoughts if request.include_thoughts else "",
            calls=calls,
            tokens=Tokens(prompt=chars // CHARS_PER_TOKEN, output=output // CHARS_PER_TOKEN, thoughts=say.thought_tokens),
            attempts=sent,
        )


class _Silence(Retryable):
    pass


# ---- the script ----------------------------------------------------------------------------------------------


def _by_turn(script: Sequence[Line]) -> list[tuple[list[Exception], Line]]:
    """For each turn the errors that are met before it, and what is then answered; a script may also end in an error."""
    turns: list[tuple[list[Exception], Line]] = []
    errors: list[Exception] = []
    for item in script:
        if isinstance(item, Exception):
            errors.append(item)
        else:
            turns.append((errors, item))
            errors = []
    return [*turns, (errors, errors[-1])] if errors else turns


def _say(line: str | Call | Say | Sequence[Call | str]) -> Say:
    match line:
        case Say():
            return line
        case str():
            return Say(text=line)
        case Call():
            return Say(calls=(line,))
        case _:
            text = "".join(item for item in line if isinstance(item, str))
            return Say(text=text, calls=tuple(item for item in line if isinstance(item, Call)))


def _parts(text: str, calls: tuple[Call, ...]) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = [{"text": text}] if text else []
    return said + [{"functionCall": {"name": call.name, "args": call.args, "id": call.wire_id}} for call in calls]


def _stream(reply: Reply, on_delta: Callable[[Delta], None]) -> None:
    if reply.thoughts:
        on_delta(Delta(kind="thought", text=reply.thoughts))
    for start in range(0, len(reply.text), PIECE):
        on_delta(Delta(kind="text", text=reply.text[start : start + PIECE]))


# ---- signatures ----------------------------------------------------------------------------------------------
#
# A signature holds where its turn stood and a MAC of its parts. So the next request is checked and counted from it alone:
# the work does not grow with the history, and a new process knows its own answers.


_OURS = b64encode(b"scripted.").decode()


class _History(Record):
    turn: int
    chars: int


def _sign(parts: list[dict[str, Any]], turn: int, index: int, chars: int) -> None:
    at = next((number for number, part in enumerate(parts) if "functionCall" in part), len(parts) - 1)
    stands = f"scripted.{turn}.{index}.{chars}"
    parts[at]["thoughtSignature"] = b64encode(f"{stands}.{_mac(stands, parts)}".encode()).decode()


def _mac(stands: str, parts: list[dict[str, Any]]) -> str:
    bare = [{key: value for key, value in part.items() if key != "thoughtSignature"} for part in parts]
    return hashlib.blake2b(_encode([stands, bare]), digest_size=12).hexdigest()


def _read(contents: Sequence[Content], *, strict: bool) -> _History:
    """Where the conversation stands; raises `AssertionError` where it is not what was said."""
    _require(bool(contents) and contents[-1]["role"] == "user", "the last content must be the user's")
    newest = next((at for at in range(len(contents) - 1, -1, -1) if contents[at]["role"] == "model"), None)
    if strict:
        for at, content in enumerate(contents):
            if content["role"] == "model":
                _check(contents, at)
    if newest is None:
        return _History(turn=0, chars=_size(contents))
    stood = _check(contents, newest)
    if stood is None:
        return _History(turn=sum(content["role"] == "model" for content in contents), chars=_size(contents))
    turn, index, chars = stood
    unchanged = index == newest
    return _History(turn=turn + 1, chars=chars + _size(contents[newest + 1 :]) if unchanged else _size(contents))


def _check(contents: Sequence[Content], at: int) -> tuple[int, int, int] | None:
    """The stand of one answer that came back, once it is known to be ours, whole, and answered; `None` for a stranger's."""
    parts: list[dict[str, Any]] = contents[at]["parts"]
    asked = [part["functionCall"] for part in parts if "functionCall" in part]
    answered = _answers(contents[at + 1])
    same = [(one["name"], one.get("id")) for one in asked] == [(one["name"], one.get("id")) for one in answered]
    _require(same, f"contents[{at + 1}] must answer exactly the calls of contents[{at}], in order: {asked!r}, {answered!r}")
    signed = next((part["thoughtSignature"] for part in parts if "thoughtSignature" in part), None)
    if signed is None or not signed.startswith(_OURS):
        return None
    stands, _, mac = b64decode(signed).decode().rpartition(".")
    _require(mac == _mac(stands, parts), f"contents[{at}] did not come back as it was answered: {parts!r}")
    turn, index, chars = map(int, stands.split(".")[1:])
    return turn, index, chars


def _require(holds: bool, rule: str) -> None:
    if not holds:
        raise AssertionError(rule)


def _size(contents: Sequence[Content]) -> int:
    return sum(len(_encode(content)) for content in contents)


def _text(content: Content) -> str:
    return "".join(part["text"] for part in content["parts"] if "text" in part)


def _answers(content: Content) -> list[dict[str, Any]]:
    return [part["functionResponse"] for part in content["parts"] if "functionResponse" in part]
